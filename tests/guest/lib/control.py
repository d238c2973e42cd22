"""Control requests as calls, and daemons to send them to. For tests that make their own system calls.

Numbers and layouts are written out here once more: a test must not learn them from the header it tests.
"""

import fcntl
import os
import re
import signal
import struct
import subprocess
import time

GET_CAPABILITY = 0x80085000
INIT = 0xC0045001
SHUTDOWN = 0x80045002
GET_TPMESTABLISHED = 0x80085003
SET_LOCALITY = 0xC0045004
HASH_START = 0x80045005
HASH_DATA = 0xD0045006
HASH_END = 0x80045007
CANCEL_TPM_CMD = 0x80045008
STORE_VOLATILE = 0x80045009
RESET_TPMESTABLISHED = 0xC004500A
GET_STATEBLOB = 0xCC10500B
SET_STATEBLOB = 0xCC0C500C
STOP = 0x8004500D
GET_CONFIG = 0x8008500E
SET_BUFFERSIZE = 0xC0105010
GET_INFO = 0xCC105011
LOCK_STORAGE = 0xC0045012
EXECUTE = 0xD008E900
GET_STATUS = 0x8228E901
SET_VERSION = 0xC004E902

SUCCESS, BAD_PARAMETER, FAIL, BAD_ORDINAL, SIZE, BAD_LOCALITY, RETRY = 0, 3, 9, 0x0A, 0x17, 0x3D, 0x800
PERMANENT, VOLATILE, SAVESTATE = 1, 2, 3
OFF, ON, FAILED = 0, 1, 2
STATUS_STORAGE_LOCKED = 2
PIECE = 3072

FILLER = 0xA5  # in every byte of a structure that a request does not set


def structure_size(number):
    return (number >> 16) & 0x3FFF


def call(file, number, fields=b""):
    """The caller's structure after the request: `fields`, then FILLER; what the daemon did not answer is still FILLER."""
    structure = bytearray([FILLER]) * structure_size(number)
    structure[: len(fields)] = fields
    fcntl.ioctl(file, number, structure)
    return bytes(structure)


def result(file, number, fields=b""):
    return struct.unpack("=I", call(file, number, fields)[:4])[0]


def expect(file, number, fields=b""):
    """The structure of a request that must succeed."""
    structure = call(file, number, fields)
    code = struct.unpack("=I", structure[:4])[0]
    assert code == SUCCESS, f"request {number:#x}: result {code:#x}"
    return structure


def u32(*values):
    return struct.pack(f"={len(values)}I", *values)


class Status:
    """GET_STATUS, whose whole structure must be defined."""

    def __init__(self, file):
        self.structure = expect(file, GET_STATUS)
        (_, self.phase, self.version, self.locality, self.flags, self.pid, self.commands, self.opener, self.reserved) = (
            struct.unpack("=6IQII", self.structure[:40])
        )
        self.state, self.reason = (self.structure[at : at + 256].split(b"\0")[0].decode() for at in (40, 296))


def get_piece(file, kind, offset, flags=1):
    """result, total length, bytes of one GET_STATEBLOB."""
    structure = call(file, GET_STATEBLOB, u32(flags, kind, offset))
    code, _, total, length = struct.unpack("=4I", structure[:16])
    return code, total, structure[16 : 16 + length] if code == SUCCESS else b""


def get_blob(file, kind, flags=1):
    """A whole state blob by ioctl alone."""
    blob = b""
    while True:
        code, total, piece = get_piece(file, kind, len(blob), flags)
        assert code == SUCCESS, f"blob {kind}: {code:#x}"
        blob += piece
        if len(blob) == total:
            return blob
        assert piece, "no end of the blob"


def set_piece(file, kind, piece, flags=0):
    return result(file, SET_STATEBLOB, u32(flags, kind, len(piece)) + piece)


def set_blob(file, kind, blob):
    """The last result of giving a blob in pieces; a piece that is not full is the last one."""
    for at in range(0, len(blob) + 1, PIECE):
        code = set_piece(file, kind, blob[at : at + PIECE])
        if code != SUCCESS:
            return code
    return code


def execute(file, command, locality=0xFF):
    """One EXECUTE: the TPM's response."""
    structure = expect(file, EXECUTE, u32(locality, len(command)) + command)
    length = struct.unpack("=I", structure[4:8])[0]
    return structure[8 : 8 + length]


def init(file, flags=0):
    return result(file, INIT, u32(flags))


class Daemon:
    """A vtpmd on a directory, for as long as the `with` lasts."""

    def __init__(self, state, *options, name="vtpm0"):
        self.state, self.node, self.control = state, f"/dev/{name}", f"/dev/{name.replace('vtpm', 'vtpmctl')}"
        self.pid_file = f"{state}.{name}.pid"
        self.command = ["vtpmd", "--device", name, "--state", f"dir:{state}", "--daemon", "--pid-file", self.pid_file]
        self.command += options

    def __enter__(self):
        subprocess.run(self.command, check=True, timeout=60)
        with open(self.pid_file, encoding="ascii") as file:
            self.pid = int(file.read())
        return self

    def __exit__(self, *_):
        self.stop(signal.SIGKILL)

    def stop(self, how=signal.SIGTERM):
        """Ends the daemon and waits until it and its node have gone."""
        try:
            os.kill(self.pid, how)
        except ProcessLookupError:
            pass
        self.wait_until_gone()

    def wait_until_gone(self):
        wait_until(lambda: not os.path.exists(f"/proc/{self.pid}") and not os.path.exists(self.node), "the daemon ends")

    def permanent_file(self):
        return os.path.join(self.state, "tpm2-00.permall")

    def resident_kib(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])


def wait_until(condition, what, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} seconds: {what}"
        time.sleep(0.01)


def opened(path, flags=0):
    return os.open(path, os.O_RDWR | os.O_CLOEXEC | flags)

"""old_qemu.py NODE: the sequence of QEMU's old CUSE backend on one file."""

import os
import select
import struct
import sys
import threading

import control
import tpm
from control import PERMANENT, SAVESTATE, SUCCESS, VOLATILE

STARTUP_CLEAR = bytes.fromhex("80010000000c000001440000")
READ_CLOCK = bytes.fromhex("80010000000a00000181")
GARBAGE = 0xDEADBEEE  # the init flags are what was on the stack; bit 0 is not set
NEEDED = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 7


class Backend:
    def __init__(self, node):
        self.file = control.opened(node)
        self.locality = None

    def probe(self):
        """Is it a TPM 2.0? Written, waited for with poll(), read once."""
        assert os.write(self.file, READ_CLOCK) == len(READ_CLOCK)
        waiting = select.poll()
        waiting.register(self.file, select.POLLIN)
        assert waiting.poll(1000) == [(self.file, select.POLLIN)]
        answer = os.read(self.file, 1024)
        tag, size = struct.unpack(">HI", answer[:6])
        assert (tag, size) == (0x8001, len(answer)), answer.hex()

    def init(self, flags=GARBAGE):
        assert control.init(self.file, flags) == SUCCESS

    def start_machine(self):
        self.init()
        self.must(STARTUP_CLEAR)

    def execute(self, request, locality=0):
        if locality != self.locality:
            control.result(self.file, control.SET_LOCALITY, bytes([locality, 0, 0, 0]))
            self.locality = locality
        assert os.write(self.file, request) == len(request)
        return os.read(self.file, 4096)

    def must(self, request, locality=0):
        response = self.execute(request, locality)
        assert tpm.response_code(response) == 0, response.hex()
        return response

    def cancel_until_it_works(self):
        """From another thread, while write() blocks; as often as it takes until one comes in time."""
        for _ in range(100):
            timer = threading.Timer(0.01, lambda: control.result(self.file, control.CANCEL_TPM_CMD))
            timer.start()
            response = self.execute(tpm.create_primary_rsa())
            timer.join()
            self.must(tpm.get_random(8))
            if tpm.response_code(response) == 0x909:
                return
            self.must(tpm.flush_context(tpm.new_handle(response)))
        raise AssertionError("no cancel ended a command")

    def save(self):
        blobs = {kind: control.get_blob(self.file, kind) for kind in (PERMANENT, VOLATILE)}
        assert control.get_piece(self.file, SAVESTATE, 0)[0] == control.RETRY
        return {**blobs, SAVESTATE: b""}

    def load(self, blobs):
        control.expect(self.file, control.STOP)
        for kind, blob in blobs.items():
            assert control.set_blob(self.file, kind, blob) == SUCCESS
        self.init(flags=1)


def main():
    backend = Backend(sys.argv[1])
    capability = struct.unpack("=Q", control.call(backend.file, control.GET_CAPABILITY))[0]
    assert capability & NEEDED == NEEDED
    backend.init()
    backend.probe()
    for _ in range(3):  # the machine is reset
        backend.start_machine()
    print("probed, started, reset")
    backend.must(tpm.pcr_extend(20, bytes(32)), locality=2)
    backend.must(tpm.pcr_extend(10, os.urandom(32)), locality=0)
    backend.cancel_until_it_works()
    print("cancelled")
    seen = [backend.must(tpm.pcr_read(index)) for index in (10, 20)]
    blobs = backend.save()
    backend.must(tpm.pcr_extend(10, os.urandom(32)))
    backend.load(blobs)
    assert [backend.must(tpm.pcr_read(index)) for index in (10, 20)] == seen
    assert control.result(backend.file, control.SHUTDOWN) == SUCCESS
    print("saved, loaded, ended")


main()

"""TPM 2.0 commands as bytes, and a few words about a response. For tests that make their own system calls."""

import errno
import os
import struct

RSA_SLOWEST = 3072  # bits; the slowest key that the library makes

OWNER = 0x40000001
NULL = 0x40000007
CC_SIGN = 0x15D
PASSWORD_SESSION = struct.pack(">IIHBH", 9, 0x40000009, 0, 0, 0)


def command(code, body=b"", sessions=False):
    return struct.pack(">HII", 0x8002 if sessions else 0x8001, 10 + len(body), code) + body


def startup():
    return command(0x144, struct.pack(">H", 0))


def get_random(count):
    return command(0x17B, struct.pack(">H", count))


def flush_context(handle):
    return command(0x165, struct.pack(">I", handle))


def create_primary_rsa(bits=RSA_SLOWEST):
    """Another key each time: it is derived from the seed and from `unique`, which is random."""
    return command(0x131, _rsa_key_under(OWNER, bits), sessions=True)


def create_rsa(parent, bits=RSA_SLOWEST):
    """A random key, which is not loaded."""
    return command(0x153, _rsa_key_under(parent, bits), sessions=True)


def _rsa_key_under(parent, bits):
    unique = os.urandom(32)
    sensitive = struct.pack(">HHH", 4, 0, 0)
    public = struct.pack(">HHIH HHHH HIH", 0x0001, 0x000B, 0x00030072, 0, 0x0006, 128, 0x0043, 0x0010, bits, 0, 32)
    public += unique
    area = struct.pack(">I", parent) + PASSWORD_SESSION + sensitive + struct.pack(">H", len(public)) + public
    return area + struct.pack(">HI", 0, 0)


def nv_define(index, size):
    """An index that the owner reads and writes."""
    public = struct.pack(">IHIHH", index, 0x000B, 0x00020002, 0, size)
    body = struct.pack(">I", OWNER) + PASSWORD_SESSION + struct.pack(">HH", 0, len(public)) + public
    return command(0x12A, body, sessions=True)


def nv_define_counter(index):
    """A counter that the owner increments and reads. It is not orderly: the TPM stores each increment."""
    public = struct.pack(">IHIHH", index, 0x000B, 0x00020012, 0, 8)
    body = struct.pack(">I", OWNER) + PASSWORD_SESSION + struct.pack(">HH", 0, len(public)) + public
    return command(0x12A, body, sessions=True)


def nv_increment(index):
    return command(0x134, struct.pack(">II", OWNER, index) + PASSWORD_SESSION, sessions=True)


def nv_write(index, data):
    body = struct.pack(">II", OWNER, index) + PASSWORD_SESSION
    return command(0x137, body + struct.pack(">H", len(data)) + data + struct.pack(">H", 0), sessions=True)


def nv_read(index, size):
    return command(0x14E, struct.pack(">II", OWNER, index) + PASSWORD_SESSION + struct.pack(">HH", size, 0), sessions=True)


def lockout_reset(password):
    """TPM2_DictionaryAttackLockReset."""
    session = struct.pack(">IHBH", 0x40000009, 0, 0, len(password)) + password
    return command(0x139, struct.pack(">II", 0x4000000A, len(session)) + session, sessions=True)


def nv_undefine(index):
    return command(0x122, struct.pack(">II", OWNER, index) + PASSWORD_SESSION, sessions=True)


def nv_read_public(index):
    return command(0x169, struct.pack(">I", index))


def read_public(handle):
    return command(0x173, struct.pack(">I", handle))


def start_policy_session():
    nonce = os.urandom(16)
    body = struct.pack(">IIH", NULL, NULL, len(nonce)) + nonce + struct.pack(">HBHH", 0, 1, 0x0010, 0x000B)
    return command(0x176, body)


def policy_command_code(session, code):
    return command(0x16C, struct.pack(">II", session, code))


def policy_auth_value(session):
    return command(0x16B, struct.pack(">I", session))


def policy_get_digest(session):
    return command(0x189, struct.pack(">I", session))


def pcr_extend(index, digest):
    body = struct.pack(">I", index) + PASSWORD_SESSION + struct.pack(">IH", 1, 0x000B) + digest
    return command(0x182, body, sessions=True)


def pcr_read(index):
    select = bytearray(3)
    select[index // 8] |= 1 << index % 8
    return command(0x17E, struct.pack(">IHB", 1, 0x000B, 3) + bytes(select))


def response_code(response):
    tag, size, code = struct.unpack(">HII", response[:10])
    assert size == len(response), f"a response of {len(response)} bytes says it has {size}"
    return code


def new_handle(response):
    """The handle in the successful response to a command that loaded an object."""
    assert response_code(response) == 0, response.hex()
    return struct.unpack(">I", response[10:14])[0]


def execute(file, request):
    """Sends on a blocking file; returns the response."""
    written = os.write(file, request)
    assert written == len(request), written
    return os.read(file, 4096)


def release_transients(file):
    """Flushes whatever objects are loaded, so that the next key finds a slot."""
    for handle in range(0x80000000, 0x80000003):
        execute(file, flush_context(handle))


def expect_errno(number, call, *arguments):
    try:
        result = call(*arguments)
    except OSError as error:
        assert error.errno == number, f"{errno.errorcode[error.errno]} instead of {errno.errorcode[number]}"
        return
    raise AssertionError(f"{result!r} instead of {errno.errorcode[number]}")

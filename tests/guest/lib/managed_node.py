"""managed_node.py NODE: what openers of a managed node can count on, seen through system calls."""

import errno
import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import termios

import tpm
from tpm import expect_errno

NODE = sys.argv[1]
MAX = 4096
TRANSIENT = 0x80000000
LOADED_SESSIONS = 0x02000000  # of whatever kind, as TPM_CAP_HANDLES has it
CC_GET_CAPABILITY = 0x17A
READABLE = select.POLLIN | select.POLLRDNORM
WRITABLE = select.POLLOUT | select.POLLWRNORM


def opened(flags=0):
    return os.open(NODE, os.O_RDWR | flags)


def load_key(file):
    """An ECC primary key: no time is spent on it."""
    public = struct.pack(">HHIHHHHHHHH", 0x0023, 0x000B, 0x00040072, 0, 0x0010, 0x0018, 0x000B, 0x0003, 0x0010, 0, 0)
    body = struct.pack(">I", tpm.OWNER) + tpm.PASSWORD_SESSION + struct.pack(">HHH", 4, 0, 0)
    body += struct.pack(">H", len(public)) + public + struct.pack(">HI", 0, 0)
    return tpm.new_handle(tpm.execute(file, tpm.command(0x131, body, sessions=True)))


def code_of(file, command):
    return tpm.response_code(tpm.execute(file, command))


def handles(file, first):
    response = tpm.execute(file, tpm.command(CC_GET_CAPABILITY, struct.pack(">III", 1, first, 254)))
    count = struct.unpack(">I", response[15:19])[0]
    return list(struct.unpack(f">{count}I", response[19 : 19 + 4 * count]))


def mask(file):
    poll = select.poll()
    poll.register(file, READABLE | WRITABLE)
    ready = poll.poll(0)
    return ready[0][1] if ready else 0


RULES = []


def rule(check):
    RULES.append(check)
    return check


@rule
def any_number_opens_beside_the_raw_node():
    raw = os.open(NODE.replace("rm", ""), os.O_RDWR)
    files = [opened() for _ in range(30)]
    for file in [raw, *files]:
        assert code_of(file, tpm.get_random(8)) == 0
        os.close(file)


@rule
def reading_only_is_denied():
    expect_errno(errno.EACCES, os.open, NODE, os.O_RDONLY)


@rule
def writes_and_reads_keep_the_raw_nodes_rules():
    file = opened()
    assert mask(file) == WRITABLE
    expect_errno(errno.EINVAL, os.write, file, bytes(5))
    expect_errno(errno.E2BIG, os.write, file, bytes(MAX + 1))
    expect_errno(errno.ENODATA, os.write, file, bytes(12))
    assert os.read(file, MAX) == b""
    os.write(file, tpm.get_random(8))
    assert mask(file) == READABLE
    expect_errno(errno.EBUSY, os.write, file, tpm.get_random(8))
    assert os.read(file, 10)[6:] == bytes(4)
    assert len(os.read(file, MAX)) == 10
    assert mask(file) == WRITABLE
    os.close(file)


@rule
def nonblocking_writers_are_woken_at_the_end():
    file = opened(os.O_NONBLOCK)
    os.write(file, tpm.create_primary_rsa())
    poll = select.poll()
    poll.register(file, READABLE)
    assert poll.poll(60_000), "nobody was woken"
    assert tpm.response_code(os.read(file, MAX)) == 0
    os.close(file)


@rule
def every_ioctl_is_refused():
    file = opened()
    expect_errno(errno.ENOTTY, fcntl.ioctl, file, termios.TCGETS, bytes(64))
    expect_errno(errno.ENOTTY, fcntl.ioctl, file, 0x80085000, bytes(8))  # GET_CAPABILITY
    expect_errno(errno.ENOTTY, fcntl.ioctl, file, 0x0000500D)  # STOP
    os.close(file)


@rule
def sixty_four_objects_fit_and_one_more_is_refused():
    file = opened()
    keys = [load_key(file) for _ in range(64)]
    assert keys == list(range(TRANSIENT, TRANSIENT + 64))
    assert handles(file, TRANSIENT) == keys
    for key in keys:
        assert code_of(file, tpm.read_public(key)) == 0
    assert code_of(file, tpm.create_primary_rsa(2048)) == 0x000B0902
    os.close(file)


@rule
def what_another_opener_has_cannot_be_named():
    owner, stranger = opened(), opened()
    keys = [load_key(owner) for _ in range(5)]
    session = tpm.new_handle(tpm.execute(owner, tpm.start_policy_session()))
    for handle in range(TRANSIENT, TRANSIENT + 70):
        assert code_of(stranger, tpm.read_public(handle)) == 0x000B0910
        expect_errno(errno.EINVAL, os.write, stranger, tpm.flush_context(handle))
    for kind in (0x02000000, 0x03000000):
        for index in range(64):
            assert code_of(stranger, tpm.flush_context(kind + index)) == 0x000B01CB
    assert handles(stranger, TRANSIENT) == [] and handles(stranger, LOADED_SESSIONS) == []
    assert handles(owner, TRANSIENT) == keys and handles(owner, LOADED_SESSIONS) == [session]
    os.close(owner)
    assert code_of(stranger, tpm.read_public(keys[0])) == 0x000B0910  # also right after the owner's end
    os.close(stranger)


@rule
def an_opener_that_is_killed_leaves_nothing():
    client = subprocess.Popen([sys.executable, __file__, NODE, "hold"], stdout=subprocess.PIPE)
    assert client.stdout.readline() == b"held\n"
    client.send_signal(signal.SIGKILL)
    client.wait()
    raw = os.open(NODE.replace("rm", ""), os.O_RDWR)
    assert handles(raw, TRANSIENT) == [] and handles(raw, LOADED_SESSIONS) == []
    os.close(raw)


def hold():
    file = opened()
    for _ in range(10):
        load_key(file)
    tpm.new_handle(tpm.execute(file, tpm.start_policy_session()))
    print("held", flush=True)
    signal.pause()


if len(sys.argv) > 2:
    hold()
failed = 0
for check in RULES:
    name = check.__name__.replace("_", " ")
    try:
        check()
        print(f"ok: {name}")
    except Exception as error:  # all rules are run
        failed += 1
        print(f"FAIL: {name}: {type(error).__name__} {error}")
sys.exit(1 if failed else 0)

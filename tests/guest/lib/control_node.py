"""control_node.py roles|alone|readers|inherited|many|execute NODE...: the control node, and control on the raw node."""

import errno
import os
import pwd
import struct
import sys
import threading

import control
import tpm

OPENERS = 100
THREADS = 8

# What each role may; the requests are chosen to change nothing.
FOR_ANYONE = {control.GET_CAPABILITY: b"", control.GET_CONFIG: b""}
FOR_CONTROL = {
    control.GET_STATUS: b"",
    control.SET_LOCALITY: b"\0\0\0\0",
    control.GET_STATEBLOB: control.u32(1, control.PERMANENT, 0),
    control.CANCEL_TPM_CMD: b"",
    control.LOCK_STORAGE: control.u32(0),
}
RANDOM_BY_EXECUTE = control.u32(0xFF, 12) + tpm.get_random(8)
RANDOM_BY_EXECUTE_IN_LOCALITY_1 = control.u32(1, 12) + tpm.get_random(8)


def as_user(name, what):
    """Runs `what` as that user, groups included, in a process of its own."""
    pid = os.fork()
    if pid == 0:
        try:
            user = pwd.getpwnam(name)
            os.initgroups(name, user.pw_gid)
            os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
            os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
            what()
        except BaseException as error:
            print(f"{name}: {error!r}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0, name


def is_permitted(file, number, fields):
    try:
        control.call(file, number, fields)
        return True
    except OSError as error:
        assert error.errno == errno.EPERM, error
        return False


def check_role(node, role):
    file = control.opened(node)
    for number, fields in FOR_ANYONE.items():
        assert is_permitted(file, number, fields), hex(number)
    for number, fields in FOR_CONTROL.items():
        assert is_permitted(file, number, fields) == (role == "control"), hex(number)
    assert is_permitted(file, control.EXECUTE, RANDOM_BY_EXECUTE) == (role != "anyone")
    if role != "anyone":
        chosen = control.result(file, control.EXECUTE, RANDOM_BY_EXECUTE_IN_LOCALITY_1)
        assert chosen == (control.SUCCESS if role == "control" else control.BAD_LOCALITY)
    os.close(file)


def roles(node, *pairs):
    for user, role in (pair.split("=") for pair in pairs):
        as_user(user, lambda role=role: check_role(node, role))


def readers(node, raw):
    file = os.open(node, os.O_RDONLY)
    for number, fields in {**FOR_ANYONE, control.GET_STATUS: b""}.items():  # who may control may look
        assert is_permitted(file, number, fields), hex(number)
    for number, fields in {**FOR_CONTROL, control.EXECUTE: RANDOM_BY_EXECUTE}.items():
        assert is_permitted(file, number, fields) == (number == control.GET_STATUS), hex(number)
    os.close(file)
    try:
        os.open(raw, os.O_RDONLY)
    except OSError as error:
        assert error.errno == errno.EACCES, error
        return
    raise AssertionError("the raw node opens for reading only")


def inherited(node):
    """Root's file in the hands of another user controls, as root did."""
    file = control.opened(node)
    as_user("stranger", lambda: control.Status(file))
    as_user("stranger", lambda: check_role(node, "anyone"))


def many(node, raw):
    holder = control.opened(raw)
    files = [control.opened(node) for _ in range(OPENERS)]
    for file in files:
        status = control.Status(file)
        assert status.flags & 4, "the raw node is in use"
    halves = [control.get_piece(file, control.VOLATILE, 0) for file in files[:10]]  # transfers do not meet
    for file, (code, total, piece) in zip(files, halves):
        assert code == control.SUCCESS
        rest = os.read(file, 65536)
        assert len(piece) + len(rest) == total
    for file in files:
        os.close(file)
    assert tpm.response_code(tpm.execute(holder, tpm.get_random(8))) == 0
    os.close(holder)


def execute(node, raw):
    holder = control.opened(raw)
    os.write(holder, tpm.get_random(32))
    commands_from_many_threads(node)
    refuse_what_is_no_command(node)
    assert len(os.read(holder, 4096)) == 10 + 2 + 32, "the response on the raw node waited"
    os.close(holder)


def commands_from_many_threads(node):
    """Each gets the response of its own command."""
    failures = []

    def run(count):
        file = control.opened(node)
        for _ in range(50):
            response = control.execute(file, tpm.get_random(count))
            if len(response) != 12 + count:
                failures.append(response)
        os.close(file)

    threads = [threading.Thread(target=run, args=(number + 1,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert not failures, failures


def refuse_what_is_no_command(node):
    file = control.opened(node)
    random = tpm.get_random(8)
    too_long = struct.pack(">HII", 0x8001, 5000, 0x17B)
    for length, data in (0, b""), (9, random), (11, random), (4097, random), (0xFFFFFFFF, random), (10, too_long):
        assert control.result(file, control.EXECUTE, control.u32(0xFF, length) + data) == control.BAD_PARAMETER
    for locality in (5, 0xFE, 0xFFFFFFFF):
        fields = control.u32(locality, len(random)) + random
        assert control.result(file, control.EXECUTE, fields) == control.BAD_LOCALITY
    os.close(file)


{"roles": roles, "alone": check_role, "readers": readers, "inherited": inherited, "many": many, "execute": execute}[sys.argv[1]](*sys.argv[2:])

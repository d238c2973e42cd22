"""managed_clients.py NODE CLIENTS ROUNDS [hoarder] [killed]: that many clients at once, each signing with its own key
under its own session, until there are ROUNDS signatures for each. No client sees an error; what each had of the TPM is
printed, and nobody has more than twice of what another has.

managed_clients.py NODE idle COMMANDS: a session that nobody uses while others send that many commands is good."""

import mmap
import os
import signal
import struct
import sys
import time

import tpm

NODE = sys.argv[1]
MOST_OBJECTS = 64
SESSION = 0x02000000
CC_CREATE_PRIMARY = 0x131
CC_START_AUTH_SESSION = 0x176
OWN_NO_ROOM = {0x000B0902, 0x000B0903}


def signing_key():
    """TPM2_CreatePrimary of an ECC P-256 key that signs; another one each time."""
    unique = os.urandom(32)
    public = struct.pack(">HHIHHHHHH", 0x0023, 0x000B, 0x00040472, 0, 0x0010, 0x0018, 0x000B, 0x0003, 0x0010)
    public += struct.pack(">H", len(unique)) + unique + struct.pack(">H", 0)
    body = struct.pack(">I", tpm.OWNER) + tpm.PASSWORD_SESSION + struct.pack(">HHH", 4, 0, 0)
    body += struct.pack(">H", len(public)) + public + struct.pack(">HI", 0, 0)
    return tpm.command(CC_CREATE_PRIMARY, body, sessions=True)


def hmac_session():
    """Bound to nothing, with an empty key: its HMACs are empty."""
    body = struct.pack(">IIH", tpm.NULL, tpm.NULL, 16) + os.urandom(16) + struct.pack(">HBHH", 0, 0, 0x0010, 0x000B)
    return tpm.command(CC_START_AUTH_SESSION, body)


def sign(key, session):
    area = struct.pack(">IHBH", session, 0, 1, 0)  # continueSession
    body = struct.pack(">II", key, len(area)) + area + struct.pack(">H", 32) + os.urandom(32)
    body += struct.pack(">HHHIH", 0x0018, 0x000B, 0x8024, tpm.NULL, 0)
    return tpm.command(tpm.CC_SIGN, body, sessions=True)


def until_it_is_taken(file, command):
    """The handle; a hoarder in the way is waited for."""
    while True:
        response = tpm.execute(file, command)
        if tpm.response_code(response) not in OWN_NO_ROOM:
            return tpm.new_handle(response)
        time.sleep(0.01)


class Shares:
    """Signatures of each client so far, in memory that all of them see."""

    def __init__(self, clients):
        self.clients = clients
        self.memory = mmap.mmap(-1, 8 * (clients + 1))

    def set(self, index, value):
        self.memory[8 * index : 8 * index + 8] = struct.pack("=Q", value)

    def all(self):
        return list(struct.unpack(f"={self.clients + 1}Q", self.memory[:]))

    def begin(self):
        self.set(self.clients, 1)

    def begun(self):
        return self.all()[self.clients] != 0

    def ready(self):
        return all(self.all()[: self.clients])

    def total(self):
        return sum(self.all()[: self.clients])


def client(index, shares, rounds):
    file = os.open(NODE, os.O_RDWR)
    key = tpm.new_handle(tpm.execute(file, signing_key()))
    session = tpm.new_handle(tpm.execute(file, hmac_session()))
    assert session >> 24 == SESSION >> 24
    done = 1
    shares.set(index, done)
    while not shares.begun():
        time.sleep(0.01)
    while shares.total() < rounds * shares.clients:
        code = tpm.response_code(tpm.execute(file, sign(key, session)))
        assert code == 0, f"client {index}: {code:#x} after {done}"
        done += 1
        shares.set(index, done)


def hoarder():
    """Takes all that one open may have, and goes on asking."""
    file = os.open(NODE, os.O_RDWR)
    taken = 0
    while True:
        for command in (signing_key(), hmac_session()):
            code = tpm.response_code(tpm.execute(file, command))
            taken += code == 0
            assert code in OWN_NO_ROOM or taken <= MOST_OBJECTS + 8, f"{taken} things for one open"


def victim():
    file = os.open(NODE, os.O_RDWR)
    while True:
        tpm.execute(file, signing_key())
        tpm.execute(file, hmac_session())


def started(function, *arguments):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            function(*arguments)
            code = 0
        except BaseException as error:
            print(f"{function.__name__}: {type(error).__name__} {error}", flush=True)
        finally:
            os._exit(code)
    return child


def kill(child):
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def run_clients(clients, rounds, beside):
    shares = Shares(clients)
    children = {started(client, index, shares, rounds) for index in range(clients)}
    others = [started(hoarder)] if "hoarder" in beside else []
    while not shares.ready() and os.waitpid(-1, os.WNOHANG)[0] == 0:
        time.sleep(0.05)
    shares.begin()
    killed = failed = 0
    while children:
        if "killed" in beside:
            child = started(victim)
            time.sleep(0.1)
            kill(child)
            killed += 1
        child, status = os.waitpid(-1, os.WNOHANG if "killed" in beside else 0)
        if child in others:
            sys.exit("the hoarder ended")
        children.discard(child)
        failed += child != 0 and status != 0
    for child in others:
        kill(child)
    counts = sorted(shares.all()[:clients])
    print(f"{clients} clients, {sum(counts)} signatures, {killed} clients killed beside: the least {counts[0]}, the most {counts[-1]}")
    print("signatures of each:", *counts)
    assert failed == 0, f"{failed} clients saw an error"
    assert counts[-1] <= 2 * counts[0], "one client had more than twice of another"


def run_idle(commands):
    idle = os.open(NODE, os.O_RDWR)
    session = tpm.new_handle(tpm.execute(idle, tpm.start_policy_session()))
    assert tpm.response_code(tpm.execute(idle, tpm.policy_command_code(session, tpm.CC_SIGN))) == 0
    before = tpm.execute(idle, tpm.policy_get_digest(session))
    others = [os.open(NODE, os.O_RDWR) for _ in range(4)]
    sessions = [tpm.new_handle(tpm.execute(file, tpm.start_policy_session())) for file in others]
    for sent in range(commands):
        which = sent % len(others)
        code = tpm.response_code(tpm.execute(others[which], tpm.policy_get_digest(sessions[which])))
        assert code == 0, f"{code:#x} after {sent} commands"
    assert tpm.execute(idle, tpm.policy_get_digest(session)) == before
    print(f"a session that was idle for {commands} commands is as it was")


if sys.argv[2] == "idle":
    run_idle(int(sys.argv[3]))
else:
    run_clients(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])

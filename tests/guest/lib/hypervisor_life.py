"""hypervisor_life.py separate|shared|taken-back|changed STATE: a TPM's life as a hypervisor steers it, and its move."""

import hashlib
import os
import struct
import sys
import threading

import control
import tpm
from control import PERMANENT, SAVESTATE, VOLATILE, Daemon

INDEX = 0x01500010
CONTENTS = b"written before the move"
STARTUP_CLEAR = bytes.fromhex("80010000000c000001440000")
OUTGOING = ("--migration", "release-lock-outgoing")


class Vm:
    """A hypervisor's view of one TPM: the raw node held, the locality set before every command."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.file = control.opened(daemon.node)

    def execute(self, request, locality=0):
        control.expect(self.file, control.SET_LOCALITY, bytes([locality, 0, 0, 0]))
        return tpm.execute(self.file, request)

    def must(self, request, locality=0):
        response = self.execute(request, locality)
        assert tpm.response_code(response) == 0, response.hex()
        return response

    def blobs(self):
        """What a hypervisor saves; there is no savestate blob, but it asks."""
        saved = {kind: control.get_blob(self.file, kind) for kind in (PERMANENT, VOLATILE)}
        assert control.get_piece(self.file, SAVESTATE, 0)[0] == control.RETRY
        return saved

    def close(self):
        os.close(self.file)


def live(vm):
    """Everything a running system leaves in its TPM. Returns what must be found again."""
    control.expect(vm.file, control.STOP)
    control.expect(vm.file, control.SET_BUFFERSIZE, control.u32(3968))
    assert control.init(vm.file) == control.SUCCESS
    vm.must(STARTUP_CLEAR)
    for count in range(5):
        vm.must(tpm.pcr_extend(16, hashlib.sha256(bytes([count])).digest()))
    vm.must(tpm.pcr_extend(20, bytes(32)), locality=2)
    vm.must(tpm.nv_define(INDEX, len(CONTENTS)))
    vm.must(tpm.nv_write(INDEX, CONTENTS))
    key = tpm.new_handle(vm.must(tpm.create_primary_rsa(2048)))
    session = tpm.new_handle(vm.must(tpm.start_policy_session()))
    vm.must(tpm.policy_command_code(session, tpm.CC_SIGN))
    return key, session, observe(vm, key, session)


def observe(vm, key, session):
    return [
        vm.must(tpm.pcr_read(16)),
        vm.must(tpm.pcr_read(20)),
        vm.must(tpm.nv_read(INDEX, len(CONTENTS))),
        vm.must(tpm.read_public(key)),
        vm.must(tpm.policy_get_digest(session)),
    ]


def load(vm, blobs):
    """Off, the blobs in their order, and on; stored volatile state is removed."""
    control.expect(vm.file, control.STOP)
    for kind in (PERMANENT, VOLATILE):
        assert control.set_blob(vm.file, kind, blobs[kind]) == control.SUCCESS
    assert control.set_blob(vm.file, SAVESTATE, b"") == control.SUCCESS
    assert control.init(vm.file, flags=1) == control.SUCCESS


def check_goes_on(vm, key, session, seen):
    assert tpm.response_code(vm.execute(STARTUP_CLEAR)) == 0x100, "it is started already"
    assert observe(vm, key, session) == seen
    vm.must(tpm.policy_auth_value(session))
    vm.must(tpm.nv_write(INDEX, b"written behind the move"))
    vm.must(tpm.flush_context(session))
    vm.must(tpm.flush_context(key))


def files(directory):
    """What a write of state would change: name, inode, time, contents. The lock says who holds it: not compared."""
    listed = {}
    for entry in (entry for entry in os.scandir(directory) if entry.name != ".lock"):
        with open(entry.path, "rb") as file:
            listed[entry.name] = (entry.inode(), entry.stat().st_mtime_ns, file.read())
    assert "tpm2-00.permall" in listed, listed.keys()
    return listed


def separate(state):
    with Daemon(state + ".source") as source, Daemon(state + ".target", "--power", "off", name="vtpm1") as target:
        there, here = Vm(source), Vm(target)
        key, session, seen = live(there)
        before = files(source.state)
        blobs = there.blobs()
        assert files(source.state) == before, "handing out the blobs changed the source's storage"
        assert observe(there, key, session) == seen, "handing out the blobs changed the source"
        assert control.set_blob(here.file, VOLATILE, blobs[VOLATILE]) == control.RETRY, "volatile came first"
        load(here, blobs)
        check_goes_on(here, key, session, seen)
    print("key, session, PCRs and NV go on")


def refused_now(vm):
    """What a command gets while the storage is in other hands: TPM_RC_RETRY."""
    return tpm.response_code(vm.execute(tpm.get_random(4))) == 0x922


def hand_over(source):
    """A life at the source until its storage is released with the last blob."""
    vm = Vm(source)
    key, session, seen = live(vm)
    for kind in (PERMANENT, VOLATILE):
        control.get_blob(vm.file, kind)
    assert control.Status(vm.file).flags & control.STATUS_STORAGE_LOCKED, "released before the last blob"
    assert control.get_piece(vm.file, SAVESTATE, 0)[0] == control.RETRY
    assert not control.Status(vm.file).flags & control.STATUS_STORAGE_LOCKED
    return vm, key, session, seen


def shared(state):
    target = Daemon(state, "--power", "off", "--migration", "incoming,release-lock-outgoing", name="vtpm1")
    waiting = Daemon(state, "--power", "off", *OUTGOING)
    with waiting, target:  # the target is up before the source has let go
        vm, here = Vm(waiting), Vm(target)
        key, session, seen = live(vm)
        blobs = {kind: control.get_blob(vm.file, kind) for kind in (PERMANENT, VOLATILE)}
        for kind in (PERMANENT, VOLATILE):
            assert control.set_blob(here.file, kind, blobs[kind]) == control.SUCCESS
        started = []
        starter = threading.Thread(target=lambda: started.append(control.init(here.file, flags=1)))
        starter.start()
        other = control.opened(target.control)
        assert control.Status(other).phase == control.OFF, "the target waits, and answers meanwhile"
        assert not started
        assert control.get_piece(vm.file, SAVESTATE, 0)[0] == control.RETRY
        starter.join(20)
        assert started == [control.SUCCESS], started
        before = files(state)
        end_source(vm, waiting)
        assert files(state) == before, "the source wrote after the hand-over"
        check_goes_on(here, key, session, seen)
    print("the source wrote nothing")


def end_source(vm, source):
    """Everything that makes a TPM write, and would."""
    assert refused_now(vm)
    assert control.result(vm.file, control.STORE_VOLATILE) != control.SUCCESS
    assert control.result(vm.file, control.HASH_START) != control.SUCCESS
    assert control.result(vm.file, control.STOP) == control.SUCCESS
    assert control.result(vm.file, control.SHUTDOWN) == control.SUCCESS
    vm.close()
    source.wait_until_gone()


def taken_back(state):
    with Daemon(state, "--power", "off", *OUTGOING) as source:
        vm, key, session, seen = hand_over(source)
        assert refused_now(vm)
        assert control.result(vm.file, control.LOCK_STORAGE, control.u32(10)) == control.SUCCESS
        assert observe(vm, key, session) == seen
        vm.must(tpm.nv_write(INDEX, b"written by the source!!"))
    print("the source goes on")


def changed(state):
    with Daemon(state, "--power", "off", *OUTGOING) as source:
        vm, *_ = hand_over(source)
        with Daemon(state, name="vtpm1") as other:
            elsewhere = Vm(other)
            elsewhere.must(tpm.nv_write(INDEX, b"written by another one."))
            elsewhere.close()
            other.stop()
        before = files(state)
        assert control.result(vm.file, control.LOCK_STORAGE, control.u32(10)) != control.SUCCESS
        status = control.Status(vm.file)
        assert status.phase == control.FAILED and "changed" in status.reason, status.reason
        assert tpm.response_code(vm.execute(tpm.get_random(4))) == 0x101
        assert files(state) == before, "the source wrote over somebody else's state"
        assert control.init(vm.file) == control.SUCCESS
        vm.must(STARTUP_CLEAR)
        assert b"written by another one." in vm.must(tpm.nv_read(INDEX, len(CONTENTS)))
    print("the source has failed, and began anew from what is stored")


{"separate": separate, "shared": shared, "taken-back": taken_back, "changed": changed}[sys.argv[1]](sys.argv[2])

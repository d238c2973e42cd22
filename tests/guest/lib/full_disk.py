"""full_disk.py STATE MOUNT: a TPM whose state is on a file system, at MOUNT, that is filled to the brim and freed."""

import errno
import json
import os
import signal
import subprocess
import sys

import control
import tpm
from counter import INDEX, Counter

NODE, CONTROL = "/dev/vtpm0", "/dev/vtpmctl0"
KEPT, LARGE = INDEX + 1, INDEX + 2
DATA = b"kept"
NV_UNAVAILABLE, INITIALIZE, AUTH_FAIL, LOCKOUT = 0x923, 0x100, 0x98E, 0x921


class Disk:
    def __init__(self, mount):
        self.mount = mount
        self.filler = os.path.join(mount, "filler")

    def fill(self):
        with open(self.filler, "wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError as error:
                    assert error.errno == errno.ENOSPC, error
            os.fsync(file.fileno())
        assert os.statvfs(self.mount).f_bavail == 0, "the disk is not full"

    def free(self):
        os.unlink(self.filler)
        os.sync()


class Tpm:
    """A daemon and what it acknowledged."""

    def __init__(self, state):
        self.pid_file = os.path.join(os.environ["TMPDIR"], "full_disk.pid")
        self.command = ["vtpmd", "--device", "vtpm0", "--state", state, "--daemon", "--pid-file", self.pid_file]
        self.acknowledged = None
        self.start()

    def start(self):
        subprocess.run(self.command, check=True, timeout=60)
        self.counter = Counter(NODE)

    def kill(self):
        self.counter.close()
        with open(self.pid_file, encoding="ascii") as file:
            os.kill(int(file.read()), signal.SIGKILL)
        control.wait_until(lambda: not os.path.exists(NODE), "the node goes")

    def prepare(self):
        self.acknowledged = self.counter.begin()
        self.counter.call(tpm.nv_define(KEPT, len(DATA)))
        self.counter.call(tpm.nv_write(KEPT, DATA))

    def code(self, request):
        return tpm.response_code(tpm.execute(self.counter.file, request))

    def increment(self):
        """The response code of one; if it is none of a full disk, the increment counts."""
        code = self.code(tpm.nv_increment(INDEX))
        assert code in (0, NV_UNAVAILABLE), f"an increment: response code {code:#x}"
        self.acknowledged += code == 0
        return code

    def expect_all_there(self):
        assert self.counter.value() == self.acknowledged, (self.counter.value(), self.acknowledged)
        assert self.counter.call(tpm.nv_read(KEPT, len(DATA)))[16:20] == DATA
        self.counter.call(tpm.get_random(8))


def storage_fails():
    """Whether status says so, now."""
    status = subprocess.run(["vtpmctl", "status", "vtpm0", "--json"], check=True, timeout=60, stdout=subprocess.PIPE).stdout
    status = json.loads(status)
    assert status["storage_failure"] or not status["storage_fails"], status
    return status["storage_fails"]


def refused_while_full(device, needs_space):
    """Which of the commands that change the state were refused for want of space; the others were done."""
    refused = sum(device.increment() == NV_UNAVAILABLE for _ in range(5))
    code = device.code(tpm.nv_define(LARGE, 2000))
    assert code in (0, NV_UNAVAILABLE), f"defining an index: response code {code:#x}"
    refused += code == NV_UNAVAILABLE
    if code == 0:
        device.counter.call(tpm.nv_undefine(LARGE))
    assert refused >= (6 if needs_space else 1), f"only {refused} of 6 commands were refused"
    device.expect_all_there()
    return refused


def full_while_running(device, disk, needs_space):
    for kill_while_full in (False, True):
        assert not storage_fails()
        disk.fill()
        print("full:", refused_while_full(device, needs_space), "of 6 commands refused, reading goes on")
        if kill_while_full:
            device.kill()
            disk.free()
            device.start()
        else:
            disk.free()
            assert device.increment() == 0, "refused although there is space"
            assert not storage_fails()
            device.kill()
            device.start()
        device.expect_all_there()
        assert device.increment() == 0
    print("freed: writes are accepted again, and nothing is lost by SIGKILL")


def counted_while_full(device, disk, state):
    """A wrong lockoutAuth disables it: counted in memory, stored in the background once there is room."""
    stored = os.path.join(state.removeprefix("dir:"), "tpm2-00.permall")
    disk.fill()
    before = os.stat(stored).st_mtime_ns
    assert not storage_fails(), "nothing was tried yet"
    file = control.opened(CONTROL)
    assert control.result(file, control.STORE_VOLATILE) != control.SUCCESS
    os.close(file)
    assert storage_fails(), "a volatile state that was not stored"
    assert device.code(tpm.lockout_reset(b"wrong")) == AUTH_FAIL
    assert storage_fails()
    assert device.code(tpm.lockout_reset(b"")) == LOCKOUT, "the wrong one was not counted"
    assert os.stat(stored).st_mtime_ns == before, "the disk is not full"
    disk.free()
    control.wait_until(lambda: os.stat(stored).st_mtime_ns != before, "the count is stored")
    control.wait_until(lambda: not storage_fails(), "status tells that it was stored")
    device.kill()
    device.start()
    assert device.code(tpm.lockout_reset(b"")) == LOCKOUT, "SIGKILL took the count back"
    print("a wrong authorisation was counted, and stored without a command once there was room")


def full_at_start(device, disk):
    device.kill()
    disk.fill()
    device.start()
    code = device.code(tpm.get_random(8))
    assert code in (0, INITIALIZE), f"response code {code:#x}"
    print(f"started on a full disk: response code {code:#x}")
    disk.free()
    if code == INITIALIZE:
        code = device.code(tpm.startup())
        assert code in (0, INITIALIZE), f"Startup: response code {code:#x}"  # INITIALIZE: it has made up for it itself
    device.expect_all_there()
    assert device.increment() == 0
    device.kill()
    device.start()
    device.expect_all_there()


def main():
    state, mount = sys.argv[1:]
    device, disk = Tpm(state), Disk(mount)
    device.prepare()
    full_while_running(device, disk, state.startswith("dir:"))
    full_at_start(device, disk)
    if state.startswith("dir:"):
        counted_while_full(device, disk, state)
    device.kill()


main()

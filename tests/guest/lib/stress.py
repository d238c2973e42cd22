"""stress.py SECONDS: everything at once on /dev/vtpm0 and nothing that follows from it but the documented.

Prints how much was done; exits non-zero when a caller hangs, an errno is not a documented one, or a response is not the
one of its command.
"""
import errno
import fcntl
import os
import random
import select
import signal
import struct
import sys
import threading
import time

NODE = "/dev/vtpm0"
GET_CAPABILITY = 0x80085000
DOCUMENTED = {errno.EBUSY, errno.EINVAL, errno.E2BIG, errno.ENODATA, errno.ENOTTY}
counts = {"commands": 0, "refusals": 0, "kills": 0}
end = time.monotonic() + float(sys.argv[1])


def get_random(count):
    return struct.pack(">HIIH", 0x8001, 12, 0x17B, count)


def refused(error):
    assert error.errno in DOCUMENTED, error
    counts["refusals"] += 1


def one_call(fd, rng):
    """Any call with any arguments; another thread may be in the middle of its own."""
    what = rng.randrange(6)
    if what < 2:
        os.write(fd, get_random(rng.randrange(1, 33)))
        counts["commands"] += 1
    elif what < 4:
        os.read(fd, rng.choice([10, 4096]))
    elif what == 4:
        os.write(fd, rng.randbytes(rng.choice([1, 6, 10, 40, 4096, 5000])))
    else:
        select.select([fd], [fd], [], 0.01)
        fcntl.ioctl(fd, GET_CAPABILITY, bytearray(8))


def threads_on_one_file():
    fd = os.open(NODE, os.O_RDWR)
    stop = time.monotonic() + 2

    def run(seed):
        rng = random.Random(seed)
        while time.monotonic() < stop:
            fcntl.fcntl(fd, fcntl.F_SETFL, rng.choice([os.O_RDWR, os.O_RDWR | os.O_NONBLOCK]))
            try:
                one_call(fd, rng)
            except OSError as error:
                refused(error)

    threads = [threading.Thread(target=run, args=(seed,), daemon=True) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "a thread hangs"
    os.close(fd)


def child(seed):
    rng = random.Random(seed)
    while True:
        try:
            fd = os.open(NODE, os.O_RDWR | rng.choice([0, os.O_NONBLOCK]))
        except OSError as error:
            assert error.errno == errno.EBUSY, error
            continue
        for _ in range(rng.randrange(4)):
            try:
                one_call(fd, rng)
            except OSError as error:
                assert error.errno in DOCUMENTED, error
        os.close(fd)


def processes_that_are_killed():
    """Openers that race each other and are killed wherever they happen to be."""
    children = []
    for seed in range(6):
        pid = os.fork()
        if pid == 0:
            try:
                child(seed)
            except BaseException as error:
                print(error, file=sys.stderr, flush=True)
                os._exit(9)
        children.append(pid)
    for pid in children:
        time.sleep(random.random() * 0.3)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status), "a child ended by itself: %x" % status
        counts["kills"] += 1


def one_user():
    """After all that: a file of one's own, and each response belongs to its command."""
    fd = os.open(NODE, os.O_RDWR)
    for count in range(1, 33):
        os.write(fd, get_random(count))
        assert len(os.read(fd, 4096)) == 12 + count
    os.close(fd)


signal.alarm(int(float(sys.argv[1])) + 60)  # somebody hangs
while time.monotonic() < end:
    threads_on_one_file()
    processes_that_are_killed()
    one_user()
print("stress:", *(f"{name} {count}" for name, count in counts.items()))
assert counts["commands"] > 100 and counts["refusals"] > 100 and counts["kills"] > 5

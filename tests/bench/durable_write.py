"""durable_write.py ROUNDS WRITES FILE NAME=NODE=PID...: what an increment of an NV counter costs, next to a bare write.

FILE is for the bare pwrite and fdatasync, of as many bytes as the TPM's state has. NODE is a character device or a
socket, PID its daemon. Each round lets each of them do WRITES in turn; each ratio is one of the same round.
"""

import os
import socket
import stat
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../guest/lib"))
from counter import INDEX, Counter  # noqa: E402
import tpm  # noqa: E402

BYTES = 1400  # of a TPM's permanent state with one NV index, in libtpms 0.9
COUNTED = 20  # writes under strace
SYNCS = ("fdatasync", "fsync")


class Bare:
    name = "bare pwrite + fdatasync"

    def __init__(self, path):
        self.file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self.pid = os.getpid()
        self.written = 0
        self.write()

    def write(self):
        self.written += 1
        os.pwrite(self.file, bytes([self.written % 256]) * BYTES, 0)
        os.fdatasync(self.file)

    def read(self):
        os.pread(self.file, BYTES, 0)


class Tpm(Counter):
    def __init__(self, description):
        self.name, node, pid = description.split("=")
        self.pid = int(pid)
        if stat.S_ISSOCK(os.stat(node).st_mode):
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.connect(node)
            self.file = self.socket.fileno()
        else:
            super().__init__(node)
        self.begin()

    def write(self):
        self.increment()

    def read(self):
        self.call(tpm.nv_read(INDEX, 8))


def microseconds(call, times):
    begin = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - begin) / times * 1e6


def count_syncs(target):
    """Of each kind, for one write."""
    command = ["strace", "-f", "-e", "trace=" + ",".join(SYNCS), "-p", str(target.pid)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as tracer:
        while "attached" not in tracer.stderr.readline():
            assert tracer.poll() is None, "strace cannot attach"
        for _ in range(COUNTED):
            target.write()
        tracer.terminate()
        traced = tracer.stderr.read()
    return [sum(f" {name}(" in " " + line for line in traced.splitlines()) / COUNTED for name in SYNCS]


def main():
    rounds, writes = int(sys.argv[1]), int(sys.argv[2])
    targets = [Bare(sys.argv[3])] + [Tpm(description) for description in sys.argv[4:]]
    written = {target.name: [] for target in targets}
    read = {target.name: [] for target in targets}
    for number in range(rounds):
        for turn in range(len(targets)):
            target = targets[(number + turn) % len(targets)]
            written[target.name].append(microseconds(target.write, writes))
            read[target.name].append(microseconds(target.read, writes))
    print(f"medians of {rounds} rounds of {writes} writes each, and of as many reads\n")
    print(f"{'':26}{'us/write':>9}{'quartiles':>14}{'to bare':>9}{'us/read':>9}{'fdatasync':>11}{'fsync':>7}")
    for target in targets:
        times = written[target.name]
        low, middle, high = statistics.quantiles(times, n=4)
        ratio = statistics.median(one / bare for one, bare in zip(times, written[targets[0].name]))
        syncs = count_syncs(target)
        print(
            f"{target.name:26}{middle:9.0f}{f'{low:.0f}-{high:.0f}':>14}{ratio:9.2f}{statistics.median(read[target.name]):9.0f}"
            f"{syncs[0]:11.4g}{syncs[1]:7.4g}{'   not durable' if sum(syncs) == 0 else ''}"
        )


main()

"""write_order.py record MAPPED COUNT      increments the counter of /dev/vtpm0 and marks each in the log of MAPPED
write_order.py replay LOG IMAGE PLACE STATE
                                        what IMAGE becomes with the recorded writes, one after another, is mounted on
                                        PLACE at many points, and the TPM in STATE looked at

At each point the counter must be at the last value marked before it or one above. Prints "lost" and exits 3 if it is not.
"""

import os
import shutil
import signal
import subprocess
import sys

import control
import write_log
from counter import FAILED, Counter

NODE = "/dev/vtpm0"
MOST_BOUNDARIES = 200  # looked at, spread evenly if there are more; a look takes 0.4 s
MOST_WRITES = 60
LOST = 3
TPM_FAILED = 3  # of vtpmd --daemon: the node is there, and its TPM cannot be used


def run(*command):
    return subprocess.run(command, check=True, timeout=60, stdout=subprocess.PIPE, text=True).stdout


def record(mapped, count):
    counter = Counter(NODE)
    value = counter.begin()
    for number in range(count + 1):
        if number:
            counter.increment()
            value += 1
        run("dmsetup", "message", mapped, "0", "mark", str(value))
    counter.close()


def spread(points, most):
    """At most that many of them, from the first to the last."""
    if len(points) <= most:
        return points
    return [points[number * (len(points) - 1) // (most - 1)] for number in range(most)]


def choose(entries):
    """The points to look at, by number of the last entry applied, and what they are."""
    kinds = {"marks": [], "flushes": [], "writes": []}
    for number, entry in enumerate(entries):
        kinds["marks" if entry.is_mark() else "flushes" if entry.is_boundary() else "writes"].append(number)
    chosen = {
        "marks": kinds["marks"],
        "flushes": spread(kinds["flushes"], MOST_BOUNDARIES),
        "writes": spread(kinds["writes"], MOST_WRITES),
    }
    print("looking at:", ", ".join(f"{len(chosen[kind])} of {len(kinds[kind])} {kind}" for kind in kinds))
    return sorted(set().union(*chosen.values()))


class Look:
    """The counter of the TPM on a copy of the image; None if it has none."""

    def __init__(self, image, place, state):
        self.copy, self.place = image + ".copy", place
        self.pid_file = image + ".pid"
        self.command = ["vtpmd", "--device", "vtpm0", "--state", state, "--daemon", "--pid-file", self.pid_file]
        shutil.copyfile(image, self.copy)

    def __enter__(self):
        run("mount", "-o", "loop", self.copy, self.place)
        started = subprocess.run(self.command, timeout=60)
        assert started.returncode in (0, TPM_FAILED), f"vtpmd ended with {started.returncode}"
        counter = Counter(NODE)
        try:
            return counter.value_or_failed()
        finally:
            counter.close()

    def __exit__(self, *_):
        with open(self.pid_file, encoding="ascii") as file:
            os.kill(int(file.read()), signal.SIGKILL)
        control.wait_until(lambda: not os.path.exists(NODE), "the node goes")
        run("umount", self.place)


def replay(log, image, place, state):
    entries = write_log.read_log(log)
    applied = marked = 0
    for point in choose(entries):
        with open(image, "r+b") as file:
            for entry in entries[applied : point + 1]:
                entry.apply_to(file)
                if entry.is_mark() and entry.data.isdigit():  # the kernel sets one of its own at the end
                    marked = int(entry.data)
        applied = point + 1
        with Look(image, place, state) as value:
            if value == FAILED:
                print(f"lost: after entry {point} of {len(entries)} the state is damaged, {marked} was acknowledged")
                sys.exit(LOST)
            # Before the first mark there may be a counter that was not incremented yet, or no TPM at all.
            if marked and (value is None or value < marked):
                print(f"lost: after entry {point} of {len(entries)}, {marked} was acknowledged, the counter is at {value}")
                sys.exit(LOST)
            assert not marked or value <= marked + 1, f"after entry {point}: {value} with {marked} acknowledged"
    assert marked, "there were no marks"
    print(f"after each, all that was acknowledged is there; {marked} in the end")


def main():
    if sys.argv[1] == "record":
        record(sys.argv[2], int(sys.argv[3]))
    else:
        replay(*sys.argv[2:])


main()

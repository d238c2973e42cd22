"""power_cuts.py CYCLES SEED LABEL:STORE:SYNC:DISK...: guests that count on TPMs and are killed at random moments, until
each TPM was found CYCLES times.

Runs on the host. Each guest has the disks as the one before it left them, and tells each increment that was acknowledged.
A counter that is found lower than that has LOST increments: with SYNC full this must never be, with none it must happen.
"""

import os
import random
import subprocess
import sys
import threading
import time

import control
from counter import expect_between

MOST = 12  # guests for each cycle that is wanted: a cut may come before a store's TPM is there
LONGEST = 0.8, 0.7  # seconds from the first disk mounted to the power cut, at most; and for each TPM that starts


class Store:
    def __init__(self, description):
        self.label, self.kind, self.sync, self.disk = description.split(":")
        self.last = None  # the last value that the host knows of
        self.found = False  # in this cycle
        self.increments = self.checked = self.in_flight = self.lost = 0

    def hear(self, what, value):
        if what == "found":
            self.check(value)
        self.increments += what == "acknowledged"
        self.last = value

    def hear_unusable(self):
        assert self.sync == "none", f"{self.label}: LOST the whole state"
        self.lost += 1
        self.last = None

    def check(self, value):
        self.found = True
        if self.last is None:
            return
        self.checked += 1
        if self.sync == "none" and value < self.last:
            self.lost += 1
            return
        expect_between(value, self.last, self.last + 1)
        self.in_flight += value - self.last

    def report(self):
        print(f"{self.label}: found {self.checked} times, {self.increments} increments acknowledged,", end=" ")
        print(f"lost {self.lost} times, the one in flight was there {self.in_flight} times")

    def judge(self, cycles):
        assert self.increments > self.checked >= cycles, f"{self.label}: too few increments or cuts to show anything"
        if self.sync == "none":
            assert self.lost, f"{self.label}: nothing was lost without syncing, so this test cannot fail"


class Guest:
    """One guest, from its start to the power cut."""

    def __init__(self, stores):
        self.stores = {store.label: store for store in stores}
        self.output = []
        command = ["tests/guest/vm"]
        for store in stores:
            command += ["--disk", store.disk]
        command += ["tests/guest/lib/power_cuts_guest.sh"]
        for store in stores:
            store.found = False
            command += [store.label, store.kind, store.sync]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def live(self, seconds):
        """Until that long after the first disk was mounted; with None, until every counter was found.

        The end of its output is the end of every process that could still write to a disk.
        """
        cut = None
        for line in self.process.stdout:
            if not line.endswith("\n"):
                break  # cut in the middle: as good as not said
            self.output.append(line)
            assert "refused the system call" not in line, line
            if cut is None and line.endswith(" mounted\n") and seconds is not None:
                cut = threading.Timer(seconds, self.process.kill)
                cut.start()
            self.hear(line.split())
            if seconds is None and all(store.found for store in self.stores.values()):
                self.process.kill()
                seconds = 0
        code = self.process.wait()
        assert code == -9, f"the guest ended by itself, exit code {code}:\n{''.join(self.output[-20:])}"
        if cut:
            cut.join()

    def hear(self, words):
        if len(words) == 3 and words[1] in ("found", "acknowledged"):
            self.stores[words[0]].hear(words[1], int(words[2]))
        elif words[1:] == ["unusable"]:
            self.stores[words[0]].hear_unusable()


def main():
    cycles, seed = int(sys.argv[1]), sys.argv[2]
    stores = [Store(description) for description in sys.argv[3:]]
    chance = random.Random(seed)
    longest = LONGEST[0] + LONGEST[1] * len(stores)
    begin = time.monotonic()
    cuts, last = 0, False
    while not last:
        last = cuts == MOST * cycles or all(store.checked >= cycles for store in stores)
        first = cuts % len(stores)  # each is sometimes the one that has the most time
        try:
            Guest(stores[first:] + stores[:first]).live(None if last else chance.uniform(0, longest))
        except AssertionError as error:
            raise AssertionError(f"cut {cuts}, seed {seed}: {error}") from error
        cuts += not last
    control.wait_until(lambda: not os.listdir(os.environ["TMPDIR"]), "the rigs are removed")
    print(f"{cuts} power cuts in {time.monotonic() - begin:.0f} s")
    for store in stores:
        store.report()
    for store in stores:
        store.judge(cycles)


main()

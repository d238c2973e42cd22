"""sigkill_cycles.py STATE CYCLES SEED: SIGKILL for vtpmd at random moments, over and over, with one state.

Most cycles count as fast as they can until the daemon is killed; each eighth kills it while it starts. In each cycle the
counter must be at what was acknowledged, or one above: the increment that was in flight.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import control
from counter import Counter, expect_between

NODE = "/dev/vtpm0"
STARTING = 0.1  # seconds that a start takes, about
COUNTING = 0.08  # seconds at most until the daemon is killed; an increment takes a millisecond or two


class Cycles:
    def __init__(self, state, seed):
        self.pid_file = os.path.join(os.environ["TMPDIR"], "sigkill.pid")
        self.command = ["vtpmd", "--device", "vtpm0", "--state", state]
        self.random = random.Random(seed)
        self.acknowledged = 0
        self.in_flight = 0  # how often the increment in flight had become durable

    def start(self):
        subprocess.run(self.command + ["--daemon", "--pid-file", self.pid_file], check=True, timeout=60)
        with open(self.pid_file, encoding="ascii") as file:
            return int(file.read())

    def kill_starting(self):
        """Without --daemon, so that there is somebody to kill from the first moment on."""
        daemon = subprocess.Popen(self.command, stderr=subprocess.DEVNULL)
        time.sleep(self.random.uniform(0, STARTING))
        daemon.kill()
        daemon.wait()
        self.wait_until_gone()

    def check(self, counter):
        value = counter.begin() if not self.acknowledged else counter.value()
        if self.acknowledged:
            expect_between(value, self.acknowledged, self.acknowledged + 1)
            self.in_flight += value - self.acknowledged
        self.acknowledged = value

    def count_until_killed(self):
        daemon = self.start()
        counter = Counter(NODE)
        self.check(counter)

        def acknowledge(value):
            self.acknowledged = value

        timer = threading.Timer(self.random.uniform(0, COUNTING), os.kill, (daemon, signal.SIGKILL))
        timer.start()
        counter.run(acknowledge)
        timer.join()
        counter.close()
        self.wait_until_gone()

    def wait_until_gone(self):
        control.wait_until(lambda: not os.path.exists(NODE), "the node goes")

    def end_in_order(self):
        daemon = self.start()
        counter = Counter(NODE)
        self.check(counter)
        counter.close()
        os.kill(daemon, signal.SIGTERM)
        self.wait_until_gone()


def main():
    state, cycles, seed = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    test = Cycles(state, seed)
    for cycle in range(cycles):
        try:
            if cycle % 8 == 7:
                test.kill_starting()
            else:
                test.count_until_killed()
        except (AssertionError, subprocess.SubprocessError) as error:
            raise AssertionError(f"cycle {cycle}, seed {seed}: {error}") from error
    test.end_in_order()
    print(f"{cycles} kills, {test.acknowledged} increments acknowledged and none lost;", end=" ")
    print(f"the one in flight was there {test.in_flight} times")
    assert test.acknowledged > cycles, "too few increments to show anything"


main()

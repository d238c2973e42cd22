"""killed_client.py NODE blocking|non-blocking: kills clients that wait for an RSA key; the device must serve the next.

A round counts when the client was killed before its command had ended. Ten rounds must count.
"""

import os
import select
import signal
import sys
import time

import tpm

ROUNDS = 10
SECONDS_TO_DIE = 30  # a client in an unanswered request cannot die before it is answered


def client(node, flags, report):
    file = os.open(node, os.O_RDWR | flags)
    os.write(report, b"s")
    os.write(file, tpm.create_primary_rsa())
    waiting = select.poll()
    waiting.register(file, select.POLLIN)
    waiting.poll()
    os.write(report, b"d")
    time.sleep(100)


def wait_until_dead(pid):
    end = time.monotonic() + SECONDS_TO_DIE
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        assert time.monotonic() < end, "the killed client does not die"
        time.sleep(0.01)


def round_counts(node, flags, delay):
    report_out, report_in = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            client(node, flags, report_in)
        finally:
            os._exit(1)
    os.close(report_in)
    assert os.read(report_out, 1) == b"s", "the client could not open the device"
    time.sleep(delay)
    os.kill(pid, signal.SIGKILL)
    wait_until_dead(pid)
    finished = os.read(report_out, 1) == b"d"
    os.close(report_out)

    file = os.open(node, os.O_RDWR)  # at once: the killed client has gone, so the device is free
    assert os.read(file, 10) == b"", "the killed client's response is given to another"
    response = tpm.execute(file, tpm.get_random(8))
    assert tpm.response_code(response) == 0 and len(response) == 20, response.hex()
    tpm.release_transients(file)
    os.close(file)
    return not finished


def main():
    node = sys.argv[1]
    flags = {"blocking": 0, "non-blocking": os.O_NONBLOCK}[sys.argv[2]]
    counted = 0
    for attempt in range(ROUNDS * 5):
        counted += round_counts(node, flags, 0.002 * (attempt % 10))
        if counted == ROUNDS:
            break
    assert counted == ROUNDS, f"only {counted} clients were killed before their key was there"
    print(f"{counted} clients killed while the TPM made their key, in {attempt + 1} rounds")


main()

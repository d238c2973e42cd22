"""killed_daemon.py STATE: SIGKILL for vtpmd while three processes that share one open file write, read and poll.

A round counts when the key was still being made as the daemon was killed. Three rounds must count.
"""

import errno
import os
import select
import signal
import subprocess
import sys
import time

import tpm

NODE = "/dev/vtpm0"
ROUNDS = 3
SECONDS = 20  # after the daemon's death, everything must have returned by then


def outcome(call):
    try:
        return call()
    except OSError as error:
        return errno.errorcode[error.errno]


def poll(file, events, milliseconds):
    waiting = select.poll()
    waiting.register(file, events)
    ready = waiting.poll(milliseconds)
    return ready[0][1] if ready else 0


def in_child(call):
    """Begins the call in a child; returns the pipe on which its outcome arrives."""
    out, into = os.pipe()
    if os.fork() == 0:
        os.write(into, b"!")
        os.write(into, str(outcome(call)).encode())
        os._exit(0)
    os.close(into)
    assert os.read(out, 1) == b"!"
    return out


def result(pipe, what):
    waiting = select.poll()
    waiting.register(pipe, select.POLLIN)
    assert waiting.poll(SECONDS * 1000), f"the {what} still hangs {SECONDS} s after the daemon was killed"
    text = os.read(pipe, 100).decode()
    os.close(pipe)
    os.wait()
    return text


def start_daemon(state):
    pid_file = state + ".pid"
    subprocess.run(
        ["vtpmd", "--device", "vtpm0", "--state", "dir:" + state, "--daemon", "--pid-file", pid_file],
        check=True,
        timeout=60,
    )
    return int(open(pid_file).read())


def round_counts(state, attempt):
    daemon = start_daemon(state)
    file = os.open(NODE, os.O_RDWR)
    if attempt == 0:
        response = tpm.execute(file, tpm.nv_define(0x1500040, 4))
        assert tpm.response_code(response) == 0, response.hex()
    poller = in_child(lambda: poll(file, select.POLLIN, -1))
    command = tpm.create_primary_rsa()
    writer = in_child(lambda: os.write(file, command))
    time.sleep(0.001)
    reader = in_child(lambda: os.read(file, 4096))
    time.sleep(0.005)
    os.kill(daemon, signal.SIGKILL)

    outcomes = {"writer": result(writer, "writer"), "reader": result(reader, "reader"), "poller": result(poller, "poller")}
    counts = outcomes["writer"] == "ECONNABORTED"
    if counts:
        assert outcomes["reader"] in ("ECONNABORTED", "ENOTCONN", "b''"), outcomes
        assert int(outcomes["poller"]) & select.POLLERR, outcomes
    else:  # killed too early or too late
        assert outcomes["writer"] in ("ENOTCONN", str(len(command))), outcomes

    end = time.monotonic() + SECONDS
    while os.path.exists(NODE):
        assert time.monotonic() < end, "the node stays"
        time.sleep(0.01)
    assert outcome(lambda: os.write(file, tpm.get_random(8))) == "ENOTCONN"
    assert outcome(lambda: os.read(file, 10)) == "ENOTCONN"
    assert poll(file, select.POLLIN | select.POLLOUT, 0) & select.POLLERR
    assert outcome(lambda: os.open(NODE, os.O_RDWR)) == "ENOENT"
    os.close(file)
    if counts:
        print(f"writer {outcomes['writer']}, reader {outcomes['reader']}, poller {int(outcomes['poller']):#x}")
    return counts, outcomes["reader"] == "ECONNABORTED"


def main():
    counted = readers = 0
    for attempt in range(ROUNDS * 6):
        counts, reader = round_counts(sys.argv[1], attempt)
        counted += counts
        readers += reader
        if counted >= ROUNDS and readers:
            return
    raise AssertionError(f"in {ROUNDS * 6} rounds {counted} writers and {readers} readers were in flight")


main()

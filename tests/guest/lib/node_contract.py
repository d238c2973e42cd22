"""node_contract.py NODE: each rule of a TPM's character device, seen through system calls. All of them are run."""

import errno
import fcntl
import functools
import os
import select
import struct
import sys
import termios
import threading
import time
import traceback

import tpm
from tpm import expect_errno

NODE = sys.argv[1]
ALL_EVENTS = (
    select.POLLIN | select.POLLOUT | select.POLLPRI | select.POLLRDNORM | select.POLLWRNORM | select.POLLRDBAND
    | select.POLLWRBAND
)
READABLE = select.POLLIN | select.POLLRDNORM
WRITABLE = select.POLLOUT | select.POLLWRNORM
MAX = 4096
TRIES = 30  # for what has to be caught while a key is being made


def opened(flags=0):
    return os.open(NODE, os.O_RDWR | flags)


def mask(file, milliseconds=0, events=ALL_EVENTS):
    poll = select.poll()
    poll.register(file, events)
    ready = poll.poll(milliseconds)
    return ready[0][1] if ready else 0


def expect_random(response, count):
    assert len(response) == 12 + count, response.hex()
    assert tpm.response_code(response) == 0, response.hex()
    assert struct.unpack(">H", response[10:12]) == (count,), response.hex()


def tcgets(file):
    return fcntl.ioctl(file, termios.TCGETS, bytes(64))


class Thread(threading.Thread):
    """Runs a call beside this thread; `result` is its value or its errno's name, `ended` when that was known."""

    def __init__(self, call, *arguments):
        super().__init__(daemon=True)
        self.call, self.arguments = call, arguments
        self.result = self.ended = None
        self.start()

    def run(self):
        try:
            self.result = self.call(*self.arguments)
        except OSError as error:
            self.result = errno.errorcode[error.errno]
        self.ended = time.monotonic()

    def outcome(self):
        self.join(60)
        assert not self.is_alive(), "it hangs"
        return self.result


RULES = []


def rule(check):
    RULES.append(check)
    return check


def rule_of_an_open_file(check):
    """The check is given the device, open and blocking; afterwards it is closed with nothing loaded in the TPM."""

    @functools.wraps(check)
    def on_open_file():
        file = opened()
        try:
            check(file)
        finally:
            fcntl.fcntl(file, fcntl.F_SETFL, 0)
            os.read(file, MAX)
            tpm.release_transients(file)
            os.close(file)

    return rule(on_open_file)


# --- opening and closing --------------------------------------------------------------------------------------------


@rule
def second_open_is_busy():
    file = opened()
    expect_errno(errno.EBUSY, opened)
    duplicate = os.dup(file)
    os.close(file)
    expect_errno(errno.EBUSY, opened)  # the duplicate is the same open file
    os.close(duplicate)
    os.close(opened())


@rule
def open_for_reading_only_is_denied_and_takes_no_place():
    expect_errno(errno.EACCES, os.open, NODE, os.O_RDONLY)
    file = opened()
    expect_errno(errno.EACCES, os.open, NODE, os.O_RDONLY | os.O_NONBLOCK)
    os.close(file)
    writer = os.open(NODE, os.O_WRONLY)
    assert os.write(writer, tpm.get_random(8)) == 12
    os.close(writer)


@rule
def closed_and_opened_500_times_is_never_busy():
    for i in range(500):
        file = opened()
        if i % 10 == 0:
            os.write(file, tpm.get_random(8))
        os.close(file)


@rule
def close_during_a_command_leaves_a_free_and_empty_device():
    for _ in range(5):
        file = opened(os.O_NONBLOCK)
        os.write(file, tpm.create_primary_rsa())
        os.close(file)
        file = opened()
        assert os.read(file, MAX) == b"", "a response of the closed file"
        expect_random(tpm.execute(file, tpm.get_random(8)), 8)
        tpm.release_transients(file)
        os.close(file)


# --- write ------------------------------------------------------------------------------------------------------------


@rule_of_an_open_file
def over_long_write_is_too_big(file):
    for size in (MAX + 1, 2 * MAX, 2 * MAX + 1, 100000):
        expect_errno(errno.E2BIG, os.write, file, tpm.get_random(8).ljust(size, b"\0"))
    expect_random(tpm.execute(file, tpm.get_random(8)), 8)


@rule_of_an_open_file
def bytes_after_the_command_are_ignored(file):
    request = tpm.get_random(8).ljust(MAX, b"\xee")
    assert os.write(file, request) == MAX
    expect_random(os.read(file, MAX), 8)


@rule_of_an_open_file
def short_header_and_wrong_size_are_invalid(file):
    for data in (b"\x80", tpm.get_random(8)[:5], tpm.get_random(8)[:11], struct.pack(">HII", 0x8001, 11, 0x17B)):
        expect_errno(errno.EINVAL, os.write, file, data)
        assert os.read(file, MAX) == b"", "a refused write left something to read"
        assert mask(file) == WRITABLE
    expect_errno(errno.EINVAL, os.write, file, struct.pack(">HII", 0x8001, 0xFFFFFFFF, 0x17B))


@rule_of_an_open_file
def six_bytes_go_to_the_tpm(file):
    response = tpm.execute(file, struct.pack(">HI", 0x8001, 6))
    assert tpm.response_code(response) != 0, response.hex()


@rule_of_an_open_file
def declared_size_zero_has_no_data(file):
    expect_errno(errno.ENODATA, os.write, file, struct.pack(">HII", 0x8001, 0, 0x17B))


@rule_of_an_open_file
def write_over_an_unread_response_is_busy(file):
    os.write(file, tpm.get_random(8))
    expect_errno(errno.EBUSY, os.write, file, tpm.get_random(16))
    expect_errno(errno.EBUSY, os.write, file, b"\x80")
    expect_random(os.read(file, MAX), 8)
    os.write(file, tpm.get_random(16))
    expect_random(os.read(file, MAX), 16)


@rule_of_an_open_file
def unknown_command_is_answered_by_the_tpm(file):
    response = tpm.execute(file, tpm.command(0x20001234))
    assert tpm.response_code(response) == 0x143, response.hex()


# --- read -------------------------------------------------------------------------------------------------------------


@rule_of_an_open_file
def nothing_pending_reads_zero_bytes(file):
    assert os.read(file, MAX) == b""
    fcntl.fcntl(file, fcntl.F_SETFL, os.O_NONBLOCK)
    assert os.read(file, MAX) == b""


@rule_of_an_open_file
def response_can_be_read_in_parts(file):
    os.write(file, tpm.get_random(32))
    parts = [os.read(file, 10)]
    assert mask(file) == READABLE, "with some of the response unread"
    parts += [os.read(file, 1), os.read(file, 20), os.read(file, MAX)]
    assert [len(part) for part in parts] == [10, 1, 20, 13]
    expect_random(b"".join(parts), 32)
    assert os.read(file, MAX) == b""
    assert mask(file) == WRITABLE


@rule_of_an_open_file
def unread_tail_is_dropped_by_the_next_write(file):
    os.write(file, tpm.get_random(32))
    assert len(os.read(file, 10)) == 10
    expect_errno(errno.EINVAL, os.write, file, b"\x80")
    os.write(file, tpm.get_random(8))
    expect_random(os.read(file, MAX), 8)
    assert os.read(file, MAX) == b""


@rule_of_an_open_file
def read_waits_for_the_running_command(file):
    fcntl.fcntl(file, fcntl.F_SETFL, os.O_NONBLOCK)
    os.write(file, tpm.create_primary_rsa())
    response = os.read(file, MAX)  # does wait, non-blocking or not
    assert tpm.new_handle(response) >> 24 == 0x80


# --- poll -------------------------------------------------------------------------------------------------------------


@rule_of_an_open_file
def poll_says_either_readable_or_writable(file):
    assert mask(file) == WRITABLE
    os.write(file, tpm.get_random(8))
    assert mask(file) == READABLE
    assert mask(file, events=select.POLLOUT) == 0
    os.read(file, MAX)
    assert mask(file) == WRITABLE
    assert mask(file, events=select.POLLIN) == 0


@rule_of_an_open_file
def short_command_is_done_when_a_nonblocking_write_returns(file):
    fcntl.fcntl(file, fcntl.F_SETFL, os.O_NONBLOCK)
    for _ in range(20):
        os.write(file, tpm.get_random(8))
        assert mask(file) == READABLE
        expect_random(os.read(file, MAX), 8)


@rule_of_an_open_file
def poller_is_woken_when_a_key_is_there(file):
    fcntl.fcntl(file, fcntl.F_SETFL, os.O_NONBLOCK)
    for _ in range(TRIES):
        os.write(file, tpm.create_primary_rsa())
        at_once = mask(file)
        assert mask(file, milliseconds=60000) == READABLE
        handle = tpm.new_handle(os.read(file, MAX))
        fcntl.fcntl(file, fcntl.F_SETFL, 0)
        tpm.execute(file, tpm.flush_context(handle))
        fcntl.fcntl(file, fcntl.F_SETFL, os.O_NONBLOCK)
        if at_once == 0:
            return
        assert at_once == READABLE, at_once
    raise AssertionError(f"in {TRIES} tries, the key was always there when write returned")


@rule_of_an_open_file
def edge_triggered_epoll_sees_every_response(file):
    fcntl.fcntl(file, fcntl.F_SETFL, os.O_NONBLOCK)
    epoll = select.epoll()
    epoll.register(file, select.EPOLLIN | select.EPOLLET)
    for _ in range(5):
        os.write(file, tpm.create_primary_rsa())
        assert [events & select.EPOLLIN for _, events in epoll.poll(60)] == [select.EPOLLIN]
        os.write(file, tpm.flush_context(tpm.new_handle(os.read(file, MAX))))
        assert [events & select.EPOLLIN for _, events in epoll.poll(60)] == [select.EPOLLIN]
        os.read(file, MAX)
    epoll.close()


# --- blocking and non-blocking, threads -------------------------------------------------------------------------------


@rule_of_an_open_file
def nonblock_is_looked_up_on_every_write(file):
    for flags in (0, os.O_NONBLOCK, 0):
        fcntl.fcntl(file, fcntl.F_SETFL, flags)
        seen = set()
        for _ in range(TRIES if flags else 3):
            os.write(file, tpm.create_primary_rsa())
            seen.add(mask(file))
            assert mask(file, milliseconds=60000) == READABLE
            handle = tpm.new_handle(os.read(file, MAX))
            os.write(file, tpm.flush_context(handle))
            assert mask(file, milliseconds=60000) == READABLE
            os.read(file, MAX)
            if 0 in seen:
                break
        assert (0 in seen) == bool(flags), f"flags {flags:#x}: poll said {seen} after write"


@rule_of_an_open_file
def poll_and_ioctl_are_answered_while_a_key_is_made(file):
    for _ in range(TRIES):
        writer = Thread(os.write, file, tpm.create_primary_rsa())
        time.sleep(0.005)
        answers = []
        while not answers and not writer.ended:
            before = writer.is_alive()
            events = mask(file)
            expect_errno(errno.ENOTTY, tcgets, file)
            now = time.monotonic()
            if before and events == 0:
                answers.append(now)
        assert writer.outcome() > 0
        handle = tpm.new_handle(os.read(file, MAX))
        tpm.execute(file, tpm.flush_context(handle))
        if answers and answers[0] < writer.ended:
            return
    raise AssertionError(f"in {TRIES} tries, poll and ioctl were never answered before the key was there")


@rule_of_an_open_file
def second_writer_waits_and_then_is_busy(file):
    for _ in range(TRIES):
        first = Thread(os.write, file, tpm.create_primary_rsa())
        time.sleep(0.005)
        if first.ended:
            os.read(file, MAX)
            tpm.release_transients(file)
            continue
        second = Thread(os.write, file, tpm.get_random(8))
        assert first.outcome() > 0
        assert second.outcome() == "EBUSY", second.result
        assert tpm.new_handle(os.read(file, MAX)) >> 24 == 0x80, "the first command was harmed"
        return
    raise AssertionError(f"in {TRIES} tries, the key was always there before the second writer came")


# --- the rest ---------------------------------------------------------------------------------------------------------


@rule_of_an_open_file
def terminal_ioctls_are_not_for_this_device(file):
    expect_errno(errno.ENOTTY, tcgets, file)
    assert not os.isatty(file)
    expect_errno(errno.ENOTTY, fcntl.ioctl, file, 0x5413, bytes(8))  # TIOCGWINSZ
    expect_errno(errno.ENOTTY, fcntl.ioctl, file, 0x50FF)


@rule
def buffered_streams_work():
    """What `cat` and stdio do with it: they see a response, then the end."""
    command = f"exec 5<>{NODE}; printf '\\x80\\x01\\x00\\x00\\x00\\x0c\\x00\\x00\\x01\\x7b\\x00\\x08' >&5; cat <&5 | wc -c"
    with os.popen(f"bash -c \"{command}\"") as output:
        assert output.read().strip() == "20"


def main():
    failed = 0
    for check in RULES:
        name = check.__name__.replace("_", " ")
        try:
            check()
            print(f"ok      {name}", flush=True)
        except (AssertionError, OSError):
            failed += 1
            print(f"FAILED  {name}\n{traceback.format_exc()}", flush=True)
    sys.exit(1 if failed else 0)


main()

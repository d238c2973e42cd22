"""defects.py DIRECTORY [NAME...]: what goes wrong in swtpm's CUSE device, tried here. One test per known defect.

Not here: B8 (a linear file as storage), B17 (change of user), B19 (packet capture), B20 (system call filter) and B24 (how
the stored state is encrypted) are about features that vtpmd has in another form, with their own tests, or not at all.
"""

import errno
import fcntl
import hashlib
import os
import pathlib
import random
import select
import signal
import struct
import subprocess
import sys
import threading
import time
import unittest

import control
import tpm
from control import PERMANENT, PIECE, SAVESTATE, SUCCESS, VOLATILE, Daemon

INDEX = 0x01500020
STARTUP_CLEAR = bytes.fromhex("80010000000c000001440000")
STARTUP_STATE = bytes.fromhex("80010000000c000001440001")
CANCELED = 0x909
NV_UNAVAILABLE = 0x923
ROUNDS = 200
DIRECTORY = ""


class Defects(unittest.TestCase):
    """Each test has a daemon of its own, on and started, its raw node as `raw` and its control node as `ctl`."""

    OPTIONS = ()

    def setUp(self):
        self.state = os.path.join(DIRECTORY, self.id().rsplit(".", 1)[-1])
        self.daemon = self.enterContext(Daemon(self.state, *self.OPTIONS))
        self.raw = control.opened(self.daemon.node)
        self.ctl = control.opened(self.daemon.control)
        self.addCleanup(os.close, self.ctl)

    def tearDown(self):
        if self.raw is not None:
            os.close(self.raw)

    def close_raw(self):
        os.close(self.raw)
        self.raw = None

    def open_raw(self):
        self.raw = control.opened(self.daemon.node)

    def must(self, request):
        response = tpm.execute(self.raw, request)
        self.assertEqual(tpm.response_code(response), 0, response.hex())
        return response

    def restart(self, *options):
        self.close_raw()
        self.daemon.stop()
        self.daemon = self.enterContext(Daemon(self.state, *options))
        self.open_raw()
        self.ctl = control.opened(self.daemon.control)

    def stored(self):
        """What a write of the permanent state would change."""
        status = os.stat(self.daemon.permanent_file())
        with open(self.daemon.permanent_file(), "rb") as file:
            return status.st_ino, status.st_mtime_ns, file.read()


class Replies(Defects):
    def test_B01_every_locality_is_answered(self):
        for file in (self.raw, self.ctl):
            for locality in range(256):
                code = control.result(file, control.RESET_TPMESTABLISHED, bytes([locality, 0, 0, 0]))
                self.assertEqual(code, SUCCESS if locality in (3, 4) else control.BAD_LOCALITY, locality)

    def test_B03_a_response_outlives_the_power(self):
        os.write(self.raw, tpm.get_random(20))
        control.expect(self.ctl, control.STOP)
        self.assertEqual(len(os.read(self.raw, 4096)), 32)
        self.assertEqual(os.read(self.raw, 4096), b"")

    def test_B13_a_response_is_not_for_the_next_opener(self):
        os.write(self.raw, tpm.get_random(32))
        self.close_raw()
        self.open_raw()
        self.assertEqual(os.read(self.raw, 4096), b"")
        os.write(self.raw, tpm.get_random(32))
        os.read(self.raw, 10)  # in part
        self.close_raw()
        self.open_raw()
        self.assertEqual(os.read(self.raw, 4096), b"")

    def test_B14_no_byte_of_a_reply_is_undefined(self):
        """What lies behind a reply's own bytes is zero, however often it is asked after other things."""
        for _ in range(3):
            self.must(tpm.get_random(32))
            info = control.expect(self.ctl, control.GET_INFO, control.u32(7, 0, 0))
            length = struct.unpack("=I", info[8:12])[0]
            self.assertEqual(info[12 + length :], bytes(control.structure_size(control.GET_INFO) - 12 - length))
            blob = control.expect(self.ctl, control.GET_STATEBLOB, control.u32(1, PERMANENT, 0))
            length = struct.unpack("=I", blob[12:16])[0]
            self.assertLess(length, PIECE)
            self.assertEqual(blob[16 + length :], bytes(PIECE - length))
            response = control.expect(self.ctl, control.EXECUTE, control.u32(0, 12) + tpm.get_random(8))
            self.assertEqual(response[8 + 20 :], bytes(4096 - 20))
            status = control.Status(self.ctl).structure
            for at in (40, 296):
                text = status[at : at + 256]
                self.assertEqual(text.rstrip(b"\0").find(b"\0"), -1, text)
            self.assertEqual(control.expect(self.ctl, control.GET_TPMESTABLISHED)[4:], bytes(4))

    def test_B16_poll_and_no_waiting(self):
        waiting = select.poll()
        waiting.register(self.raw, select.POLLIN)
        self.assertEqual(waiting.poll(0), [])
        os.set_blocking(self.raw, False)
        os.write(self.raw, tpm.create_primary_rsa(2048))
        self.assertEqual(waiting.poll(60000), [(self.raw, select.POLLIN)])
        tpm.new_handle(os.read(self.raw, 4096))
        self.assertEqual(waiting.poll(0), [])


class Commands(Defects):
    def setUp(self):
        super().setUp()
        self.executed = control.Status(self.ctl).commands

    def start_writing(self, request, blocking):
        """A thread whose write() has begun the command; a non-blocking one has ended it, too."""
        os.set_blocking(self.raw, blocking)
        refused = []

        def write():
            try:
                os.write(self.raw, request)
            except OSError as error:
                refused.append(error.errno)

        writer = threading.Thread(target=write)
        writer.refused = refused
        writer.start()
        control.wait_until(lambda: not writer.is_alive() or is_computing(self.daemon), "the command has begun")
        return writer

    def response(self, writer):
        writer.join(60)
        self.assertFalse(writer.is_alive(), "the writer still waits")
        os.set_blocking(self.raw, True)
        return os.read(self.raw, 4096)

    def still_executes(self):
        return control.Status(self.ctl).commands == self.executed

    def next_round(self, response):
        """Nothing is left of the key that was made, or not, in this one."""
        if tpm.response_code(response) == 0 and len(response) > 100:
            self.must(tpm.flush_context(tpm.new_handle(response)))
        self.executed = control.Status(self.ctl).commands

    def test_B02_a_second_write_does_not_touch_the_first(self):
        met = {True: 0, False: 0}
        for number in range(10 * ROUNDS):
            blocking = number % 2 == 0
            first = self.start_writing(tpm.create_primary_rsa(2048), blocking)
            during = self.still_executes()
            second = self.try_to_write(tpm.get_random(8))
            response = self.response(first)
            if first.refused or not during:  # overtaken by the second, or over already
                self.assertEqual([second, *first.refused].count(errno.EBUSY), 1)
            else:
                self.assertEqual(second, errno.EBUSY)
                tpm.new_handle(response)
                met[blocking] += 1
            self.next_round(response)
            if min(met.values()) >= ROUNDS // 2:
                return
        self.fail(f"too few writes met another one's command: {met}")

    def try_to_write(self, request):
        try:
            os.write(self.raw, request)
            return 0
        except OSError as error:
            return error.errno

    def test_B11_a_waiting_writer_and_a_waiting_reader_are_cancelled_by_another_process(self):
        for blocking in (True, False):
            cancelled = 0
            for _ in range(100):
                cancelled += self.is_cancelled(blocking)
                if cancelled == 10:
                    break
            self.assertEqual(cancelled, 10)
        self.must(tpm.get_random(8))

    def is_cancelled(self, blocking):
        """Whether the cancel came while the key was being made; it must have been obeyed then."""
        go_out, go_in = os.pipe()
        pid = os.fork()
        if pid == 0:
            file = control.opened(self.daemon.control)
            os.read(go_out, 1)
            os._exit(control.result(file, control.CANCEL_TPM_CMD))
        writer = self.start_writing(tpm.create_primary_rsa(), blocking)
        os.write(go_in, b"!")
        self.assertEqual(os.waitpid(pid, 0)[1], SUCCESS)
        response = self.response(writer)
        self.next_round(response)
        os.close(go_in)
        os.close(go_out)
        self.assertIn(tpm.response_code(response), (0, CANCELED))
        return tpm.response_code(response) == CANCELED

    def test_B11_a_cancel_at_any_moment_ends_only_its_command(self):
        """It may come before, within or behind the command; it never hangs and never fells the next one."""
        begin = time.monotonic()
        for _ in range(10):
            self.next_round(self.response(self.start_writing(tpm.create_primary_rsa(2048), True)))
        usual = (time.monotonic() - begin) / 10
        cancelled = 0
        for _ in range(ROUNDS):
            os.set_blocking(self.raw, True)
            writer = threading.Thread(target=os.write, args=(self.raw, tpm.create_primary_rsa(2048)))
            writer.start()
            time.sleep(random.random() * usual)
            control.expect(self.ctl, control.CANCEL_TPM_CMD)
            response = self.response(writer)
            self.assertIn(tpm.response_code(response), (0, CANCELED))
            cancelled += tpm.response_code(response) == CANCELED
            self.must(tpm.get_random(8))
            self.next_round(response)
        print(f"{cancelled} of {ROUNDS} were cancelled", file=sys.stderr)
        self.assertGreater(cancelled, ROUNDS // 20)
        self.assertLess(cancelled, ROUNDS)

    def test_B21_a_locality_set_while_a_command_runs_is_for_the_next(self):
        """The creation data says with which locality the key was made."""
        met = 0
        for number in range(100):
            locality = number % 3 + 1
            control.expect(self.ctl, control.SET_LOCALITY, bytes([locality, 0, 0, 0]))
            os.set_blocking(self.raw, False)
            os.write(self.raw, tpm.create_primary_rsa())
            control.expect(self.ctl, control.SET_LOCALITY, bytes(4))
            met += self.still_executes()
            os.set_blocking(self.raw, True)
            response = os.read(self.raw, 4096)
            # The digest of no PCRs, the locality's bit, no parent's name algorithm.
            self.assertIn(hashlib.sha256(b"").digest() + bytes([1 << locality, 0, 0x10]), response)
            self.next_round(response)
            if met == 20:
                return
        self.fail("no locality was set while a command ran")


def is_computing(daemon):
    """Whether a thread of the daemon has the processor, or wants it."""
    for task in os.listdir(f"/proc/{daemon.pid}/task"):
        with open(f"/proc/{daemon.pid}/task/{task}/stat", encoding="ascii") as file:
            if file.read().rpartition(")")[2].split()[0] == "R":
                return True
    return False


class Blobs(Defects):
    def test_B04_a_blob_is_as_fresh_as_its_request(self):
        empty = control.get_blob(self.raw, PERMANENT)
        self.must(tpm.nv_define(INDEX, 32))
        self.assertNotEqual(control.get_blob(self.raw, PERMANENT), empty)
        before = control.get_blob(self.raw, VOLATILE)
        self.must(tpm.pcr_extend(16, os.urandom(32)))
        extended = control.get_blob(self.raw, VOLATILE)
        self.assertNotEqual(extended, before)
        control.expect(self.raw, control.STOP)
        self.assertEqual(control.init(self.raw), SUCCESS)
        self.must(STARTUP_CLEAR)
        self.assertNotEqual(control.get_blob(self.raw, VOLATILE), extended)

    def test_B05_read_goes_on_behind_the_last_piece(self):
        whole = self.large_blob()
        code, total, first = control.get_piece(self.raw, PERMANENT, 0)
        self.assertEqual((code, total, first), (SUCCESS, len(whole), whole[:PIECE]))
        code, _, second = control.get_piece(self.raw, PERMANENT, 1000)
        self.assertEqual((code, second), (SUCCESS, whole[1000 : 1000 + PIECE]))
        self.assertEqual(os.read(self.raw, 100), whole[1000 + PIECE : 1100 + PIECE])
        self.assertEqual(os.read(self.raw, 4096), whole[1100 + PIECE :])

    def large_blob(self):
        """Of more than one piece and less than two."""
        self.must(tpm.nv_define(INDEX, 2048))
        self.must(tpm.nv_define(INDEX + 1, 1500))
        blob = control.get_blob(self.raw, PERMANENT)
        self.assertTrue(PIECE + 1100 < len(blob) < 2 * PIECE, len(blob))
        return blob

    def test_B06_an_abandoned_transfer_is_forgotten(self):
        blob = self.large_blob()
        control.expect(self.raw, control.STOP)
        garbage = b"\xee" * PIECE

        self.assertEqual(control.set_piece(self.raw, PERMANENT, garbage), SUCCESS)
        self.close_raw()
        self.open_raw()
        self.assertEqual(control.set_blob(self.raw, PERMANENT, blob), SUCCESS)

        self.assertEqual(control.set_piece(self.raw, PERMANENT, garbage), SUCCESS)
        control.expect(self.raw, control.GET_CONFIG)
        self.assertEqual(control.set_blob(self.raw, PERMANENT, blob), SUCCESS)

        self.assertEqual(control.set_piece(self.ctl, PERMANENT, garbage), SUCCESS)  # on another file
        self.assertEqual(control.set_blob(self.raw, PERMANENT, blob), SUCCESS)
        self.assertEqual(control.init(self.raw), SUCCESS)
        self.assertEqual(control.get_blob(self.raw, PERMANENT), blob)

    def test_B22_what_a_transfer_collects_is_bounded(self):
        control.expect(self.ctl, control.STOP)
        before = self.daemon.resident_kib()
        code, pieces = SUCCESS, 0
        while code == SUCCESS and pieces < 1000:
            code = control.set_piece(self.ctl, PERMANENT, b"\xee" * PIECE)
            pieces += 1
        self.assertEqual(code, control.SIZE)
        self.assertLess(pieces, 200)
        self.assertLess(self.daemon.resident_kib() - before, 4096)

    def test_B30_asking_for_blobs_leaves_the_storage_alone(self):
        control.expect(self.ctl, control.STORE_VOLATILE)
        names = sorted(os.listdir(self.state))
        self.assertIn("tpm2-00.volatilestate", names)
        before = self.stored()
        control.get_blob(self.ctl, VOLATILE)
        self.assertEqual(sorted(os.listdir(self.state)), names)
        self.assertEqual(self.stored(), before)
        permanent = control.get_blob(self.ctl, PERMANENT)
        os.rename(self.daemon.permanent_file(), self.state + ".elsewhere")
        self.assertEqual(control.get_blob(self.ctl, PERMANENT), permanent)
        os.rename(self.state + ".elsewhere", self.daemon.permanent_file())


class Storage(Defects):
    def is_locked(self):
        """Whether somebody else may not have the lock of the state directory; and who says to have it."""
        query = struct.pack("=hh4xqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        with open(os.path.join(self.state, ".lock"), "rb+") as file:
            kind = struct.unpack("=h", fcntl.fcntl(file, fcntl.F_GETLK, query)[:2])[0]
            return kind != fcntl.F_UNLCK and int(file.read()) == self.daemon.pid

    def test_B07_the_savestate_blob_does_not_release_the_lock(self):
        self.assertEqual(control.get_piece(self.ctl, SAVESTATE, 0)[0], control.RETRY)
        self.assertTrue(self.is_locked())
        self.assertTrue(control.Status(self.ctl).flags & control.STATUS_STORAGE_LOCKED)

    def test_B10_the_lock_is_held_by_who_serves(self):
        self.assertTrue(self.is_locked())
        second = subprocess.run(["vtpmd", "--device", "vtpm1", "--state", f"dir:{self.state}", "--daemon"],
                                capture_output=True, timeout=60, check=False)
        self.assertEqual(second.returncode, 1)
        self.assertIn(self.state.encode(), second.stderr)

    def test_B15_each_signal_ends_in_order(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self.must(tpm.pcr_extend(7, os.urandom(32)))
            seen = self.must(tpm.pcr_read(7))
            self.close_raw()
            self.daemon.stop(number)
            self.daemon = self.enterContext(Daemon(self.state, "--startup", "none"))
            self.open_raw()
            self.must(STARTUP_STATE)
            self.assertEqual(self.must(tpm.pcr_read(7))[14:], seen[14:])  # behind the update counter

    def test_B18_a_full_storage_undoes_one_command_and_no_more(self):
        """On a file system of its own: filled to the brim, and freed again."""
        self.close_raw()
        self.daemon.stop()
        os.mkdir(self.state + ".small")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", self.state + ".small"], check=True)
        self.state += ".small/tpm"
        self.daemon = self.enterContext(Daemon(self.state))
        self.open_raw()
        self.ctl = control.opened(self.daemon.control)
        self.must(tpm.nv_define(INDEX, 32))
        self.must(tpm.nv_write(INDEX, b"x" * 32))
        self.must(tpm.pcr_extend(16, os.urandom(32)))
        key = tpm.new_handle(self.must(tpm.create_primary_rsa(2048)))
        seen = [self.must(tpm.pcr_read(16)), self.must(tpm.read_public(key)), self.must(tpm.nv_read(INDEX, 32))]
        fill(os.path.dirname(self.state))
        for _ in range(3):
            response = tpm.execute(self.raw, tpm.nv_write(INDEX, b"y" * 32))
            self.assertEqual(tpm.response_code(response), NV_UNAVAILABLE)
            self.must(tpm.get_random(8))
        self.assertEqual(control.Status(self.ctl).phase, control.ON)
        os.unlink(os.path.join(os.path.dirname(self.state), "filler"))
        self.assertEqual([self.must(tpm.pcr_read(16)), self.must(tpm.read_public(key)), self.must(tpm.nv_read(INDEX, 32))], seen)
        self.must(tpm.nv_write(INDEX, b"z" * 32))
        self.close_raw()
        self.daemon.stop(signal.SIGKILL)
        self.daemon = self.enterContext(Daemon(self.state))
        self.open_raw()
        self.assertIn(b"z" * 32, self.must(tpm.nv_read(INDEX, 32)))

    def test_B25_a_commit_is_flushed_and_renamed(self):
        """The system calls of one commit, seen from outside."""
        calls = subprocess.Popen(["strace", "-f", "-qq", "-e", "trace=openat,write,fsync,renameat,renameat2,rename",
                                  "-o", self.state + ".strace", "-p", str(self.daemon.pid)])
        control.wait_until(lambda: is_traced(self.daemon), "strace attaches")
        self.must(tpm.nv_define(INDEX, 32))
        calls.terminate()
        calls.wait()
        with open(self.state + ".strace", encoding="utf-8") as file:
            seen = [line.split()[1].split("(")[0] for line in file if "/dev" not in line and "fsync" in line or "rename" in line]
        self.assertEqual([name.replace("renameat2", "rename").replace("renameat", "rename") for name in seen],
                         ["fsync", "rename", "fsync"])

    def test_B23_keys_of_different_length_are_combined(self):
        keys = []
        for option, size, mode in ("--key", 32, "aes-256-cbc"), ("--migration-key", 16, "aes-128-cbc"):
            path = f"{self.state}{option}"
            with open(path, "wb") as file:
                file.write(os.urandom(size))
            keys += [option, f"file={path},format=binary,mode={mode}"]
        self.state += ".sealed"
        self.restart(*keys)
        self.must(tpm.nv_define(INDEX, 8))
        for flags in (0, 1):  # with the key of the file, and without
            blob = control.get_blob(self.ctl, PERMANENT, flags)
            control.expect(self.ctl, control.STOP)
            self.assertEqual(control.set_blob(self.ctl, PERMANENT, blob), SUCCESS)
            self.assertEqual(control.init(self.ctl), SUCCESS)
            self.must(STARTUP_CLEAR)
            self.must(tpm.nv_read_public(INDEX))

    def test_B26_damaged_state_is_told_and_mended(self):
        good = control.get_blob(self.ctl, PERMANENT)
        intact = self.stored()[2]
        flipped = bytearray(intact)
        flipped[20] ^= 0x10  # in the magic number; libtpms has no checksum that would cover the rest
        for damaged in (b"", intact[: len(intact) // 2], bytes(flipped)):
            control.expect(self.ctl, control.STOP)
            with open(self.daemon.permanent_file(), "wb") as file:
                file.write(damaged)
            self.assertNotEqual(control.init(self.ctl), SUCCESS, damaged[:100])
            status = control.Status(self.ctl)
            self.assertEqual(status.phase, control.FAILED)
            self.assertNotEqual(status.reason, "")
            self.assertEqual(tpm.response_code(tpm.execute(self.raw, tpm.get_random(4))), 0x101)
            self.assertEqual(control.set_blob(self.ctl, PERMANENT, good), SUCCESS)
            self.assertEqual(control.init(self.ctl), SUCCESS)
            self.must(STARTUP_CLEAR)

    def test_B29_nothing_is_written_that_has_not_changed(self):
        self.must(tpm.nv_define(INDEX, 32))
        self.must(tpm.nv_write(INDEX, b"x" * 32))
        before = self.stored()
        for request in (tpm.get_random(8), tpm.pcr_extend(16, bytes(32)), tpm.pcr_read(16), tpm.nv_write(INDEX, b"x" * 32)):
            self.must(request)
            self.assertEqual(self.stored(), before)
        self.must(tpm.nv_write(INDEX, b"y" * 32))
        self.assertNotEqual(self.stored(), before)


def fill(directory):
    with open(os.path.join(directory, "filler"), "wb", buffering=0) as file:
        try:
            while file.write(b"f" * 4096) > 0:
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC, error


def is_traced(daemon):
    """Every thread of it: strace attaches to one after another."""
    return all("TracerPid:\t0\n" not in status.read_text() for status in pathlib.Path(f"/proc/{daemon.pid}/task").glob("*/status"))


class Outgoing(Defects):
    OPTIONS = ("--migration", "release-lock-outgoing")

    def released(self):
        """The storage is somebody else's now."""
        self.assertEqual(control.get_piece(self.ctl, SAVESTATE, 0)[0], control.RETRY)
        self.other = open(os.path.join(self.state, ".lock"), "rb+")
        self.addCleanup(self.other.close)
        fcntl.lockf(self.other, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def test_B09_nothing_is_written_once_the_lock_is_released(self):
        self.must(tpm.nv_define(INDEX, 8))
        self.released()
        before = self.stored()
        tpm.execute(self.raw, tpm.nv_write(INDEX, b"too late"))
        control.expect(self.ctl, control.STOP)
        self.assertNotEqual(control.init(self.ctl), SUCCESS)
        control.expect(self.ctl, control.SHUTDOWN)
        self.close_raw()
        self.daemon.wait_until_gone()
        self.assertEqual(self.stored(), before)

    def test_B12_waiting_for_the_lock_stalls_nothing_else(self):
        self.released()
        results = []
        file = control.opened(self.daemon.control)
        waiter = threading.Thread(target=lambda: results.append(control.result(file, control.LOCK_STORAGE, control.u32(0xFFFFFFFF))))
        waiter.start()
        for _ in range(50):
            self.assertEqual(tpm.response_code(tpm.execute(self.raw, tpm.get_random(8))), 0x922)
            self.assertEqual(control.result(self.ctl, control.SET_BUFFERSIZE, control.u32(0)), SUCCESS)
            control.Status(self.ctl)
        self.assertEqual(results, [], "it still waits")
        self.other.close()
        waiter.join(30)
        self.assertEqual(results, [SUCCESS])
        self.must(tpm.get_random(8))
        os.close(file)

    def test_B27_the_tool_waits_as_long_as_it_is_told(self):
        self.released()
        refused = subprocess.run(["vtpmctl", "lock", "vtpm0"], capture_output=True, timeout=60, check=False)
        self.assertEqual(refused.returncode, 1)
        waiting = subprocess.Popen(["vtpmctl", "lock", "vtpm0", "--retries", "6000"])
        time.sleep(0.3)
        self.assertIsNone(waiting.poll())
        self.other.close()
        self.assertEqual(waiting.wait(30), 0)


class AlteredBlobs(Defects):
    """A volatile blob proves nothing: whoever alters it mends its checksum. libtpms jumps into nothing with some."""

    def altered(self, blob, cut):
        """The blob without eight of its bytes: the same envelopes, and a digest that fits."""
        envelopes = 10 + 6 + 6  # swtpm's header; then tag and length, twice
        data = blob[envelopes:-hashlib.sha1().digest_size]
        data = data[:cut] + data[cut + 8 :]
        data += hashlib.sha1(data).digest()
        inner = blob[16:18] + struct.pack(">I", len(data)) + data
        outer = blob[10:12] + struct.pack(">I", len(inner)) + inner
        return blob[:6] + struct.pack(">I", 10 + len(outer)) + outer

    def test_the_daemon_outlives_every_blob(self):
        self.must(tpm.nv_define(INDEX, 4))
        permanent, good = control.get_blob(self.ctl, PERMANENT), control.get_blob(self.ctl, VOLATILE)
        results = set()
        for cut in range(len(good) - 450, len(good) - 50):  # sessions and objects: where libtpms checks last
            control.result(self.ctl, control.STOP)
            self.assertEqual(control.set_blob(self.ctl, PERMANENT, permanent), SUCCESS)
            results.add(control.set_blob(self.ctl, VOLATILE, self.altered(good, cut)))
            control.init(self.ctl)
            for request in STARTUP_CLEAR, tpm.get_random(8), STARTUP_STATE:
                tpm.execute(self.raw, request)
            control.call(self.ctl, control.GET_STATEBLOB, control.u32(1, VOLATILE, 0))
        self.assertGreater(len(results), 2, "libtpms refused all for one reason: envelopes or digest did not fit")
        control.result(self.ctl, control.STOP)
        self.assertEqual(control.set_blob(self.ctl, PERMANENT, permanent), SUCCESS)
        self.assertEqual(control.set_blob(self.ctl, VOLATILE, good), SUCCESS)
        self.assertEqual(control.init(self.ctl), SUCCESS)
        self.must(tpm.get_random(8))
        self.assertEqual(len(control.get_blob(self.ctl, VOLATILE)), len(good))


class Programs(unittest.TestCase):
    def test_B27_the_tool_saves_blobs_of_any_size(self):
        """More than the 64 KiB at which swtpm_ioctl never ends: as many large indices as fit."""
        state = os.path.join(DIRECTORY, "large")
        with Daemon(state) as daemon:
            file = control.opened(daemon.node)
            count = 0
            while tpm.response_code(tpm.execute(file, tpm.nv_define(INDEX + count, 2048))) == 0:
                count += 1
            subprocess.run(["vtpmctl", "state", "save", "vtpm0", "--permanent", state + ".blob"], check=True, timeout=60)
            self.assertGreater(os.path.getsize(state + ".blob"), 65536)
            self.assertEqual(os.path.getsize(state + ".blob"), len(control.get_blob(file, PERMANENT)))
            os.close(file)

    def test_B28_questions_need_no_root_and_mistakes_are_told(self):
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        for arguments, code in (["--help"], 0), (["--version"], 0), (["--device", "vtpm0", "--state", "dir:/tmp/x", "--no-such-option"], 2):
            done = subprocess.run([*nobody, os.path.join(os.environ["VTPM_BIN"], "vtpmd"), *arguments],
                                  capture_output=True, timeout=60, check=False)
            self.assertEqual(done.returncode, code, done)
            self.assertNotEqual(done.stdout + done.stderr, b"")
        self.assertIn(b"no-such-option", done.stderr)

    def test_B28_a_state_directory_is_private_and_in_no_other_place(self):
        state = os.path.join(DIRECTORY, "private")
        self.addCleanup(os.umask, os.umask(0))
        with Daemon(state):
            self.assertEqual(os.stat(state).st_mode & 0o7777, 0o700)
        missing = os.path.join(DIRECTORY, "missing", "mount")
        done = subprocess.run(Daemon(missing).command, capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(missing.encode(), done.stderr)
        self.assertFalse(os.path.exists(os.path.dirname(missing)))


if __name__ == "__main__":
    DIRECTORY = sys.argv[1]
    unittest.main(argv=["defects", "--verbose", *sys.argv[2:]])

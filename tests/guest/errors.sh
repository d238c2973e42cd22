#!/bin/bash
# guest: --timeout 180
# What goes wrong is said, with what to do about it; the exit code tells wrong usage (2) from failure (1).

. tests/guest/lib/lib.sh
STATE=dir:$WORK/state

step "no /dev/cuse"
# shellcheck disable=SC2016
expect_exit 1 unshare --mount bash -c 'mount -t tmpfs tmpfs /dev && exec vtpmd --device vtpm0 --state "$1"' bash "dir:$WORK/unused"
expect_output '/dev/cuse'
expect_output 'modprobe cuse'

step "/dev/cuse forbidden"
mkdir -m 0777 "$WORK/nobody"
chmod 0755 "$WORK"
expect_exit 1 setpriv --reuid=65534 --regid=65534 --clear-groups "$VTPM_BIN/vtpmd" --device vtpm0 --state "dir:$WORK/nobody/state"
expect_output '/dev/cuse'
expect_output '[Pp]ermission|[Ff]orbidden|not allowed'

step "wrong usage"
expect_exit 2 vtpmd --state "$STATE"
expect_output '--device'
expect_exit 2 vtpmd --device vtpm0
expect_output '--state'
expect_exit 2 vtpmd --device vtpm0 --state "$STATE" --no-such-option
expect_output '--no-such-option'
expect_exit 2 vtpmd --device vtpm0 --state "$STATE" --tpm 3.0
expect_exit 2 vtpmd --device vtpm0 --state "$STATE" --startup sometimes
expect_exit 2 vtpmd --device vtpm0 --state "$STATE" --power maybe
expect_exit 2 vtpmd --device vtpm0 --state nowhere:in/particular
expect_exit 2 vtpmd --device vtpm0 --state "$STATE" stray
expect_exit 0 vtpmd --help
expect_output '--device'
expect_exit 1 test -e "$WORK/state"

step "state that cannot be"
expect_exit 1 vtpmd --device vtpm0 --state "dir:$WORK/no/such/parent"
expect_output "$WORK/no/such"
expect_exit 1 vtpmd --device vtpm0 --state "$STATE" --create never
expect_output "$WORK/state"
expect_exit 1 test -e /dev/vtpm0

step "--create never takes what is there"
start_vtpmd vtpm0 --state "$STATE"
tpm2_nvdefine -Q -C o -s 4 -a 'ownerread|ownerwrite' 0x1500050
stop_vtpmd vtpm0
start_vtpmd vtpm0 --state "$STATE" --create never
expect_exit 0 tpm2_nvreadpublic 0x1500050
stop_vtpmd vtpm0

step "damaged state: the node is there, the TPM answers that it failed, and nothing is overwritten"
cp "$WORK/state/tpm2-00.permall" "$WORK/good"
for damage in truncated empty flipped; do
    case $damage in
    truncated) head -c 700 "$WORK/good" >"$WORK/state/tpm2-00.permall" ;;
    empty) : >"$WORK/state/tpm2-00.permall" ;;
    flipped) python3 -c '
import sys
blob = bytearray(open(sys.argv[1], "rb").read())
for i in range(16, 28): blob[i] ^= 0xFF # the magic of the TPM library within
open(sys.argv[2], "wb").write(blob)' "$WORK/good" "$WORK/state/tpm2-00.permall" ;;
    esac
    cp "$WORK/state/tpm2-00.permall" "$WORK/damaged"
    start_vtpmd vtpm0 --state "$STATE"
    expect_eq "$(tpm_send 80010000000c0000017b0008)" 80010000000a00000101 "the answer with $damage state"
    stop_vtpmd vtpm0
    expect_exit 0 cmp "$WORK/damaged" "$WORK/state/tpm2-00.permall"
done

step "with the good state back, all is well"
cp "$WORK/good" "$WORK/state/tpm2-00.permall"
start_vtpmd vtpm0 --state "$STATE"
expect_exit 0 tpm2_nvreadpublic 0x1500050
stop_vtpmd vtpm0

step "a limit for the size of files is a full disk; what a client causes over and over is told once, and counted"
(
    ulimit -f 3
    expect_exit 0 vtpmd --device vtpm0 --state "dir:$WORK/limited" --daemon --pid-file "$WORK/vtpm0.pid"
)
pids[vtpm0]=$(<"$WORK/vtpm0.pid")
refused=0
for index in 1 2 3 4 5 6 7 8; do
    tpm2_nvdefine -Q -C o -s 512 "0x150000$index" 2>"$WORK/refused" || ((refused += 1))
done
expect_exit 0 grep -q 'tpm:warn(2.0)\|0x923' "$WORK/refused"
expect_exit 0 tpm2_getrandom --hex 4
stop_vtpmd vtpm0
expect_eq "$(grep -c '\]: command 0x12a was undone' "$WORK/syslog")" 1 "times that it is told"
wait_for 5 grep -q "left out $((refused - 1)) more of this kind in the last minute: command 0x12a was undone" "$WORK/syslog"

step "messages go on when syslog is started anew"
start_vtpmd vtpm0 --state "$STATE"
kill "$(pgrep -f lib/syslog.py)"
rm /dev/log
(python3 "$LIB/syslog.py" "$WORK/syslog_anew" >/dev/null 2>&1 </dev/null &)
wait_for 5 test -S /dev/log
stop_vtpmd vtpm0
wait_for 5 grep -q 'ended by a signal' "$WORK/syslog_anew"

#!/bin/bash
# guest: --timeout 120
# SIGTERM, SIGINT and SIGHUP end the daemon in order: exit code 0, the node gone, and the next start can resume.

. tests/guest/lib/lib.sh

is_ready() { tpm2_getrandom 1; }

start_vtpmd vtpm0 --state "file:$WORK/state"
stop_vtpmd vtpm0
for signal in TERM INT HUP; do
    step "SIG$signal"
    # Started in the background, a shell's child ignores SIGINT; the daemon must not inherit that here.
    env --default-signal=INT,HUP vtpmd --device vtpm0 --state "file:$WORK/state" 2>"$WORK/log" &
    daemon=$!
    pids[vtpm0]=$daemon
    wait_for 20 test -c /dev/vtpm0
    wait_for 20 is_ready
    tpm2_pcrextend "7:sha256=$(openssl rand -hex 32)"
    before=$(pcr sha256 7)

    kill -"$signal" "$daemon"
    code=0
    wait "$daemon" || code=$?
    expect_eq "$code" 0 "exit code; the log: $(<"$WORK/log")"
    wait_for 5 is_missing /dev/vtpm0

    start_vtpmd vtpm0 --state "file:$WORK/state" --startup state
    expect_eq "$(pcr sha256 7)" "$before" "PCR 7 after Startup(STATE)"
    stop_vtpmd vtpm0
done

step "ignored at the start, as under nohup and in jobs of scripts: it stays ignored"
for signal in HUP INT; do
    rm -f "$WORK/pid"
    env "--ignore-signal=$signal" vtpmd --device vtpm0 --state "file:$WORK/state" --pid-file "$WORK/pid" 2>"$WORK/log" &
    daemon=$!
    pids[vtpm0]=$daemon
    wait_for 20 test -s "$WORK/pid"
    kill -"$signal" "$daemon"
    expect_exit 0 tpm2_getrandom --hex 4
    expect_eq "$(awk '/^Sig(Pnd|Blk|Ign):/ { print $2 }' "/proc/$daemon/status" | python3 -c '
import signal, sys
pending, blocked, ignored = (int(line, 16) >> signal.Signals["SIG" + sys.argv[1]] - 1 & 1 for line in sys.stdin)
print(pending, blocked, ignored)' "$signal")" "0 0 1" "SIG$signal pending, blocked, ignored"
    stop_vtpmd vtpm0
    wait "$daemon"
done

step "also while a client has the device open and waits"
start_vtpmd vtpm0 --state "file:$WORK/state"
python3 -c 'import os, select; f = os.open("/dev/vtpm0", os.O_RDWR); p = select.poll(); p.register(f, select.POLLIN)
print("open", flush=True); os._exit(0 if p.poll()[0][1] & select.POLLERR else 1)' >"$WORK/client" &
client=$!
wait_for 20 grep -q open "$WORK/client"
stop_vtpmd vtpm0
code=0
wait "$client" || code=$?
expect_eq "$code" 0 "the client's poll ended with POLLERR"

#!/bin/bash
# guest: --timeout 240
# Everything at once: threads and processes that race, garbage, kills, a full disk, a broken channel.

. tests/guest/lib/lib.sh

memory() { awk '/^VmRSS/ { print $2 }' "/proc/${pids[vtpm0]}/status"; }
descriptors() { find "/proc/${pids[vtpm0]}/fd" -type l | wc -l; }

step "threads on one file, openers that are killed, garbage"
start_vtpmd vtpm0 --state "dir:$WORK/state"
expect_exit 0 python3 "$LIB/stress.py" 8
memory_before=$(memory) descriptors_before=$(descriptors)
expect_exit 0 python3 "$LIB/stress.py" 12
tail -n 1 "$OUTPUT"
echo "resident memory: $memory_before kB, then $(memory) kB"
expect_eq "$(descriptors)" "$descriptors_before" "descriptors of the daemon"
(($(memory) < memory_before + 256)) || fail "the daemon grows: $memory_before kB, then $(memory) kB"
stop_vtpmd vtpm0

step "a hundred processes of a user who may not control keep the TPM busy: control waits for none of their commands"
useradd --system --no-create-home flooder
start_vtpmd vtpm0 --state "dir:$WORK/state"
chown flooder /dev/vtpm0
python3 "$LIB/flood.py" /dev/vtpm0 100 flooder >"$WORK/flood" &
flood=$!
wait_for 60 grep -q flooding "$WORK/flood"
executed() { vtpmctl status vtpm0 --json | jq .commands; }
before=$(executed)
expect_exit 0 timeout 100 vtpmctl power off --force vtpm0
echo "commands that were executed before the TPM was off: $(($(executed) - before))"
(($(executed) - before < 50)) || fail "the commands that waited came first"
expect_exit 0 timeout 100 vtpmctl power on vtpm0
kill "$flood"
wait "$flood" || true
stop_vtpmd vtpm0

step "a stopped daemon's clients go on when it goes on"
start_vtpmd vtpm0 --state "dir:$WORK/state"
kill -STOP "${pids[vtpm0]}"
tpm_send 80010000000c0000017b0008 >"$WORK/answer" &
sender=$!
kill -CONT "${pids[vtpm0]}"
wait "$sender"
expect_eq "$(head -c 20 "$WORK/answer")" 80010000001400000000 "the answer"
stop_vtpmd vtpm0

step "no space left: the command fails, what was stored stays, and it goes on once there is space"
mkdir "$WORK/small"
mount -t tmpfs -o size=64k tmpfs "$WORK/small"
start_vtpmd vtpm0 --state "dir:$WORK/small/state"
tpm2_nvdefine -Q -C o -s 4 -a 'ownerread|ownerwrite' 0x1500070
echo -n kept | tpm2_nvwrite -Q -C o -i - 0x1500070
head -c 1M /dev/zero >"$WORK/small/filler" 2>/dev/null || true
if tpm2_nvdefine -Q -C o -s 2000 0x1500071 2>/dev/null; then fail "an index was defined without space for it"; fi
rm "$WORK/small/filler"
expect_exit 0 swtpm_ioctl --tpm-device /dev/vtpm0 -i
tpm2_startup -c
expect_eq "$(tpm2_nvread -C o -s 4 0x1500070)" kept "the NV index"
tpm2_nvdefine -Q -C o -s 200 0x1500071
stop_vtpmd vtpm0

step "the connection is aborted under the daemon: it ends with a message, the state is safe"
vtpmd --device vtpm0 --state "dir:$WORK/small/state" 2>"$WORK/messages" &
daemon=$!
wait_for 10 grep -q 'TPM 2.0 on' "$WORK/messages"
echo 1 >/sys/class/cuse/vtpm0/abort
code=0
wait "$daemon" || code=$?
expect_eq "$code" 1 "exit code"
expect_exit 0 grep 'closed the device' "$WORK/messages"
start_vtpmd vtpm0 --state "dir:$WORK/small/state"
expect_eq "$(tpm2_nvread -C o -s 4 0x1500070)" kept "the NV index"

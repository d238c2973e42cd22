#!/bin/bash
# guest: --timeout 300
# State that is missing, late, damaged, sealed with another key or in other hands: what the user sees, and what survives.

. tests/guest/lib/lib.sh
INDEX=0x1500090
STATE=$WORK/state
GOOD="file=$WORK/key"
head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$WORK/key"
head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$WORK/other"
echo 'several words' >"$WORK/words"

define() { expect_exit 0 tpm2_nvdefine -Q -C o -s 6 -a 'ownerread|ownerwrite' "$INDEX"; }
write() { echo -n "$1" | tpm2_nvwrite -Q -C o -i - "$INDEX"; }
expect_index() { expect_eq "$(tpm2_nvread -C o -s 6 "$INDEX")" "$1" "the NV index"; }
expect_status() {
    expect_exit 0 vtpmctl status vtpm0
    expect_output "$1"
}
# failed REGEX ARGS...: the node is there, the TPM has failed, and the status says why.
failed() {
    local why=$1
    shift
    START_STATUS=3 start_vtpmd vtpm0 "$@"
    expect_output "the TPM has failed: .*$why"
    expect_status 'phase +failed'
    expect_output "$why"
    expect_eq "$(tpm_send 80010000000c0000017b0008)" 80010000000a00000101 "the answer in failure"
}
# The backup loaded into the TPM that has failed; it is what the next daemon finds.
mend() {
    expect_exit 0 vtpmctl state load vtpm0 --permanent "$WORK/backup"
    expect_exit 0 vtpmctl power on vtpm0 --startup clear
    expect_index secret
    stop_vtpmd vtpm0
    start_vtpmd vtpm0 --state "file:$STATE" --key "$GOOD"
    expect_index secret
    stop_vtpmd vtpm0
}
# slot BLOB COPY: the offset of a slot (docs/state_format.md).
slot() { echo $((8192 + (2 * $1 + $2) * 262144)); }
damage() { printf 'damage' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }

step "a state that should exist and does not is never made anew"
expect_exit 1 vtpmd --device vtpm0 --state "file:$STATE" --create never
expect_output 'cannot open .*/state: No such file'
expect_exit 1 vtpmd --device vtpm0 --state "file:$WORK/vanished/mount/state"
expect_output 'Make or mount the directory'
expect_exit 1 test -e "$WORK/vanished"
: >"$STATE"
expect_exit 1 vtpmd --device vtpm0 --state "file:$STATE" --create never
expect_output 'is empty.*was not allowed'
expect_eq "$(stat -c %s "$STATE")" 0 "the size of the empty file"

step "sealed from the beginning, and nothing readable in it"
start_vtpmd vtpm0 --state "file:$STATE" --key "$GOOD"
define
write secret
stop_vtpmd vtpm0
expect_exit 1 grep -q secret "$STATE"
start_vtpmd vtpm0 --state "file:$STATE" --key "$GOOD" --create never
expect_index secret
expect_exit 0 vtpmctl state save vtpm0 --permanent "$WORK/backup"
expect_exit 0 vtpmctl config vtpm0
expect_output 'yes'
stop_vtpmd vtpm0

step "--make-state reads a state that is there in the sandbox only"
expect_exit 0 strace -f -y -e trace=seccomp,pread64 -o "$WORK/calls" vtpmd --make-state --device vtpm0 --state "file:$STATE" --key "$GOOD"
filtered=$(grep -n 'SECCOMP_SET_MODE_FILTER.* = 0$' "$WORK/calls" | tail -1 | cut -d: -f1)
read=$(grep -n "pread64(.*$STATE" "$WORK/calls" | head -1 | cut -d: -f1)
((filtered < read)) || fail "the state is read at line $read, the filter loaded at line $filtered"
start_vtpmd vtpm0 --state "file:$STATE" --key "$GOOD"
expect_index secret
stop_vtpmd vtpm0

step "wrong key, no key, a passphrase: told apart, and nothing is changed"
sum=$(sha256sum <"$STATE")
failed 'the key for the state in .* is wrong' --state "file:$STATE" --key "file=$WORK/other"
stop_vtpmd vtpm0
failed 'sealed with a key, and none was given' --state "file:$STATE"
stop_vtpmd vtpm0
failed 'sealed with a key, and a passphrase was given' --state "file:$STATE" --key "pwdfile=$WORK/words"
stop_vtpmd vtpm0
expect_eq "$(sha256sum <"$STATE")" "$sum" "the state file"
expect_exit 1 vtpmd --device vtpm0 --state "file:$STATE" --key "file=$WORK/words"
expect_output 'hexadecimal digits'
start_vtpmd vtpm0 --state "file:$WORK/plain"
stop_vtpmd vtpm0
failed 'is not sealed, and a key was given' --state "file:$WORK/plain" --key "$GOOD"
stop_vtpmd vtpm0

step "the key is in no argument, log or environment of the daemon"
start_vtpmd vtpm0 --state "file:$STATE" --key "$GOOD"
key=$(<"$WORK/key")
for place in cmdline environ; do expect_exit 1 grep -aq "$key" "/proc/${pids[vtpm0]}/$place"; done
expect_exit 1 grep -rq "$key" "$WORK/syslog"
write second
stop_vtpmd vtpm0

step "the newest slot damaged: one change back, and the log says so"
cp "$STATE" "$WORK/whole"
newest=$(python3 - "$STATE" <<'EOF'
import struct, sys
data = open(sys.argv[1], "rb").read()
offsets = [8192, 8192 + 262144]
print(max(offsets, key=lambda o: struct.unpack(">Q", data[o + 16:o + 24])[0]))
EOF
)
damage "$STATE" $((newest + 200))
start_vtpmd vtpm0 --state "file:$STATE" --key "$GOOD"
expect_output 'going on from the other'
expect_status 'phase +on'
expect_index second # the newest was the TPM2_Shutdown of the end
stop_vtpmd vtpm0

step "both slots damaged: failure with the reason, never a new TPM, and a backup mends it"
damage "$STATE" $(($(slot 0 0) + 200))
damage "$STATE" $(($(slot 0 1) + 200))
failed 'permanent state of a TPM 2.0 in .* is damaged: its checksum does not fit' --state "file:$STATE" --key "$GOOD"
expect_exit 1 vtpmctl power on vtpm0
mend

step "both headers damaged: the same"
damage "$STATE" 20
damage "$STATE" $((4096 + 20))
failed 'is damaged: .* in either copy' --state "file:$STATE" --key "$GOOD"
mend

step "something else under that name is never touched"
echo 'a letter' >"$WORK/letter"
failed "holds something else than a TPM's state" --state "file:$WORK/letter"
expect_exit 0 vtpmctl state load vtpm0 --permanent "$WORK/backup"
expect_exit 1 vtpmctl power on vtpm0
expect_eq "$(<"$WORK/letter")" 'a letter' "the letter"
stop_vtpmd vtpm0

step "the file removed under a running TPM: changes are refused, the rest goes on"
start_vtpmd vtpm0 --state "file:$WORK/plain"
define
rm "$WORK/plain"
expect_exit 1 bash -c "echo -n lostxx | tpm2_nvwrite -Q -C o -i - $INDEX"
expect_output '0x923'
expect_exit 0 tpm2_getrandom --hex 8
stop_vtpmd vtpm0

step "locks: a second vtpmd, and a real swtpm either way"
start_vtpmd vtpm0 --state "file:$STATE" --key "$GOOD"
expect_exit 1 vtpmd --device vtpm1 --state "file:$STATE" --key "$GOOD"
expect_output 'is in use by another process'
stop_vtpmd vtpm0
start_vtpmd vtpm0 --state "dir:$WORK/dir"
expect_exit 1 swtpm socket --tpm2 --tpmstate "dir=$WORK/dir" --ctrl type=tcp,port=4322 --server type=tcp,port=4321 \
    --flags not-need-init,startup-clear
stop_vtpmd vtpm0
swtpm socket --tpm2 --tpmstate "dir=$WORK/dir" --ctrl type=tcp,port=4322 --server type=tcp,port=4321 \
    --flags not-need-init,startup-clear >"$WORK/swtpm.log" 2>&1 &
swtpm=$!
wait_for 10 swtpm_ioctl --tcp 127.0.0.1:4322 -c
expect_exit 1 vtpmd --device vtpm0 --state "dir:$WORK/dir"
expect_output 'is in use by'
kill "$swtpm"
wait "$swtpm" || true

step "storage that comes later: the nodes are there, commands are to be sent again, then it goes on"
truncate -s 16M "$WORK/disk"
mkfs.ext4 -q "$WORK/disk"
mkdir "$WORK/late"
modprobe loop
mount -o loop "$WORK/disk" "$WORK/late"
start_vtpmd vtpm0 --state "file:$STATE" --key "$GOOD"
write later1
stop_vtpmd vtpm0
cp "$STATE" "$WORK/late/state"
umount "$WORK/late"
start_vtpmd vtpm0 --state "file:$WORK/late/state" --key "$GOOD" --state-wait
expect_status 'phase +off'
expect_output 'reason +cannot open .*/late/state: No such file'
expect_eq "$(tpm_send 80010000000c0000017b0008)" 80010000000a00000922 "the answer while waiting"
expect_eq "$(ls "$WORK/late")" "" "what was made in the empty directory"
expect_exit 1 vtpmctl state load vtpm0 --permanent "$WORK/backup" # not over a state that comes later
expect_exit 0 vtpmctl power off vtpm0
expect_exit 0 vtpmctl state load vtpm0 --permanent "$WORK/backup"
expect_exit 1 vtpmctl power on vtpm0
expect_output '0x800'
expect_status 'phase +off'
sleep 1
mount -o loop "$WORK/disk" "$WORK/late"
wait_for 10 bash -c "vtpmctl status vtpm0 | grep -q 'phase *on, started'"
expect_index later1
write afterw
stop_vtpmd vtpm0
umount "$WORK/late"

step "storage that somebody else holds for a while"
start_vtpmd vtpm0 --state "file:$WORK/held" --key "$GOOD"
define
start_vtpmd vtpm1 --state "file:$WORK/held" --key "$GOOD" --state-wait
expect_exit 0 vtpmctl status vtpm1
expect_output 'reason .* is in use by another process'
stop_vtpmd vtpm0
wait_for 10 bash -c "vtpmctl status vtpm1 | grep -q 'phase *on, started'"
stop_vtpmd vtpm1

step "a file that was replaced before the TPM was powered on"
start_vtpmd vtpm0 --state "file:$WORK/held" --key "$GOOD" --power off --migration incoming
cp "$WORK/held" "$WORK/beside"
mv "$WORK/beside" "$WORK/held"
expect_exit 0 vtpmctl power on vtpm0 --startup clear
expect_exit 0 tpm2_nvreadpublic "$INDEX"
expect_exit 1 vtpmd --device vtpm1 --state "file:$WORK/held" --key "$GOOD"
expect_output 'is in use by another process'
stop_vtpmd vtpm0

step "a block device, claimed while it is in use"
truncate -s 8M "$WORK/device"
loop=$(losetup --find --show "$WORK/device")
start_vtpmd vtpm0 --state "file:$loop" --key "pwdfile=$WORK/words"
define
write device
expect_exit 1 mkfs.ext4 -q "$loop"
kill -KILL "${pids[vtpm0]}"
wait_for 10 is_missing /dev/vtpm0
start_vtpmd vtpm0 --state "file:$loop" --key "pwdfile=$WORK/words" --create never
expect_index device
stop_vtpmd vtpm0

step "a disk that two hosts share: what the other has written is read, whatever is in this one's cache"
truncate -s 8M "$WORK/shared"
here=$(losetup --find --show "$WORK/shared")
there=$(losetup --find --show "$WORK/shared")
exec 7<"$here" # keeps the cache
for host in "$here" "$there"; do
    start_vtpmd vtpm0 --state "file:$host"
    [[ $host == "$there" ]] || define
    write "${host:5:5}x"
    last=${host:5:5}x
    stop_vtpmd vtpm0
done
start_vtpmd vtpm0 --state "file:$here" --create never
expect_index "$last"
stop_vtpmd vtpm0
exec 7<&-
losetup -d "$here" "$there"

step "a device that is too small, or something else's"
truncate -s 1M "$WORK/small"
small=$(losetup --find --show "$WORK/small")
expect_exit 1 vtpmd --device vtpm0 --state "file:$small"
expect_output 'needs 3153920'
mkfs.ext4 -qF "$loop"
failed "holds something else than a TPM's state" --state "file:$loop"
stop_vtpmd vtpm0
losetup -d "$loop" "$small"

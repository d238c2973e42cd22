#!/bin/bash
# guest: --udev --timeout 120
# The TPM version is switched behind a node that stays; udev hears of it; a TPM in failure is mended the same way.

. tests/guest/lib/lib.sh

ctl() { expect_exit "$1" vtpmctl "${@:2}"; }
version_of() { vtpmctl status vtpm0 --json | jq -r .version; }
changes() { grep -c 'change.*/vtpm0 ' "$WORK/events" || true; }
changed_twice() { [[ $(changes) == 2 ]]; }
udevadm monitor --udev --subsystem-match=cuse >"$WORK/events" &
wait_for 10 grep -q 'received events' "$WORK/events"

step "a TPM 2.0 in use"
start_vtpmd vtpm0 --state "dir:$WORK/state"
exec 9<>/dev/vtpmctl0 # stays open through everything
node=$(stat -c '%i %t:%T' /dev/vtpm0)
tpm2_nvdefine -Q -C o -s 4 -a 'ownerread|ownerwrite' 0x1500050
ctl 1 version vtpm0 1.2
expect_output 'powered off'
expect_eq "$(version_of)" 2.0 "the version after a refusal"
expect_eq "$(changes)" 0 "change events"

step "as TPM 1.2, with a state of its own"
ctl 0 power off vtpm0
ctl 0 version vtpm0 1.2
wait_for 10 grep -q 'change.*/vtpm0 ' "$WORK/events"
ctl 0 power on vtpm0 --startup clear
answer=$(tpm_send 00c100000012000000650000001a00000000) # which version is it?
expect_eq "${answer:0:4} ${answer:12:8}" "00c4 00000000" "the answer's tag and code"
expect_exit 0 test -s "$WORK/state/tpm-00.permall"

step "back, while a client has the raw node open"
exec 8<>/dev/vtpm0
ctl 1 power off vtpm0
expect_output 'families\.sh.* has its raw node open'
ctl 0 power off vtpm0 --force
ctl 0 version vtpm0 2.0
ctl 0 power on vtpm0 --startup clear
exec 8>&-
expect_exit 0 tpm2_getcap handles-nv-index
expect_eq "$(<"$OUTPUT")" "- 0x1500050" "NV indices after two switches"
wait_for 10 changed_twice
expect_eq "$(stat -c '%i %t:%T' /dev/vtpm0)" "$node" "the node"

step "an interrupted upgrade: damaged 2.0 state, 1.2 still runs, and a good state mends it"
ctl 0 state save vtpm0 --permanent "$WORK/good"
ctl 0 power off vtpm0
head -c 100 "$WORK/state/tpm2-00.permall" >"$WORK/half"
cp "$WORK/half" "$WORK/state/tpm2-00.permall"
ctl 1 power on vtpm0
expect_eq "$(tpm_send 80010000000c0000017b0008)" 80010000000a00000101 "the answer in failure"
ctl 0 version vtpm0 1.2
ctl 0 power on vtpm0 --startup clear
ctl 0 power off vtpm0
ctl 0 version vtpm0 2.0
ctl 0 state load vtpm0 --permanent "$WORK/good"
ctl 0 power on vtpm0 --startup clear
expect_exit 0 tpm2_getcap handles-nv-index
expect_eq "$(<"$OUTPUT")" "- 0x1500050" "NV indices after the mending"
expect_eq "$(stat -c '%i %t:%T' /dev/vtpm0)" "$node" "the node"

#!/bin/bash
# Every verb of vtpmctl on a real device, while another program holds the raw node where that is possible.

. tests/guest/lib/lib.sh
start_vtpmd vtpm0 --state "dir:$WORK/state"

# ctl CODE ARG...: vtpmctl ends with that code; what it printed is in $OUTPUT.
ctl() { expect_exit "$1" vtpmctl "${@:2}"; }
field() { jq -r "$1" "$OUTPUT"; }

step "questions, with the raw node held by somebody"
exec 9<>/dev/vtpm0
ctl 0 list --json
expect_eq "$(field '.[0] | "\(.device) \(.control_node)"')" "/dev/vtpm0 /dev/vtpmctl0" "the nodes listed"
ctl 0 list
expect_output "^vtpm0 +- +2\\.0 +on, started +[^ ]+ \\(process $$\\) +0 of [0-9]+ failed tries"
ctl 0 status vtpm0 --json
expect_eq "$(field '"\(.phase) \(.version) \(.in_use) \(.storage_locked) \(.pid)"')" "on 2.0 true true ${pids[vtpm0]}" "the status"
ctl 0 caps /dev/vtpm0
expect_output '0x1f00016fff'
ctl 0 info vtpm0
expect_output 'TPMSpecification family +2\.0'
ctl 0 config vtpm0 --json
ctl 0 status /dev/vtpm0 --json
expect_eq "$(field '"\(.opener) \(.in_use) \(.lockout_known) \(.failed_tries) \(.outdated)"')" "$$ true true 0 false" "the holder and the lockout"
exec 9>&-

step "errors as JSON, and what was meant"
expect_exit 1 vtpmctl cancel vtpm9 --json
expect_eq "$(jq -r '"\(.kind) \(.exit_status)"' "$OUTPUT")" "not_found 1" "the error"
ctl 2 sttaus vtpm0
expect_output 'did you mean status'
ctl 2 power vtpm0 reset
expect_output 'right order is: vtpmctl power reset vtpm0'

step "commands"
ctl 0 send vtpm0 80010000000c0000017b0008
expect_output 'TPM_RC_SUCCESS'
ctl 1 send vtpm0 80010000000a00000199
expect_output 'TPM_RC_COMMAND_CODE'
ctl 2 send vtpm0 xyz
ctl 0 cancel vtpm0
ctl 0 locality vtpm0 2
ctl 0 status vtpm0 --json
expect_eq "$(field .locality)" 2 "the locality"
ctl 0 locality vtpm0 0
ctl 2 locality vtpm0 5

step "the established flag and the hash interface"
ctl 0 established vtpm0
expect_output 'no'
echo measured >"$WORK/file"
before=$(tpm2_pcrread sha256:17)
ctl 0 hash vtpm0 "$WORK/file"
expect_ne "$(tpm2_pcrread sha256:17)" "$before" "PCR 17 after the hash"
ctl 0 established vtpm0
expect_output 'yes'
ctl 0 established vtpm0 --reset 3
ctl 0 established vtpm0
expect_output 'no'

step "state: saved, changed, loaded, and as it was"
tpm2_nvdefine -Q -C o -s 4 -a 'ownerread|ownerwrite' 0x1500080
echo -n kept | tpm2_nvwrite -Q -C o -i - 0x1500080
ctl 0 state save vtpm0 --permanent "$WORK/p" --volatile "$WORK/v"
expect_eq "$(stat -c %a "$WORK/p")" 600 "the mode of a saved blob"
pcr=$(tpm2_pcrread sha256:17)
echo -n late | tpm2_nvwrite -Q -C o -i - 0x1500080
ctl 1 state load vtpm0 --permanent "$WORK/p"
expect_output 'powered off'
ctl 0 power off vtpm0
ctl 0 state load vtpm0 --permanent "$WORK/p" --volatile "$WORK/v"
ctl 0 power on vtpm0
expect_eq "$(tpm2_nvread -C o -s 4 0x1500080)" kept "the NV index"
expect_eq "$(tpm2_pcrread sha256:17)" "$pcr" "PCR 17"
ctl 0 state store-volatile vtpm0
expect_exit 0 test -s "$WORK/state/tpm2-00.volatilestate"
ctl 1 state save vtpm0 --savestate "$WORK/s"
expect_exit 1 test -e "$WORK/s"

step "power, buffer size, version, lock"
ctl 1 buffer-size vtpm0 3968
ctl 0 power reset vtpm0 --delete-volatile
expect_exit 1 test -e "$WORK/state/tpm2-00.volatilestate"
ctl 0 power off vtpm0
ctl 0 buffer-size vtpm0 3968 --json
expect_eq "$(field .size)" 3968 "the buffer size"
ctl 0 version vtpm0 1.2
ctl 0 power on vtpm0
ctl 0 status vtpm0 --json
expect_eq "$(field .version)" 1.2 "the version"
ctl 1 version vtpm0 2.0
ctl 0 power off vtpm0
ctl 0 version vtpm0 2.0
ctl 0 power on vtpm0 --startup clear
expect_eq "$(tpm2_nvread -C o -s 4 0x1500080)" kept "the NV index after the other version"
ctl 0 lock vtpm0

step "a TPM in failure says why, and a good state mends it"
ctl 0 power off vtpm0
echo damaged >"$WORK/state/tpm2-00.permall"
ctl 1 power on vtpm0
ctl 0 status vtpm0
expect_output 'failed'
expect_output 'damaged state'
ctl 0 state load vtpm0 --permanent "$WORK/p"
ctl 0 power on vtpm0 --startup clear
expect_eq "$(tpm2_nvread -C o -s 4 0x1500080)" kept "the NV index in the mended TPM"

step "who may not, and what is not there"
expect_exit 1 setpriv --reuid=65534 --regid=65534 --clear-groups "$VTPM_BIN/vtpmctl" status vtpm0
expect_output 'ermission'
ctl 1 status vtpm9
ctl 2 no-such-verb
ctl 0 terminate vtpm0
wait_for 10 is_gone "${pids[vtpm0]}"
unset "pids[vtpm0]"
expect_exit 1 test -e /dev/vtpm0

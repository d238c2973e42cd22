#!/bin/bash
# guest: --timeout 120
# A second daemon for a device name or a state directory that is in use ends with an error that says so; the first goes on.

. tests/guest/lib/lib.sh

start_vtpmd vtpm0 --state "dir:$WORK/state"
tpm2_pcrextend "16:sha256=$(openssl rand -hex 32)"
before=$(pcr sha256 16)
number=$(stat -c %t:%T /dev/vtpm0)

expect_first_unharmed() {
    kill -0 "${pids[vtpm0]}" || fail "the first daemon has gone"
    expect_eq "$(stat -c %t:%T /dev/vtpm0)" "$number" "the device number"
    expect_eq "$(pcr sha256 16)" "$before" "PCR 16"
}

for how in "" --daemon; do
    step "the same device name${how:+, $how}"
    # shellcheck disable=SC2086  # no argument if empty
    expect_exit 1 vtpmd --device vtpm0 --state "dir:$WORK/other" $how
    expect_output 'vtpm0'
    expect_output 'in use|taken|exists|already'
    expect_first_unharmed

    step "the same state${how:+, $how}"
    # shellcheck disable=SC2086
    expect_exit 1 vtpmd --device vtpm1 --state "dir:$WORK/state" $how
    expect_output "$WORK/state"
    expect_output 'in use|lock'
    expect_exit 1 test -e /dev/vtpm1
    expect_first_unharmed
done

step "what the first one stores is its own, and both names are free afterwards"
tpm2_nvdefine -Q -C o -s 4 -a 'ownerread|ownerwrite' 0x1500030
stop_vtpmd vtpm0
start_vtpmd vtpm1 --state "dir:$WORK/state"
expect_exit 0 tpm2_getcap -T device:/dev/vtpm1 handles-nv-index
expect_eq "$(<"$OUTPUT")" "- 0x1500030" "NV indices in the first state"
start_vtpmd vtpm0 --state "dir:$WORK/other"
expect_exit 0 tpm2_getcap handles-nv-index
expect_eq "$(<"$OUTPUT")" "" "NV indices in the other state"

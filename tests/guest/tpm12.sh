#!/bin/bash
# guest: --timeout 120
# A TPM 1.2 on the same kind of node: it answers 1.2's commands and keeps its state.

. tests/guest/lib/lib.sh

GET_PCR_COUNT=00c10000001600000065000000050000000400000101 # TPM_GetCapability(TPM_CAP_PROPERTY, TPM_CAP_PROP_PCR)
GET_FLAGS=00c10000001600000065000000040000000400000108 # TPM_GetCapability(TPM_CAP_FLAG, TPM_CAP_FLAG_PERMANENT)
PCR_READ_10=00c10000000e000000150000000a
PCR_EXTEND_10=00c100000022000000140000000a$(printf 'ab%.0s' {1..20})
PRESENCE_COMMAND_ENABLE=00c10000000c4000000a0020
PRESENCE=00c10000000c4000000a0008
PHYSICAL_ENABLE=00c10000000a0000006f
PHYSICAL_DISABLE=00c10000000a00000070
SAVE_STATE=00c10000000a00000098
OK=00c40000000a00000000

# TPM_PERMANENT_FLAGS: a tag of two bytes, then `disable`, in a response with 10 + 4 bytes before.
disabled() { tpm_send "$GET_FLAGS" | cut -c33-34; }

step "TPM_GetCapability and TPM_PCRRead"
start_vtpmd vtpm0 --tpm 1.2 --state "file:$WORK/state"
expect_eq "$(tpm_send "$GET_PCR_COUNT")" 00c400000012000000000000000400000018 "number of PCRs: 24"
expect_eq "$(tpm_send "$PCR_READ_10")" "00c40000001e00000000$(printf '0%.0s' {1..40})" "PCR 10"

step "a TPM 2.0 command is none of its own"
expect_eq "$(tpm_send 80010000000c0000017b0008)" 00c40000000a0000000a "the answer: TPM_BAD_ORDINAL"

step "a permanent flag is kept over a restart, both ways"
expect_eq "$(tpm_send "$PRESENCE_COMMAND_ENABLE" "$PRESENCE" | sort -u)" $OK "physical presence"
for way in "$PHYSICAL_ENABLE 00" "$PHYSICAL_DISABLE 01" "$PHYSICAL_ENABLE 00"; do
    read -r command flag <<<"$way"
    expect_eq "$(tpm_send "$PRESENCE" "$command" | sort -u)" $OK "the command"
    expect_eq "$(disabled)" "$flag" "the flag"
    stop_vtpmd vtpm0
    start_vtpmd vtpm0 --tpm 1.2 --state "file:$WORK/state"
    expect_eq "$(disabled)" "$flag" "the flag after a restart"
done

step "PCRs saved with TPM_SaveState are there after --startup state, and only then"
extended=$(tpm_send "$PCR_EXTEND_10")
expect_eq "${extended:0:20}" 00c40000001e00000000 "the response to TPM_Extend"
expect_eq "$(tpm_send "$SAVE_STATE")" $OK "TPM_SaveState"
stop_vtpmd vtpm0
start_vtpmd vtpm0 --tpm 1.2 --state "file:$WORK/state" --startup state
expect_eq "$(tpm_send "$PCR_READ_10")" "$extended" "PCR 10"
stop_vtpmd vtpm0
start_vtpmd vtpm0 --tpm 1.2 --state "file:$WORK/state"
expect_eq "$(tpm_send "$PCR_READ_10")" "00c40000001e00000000$(printf '0%.0s' {1..40})" "PCR 10 after a plain restart"

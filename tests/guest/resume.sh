#!/bin/bash
# guest: --timeout 180
# A guest that suspends: TPM2_Shutdown(STATE), some last command, power off and on, TPM2_Startup(STATE). It resumes.

. tests/guest/lib/lib.sh

suspend() {
    expect_exit 0 tpm2_shutdown
    expect_exit 0 tpm2_getrandom --hex 8 # undoes the Shutdown: without the rule, resuming is not possible any more
}

extend() { tpm2_pcrextend "7:sha256=$(openssl rand -hex 32)"; }

step "power on while on"
start_vtpmd vtpm0 --state "file:$WORK/state"
extend
before=$(pcr sha256 7)
expect_ne "$before" "$(printf '0%.0s' {1..64})" "PCR 7"
suspend
expect_exit 0 swtpm_ioctl --tpm-device /dev/vtpm0 -i
expect_exit 0 tpm2_startup
expect_eq "$(pcr sha256 7)" "$before" "PCR 7 after Startup(STATE)"

step "power off, power on"
extend
before=$(pcr sha256 7)
suspend
expect_exit 0 swtpm_ioctl --tpm-device /dev/vtpm0 --stop
expect_eq "$(tpm_send 80010000000c0000017b0008)" 80010000000a00000101 "an answer without power"
expect_exit 0 swtpm_ioctl --tpm-device /dev/vtpm0 -i
expect_exit 0 tpm2_startup
expect_eq "$(pcr sha256 7)" "$before" "PCR 7 after Startup(STATE)"

step "the daemon ended and started again with --startup state"
extend
before=$(pcr sha256 7)
suspend
stop_vtpmd vtpm0
start_vtpmd vtpm0 --state "file:$WORK/state" --startup state
expect_eq "$(pcr sha256 7)" "$before" "PCR 7 after Startup(STATE)"

step "Startup(CLEAR) after all that starts from zero"
expect_exit 0 swtpm_ioctl --tpm-device /dev/vtpm0 -i
expect_exit 0 tpm2_startup -c
expect_eq "$(pcr sha256 7)" "$(printf '0%.0s' {1..64})" "PCR 7 after Startup(CLEAR)"
stop_vtpmd vtpm0

# GetRandom leaves a stored state alone; a PCR that changes makes it void, there and on disk.
step "a last command that makes the saved state void: resumed all the same"
start_vtpmd vtpm0 --state "file:$WORK/state"
expect_exit 0 tpm2_shutdown
extend
before=$(pcr sha256 7)
expect_exit 0 swtpm_ioctl --tpm-device /dev/vtpm0 -i
expect_exit 0 tpm2_startup
expect_eq "$(pcr sha256 7)" "$before" "PCR 7 after Startup(STATE)"
stop_vtpmd vtpm0

step "but not with --no-auto-shutdown"
start_vtpmd vtpm0 --state "file:$WORK/state" --no-auto-shutdown
expect_exit 0 tpm2_shutdown
extend
expect_exit 0 swtpm_ioctl --tpm-device /dev/vtpm0 -i
expect_exit 1 tpm2_startup
expect_output 0x1C4
expect_exit 0 tpm2_startup -c
stop_vtpmd vtpm0

step "stored volatile state: the daemon goes on from it at every start, and sends no Startup"
start_vtpmd vtpm0 --state "file:$WORK/state"
extend
before=$(pcr sha256 7)
expect_exit 0 vtpmctl state store-volatile vtpm0
for round in first second; do
    stop_vtpmd vtpm0
    start_vtpmd vtpm0 --state "file:$WORK/state"
    expect_eq "$(pcr sha256 7)" "$before" "PCR 7 after the $round start"
done
expect_exit 0 vtpmctl power reset vtpm0 --delete-volatile
stop_vtpmd vtpm0
start_vtpmd vtpm0 --state "file:$WORK/state"
expect_eq "$(pcr sha256 7)" "$(printf '0%.0s' {1..64})" "PCR 7 once the stored state was removed"

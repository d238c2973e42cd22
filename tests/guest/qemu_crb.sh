#!/bin/bash
# guest: --mem 2G --timeout 400
# QEMU's passthrough backend with a CRB device: it takes a TPM whose buffer fits its own, 3968 bytes.

. tests/guest/lib/lib.sh
. tests/guest/lib/qemu.sh
COMMAND_SECONDS=220
make_initramfs

step "a larger buffer is refused by QEMU"
start_vtpmd vtpm0 --state "file:$WORK/state"
expect_exit 1 qemu-system-x86_64 -accel tcg -nodefaults -display none \
    -tpmdev passthrough,id=t0,path=/dev/vtpm0,cancel-path=/dev/null -device tpm-crb,tpmdev=t0
expect_output 'buffer size of 3968 is smaller than .* 4096'
stop_vtpmd vtpm0

step "with --buffer-size 3968 the kernel in the machine finds a TPM 2.0, here one that is started"
start_vtpmd vtpm0 --state "file:$WORK/state" --buffer-size 3968
tpm2_pcrextend "9:sha256=$(openssl rand -hex 32)"
before=$(pcr sha256 9)
boot_machine tpm-crb "$WORK/console.started"
expect_exit 0 grep -aE '^tpm: version 2' "$WORK/console.started"
expect_eq "$(machine_pcr "$WORK/console.started" 9)" "$before" "PCR 9 in the machine"
expect_ne "$(pcr sha256 9)" "$before" "PCR 9, which the machine extended"

step "powered by its opener, the firmware measures, each time the same, and what is persistent stays"
stop_vtpmd vtpm0 # firmware that finds a TPM started by somebody else disables its hierarchies
start_vtpmd vtpm0 --state "file:$WORK/state"
tpm2_createprimary -Q -C o -c "$WORK/primary"
tpm2_evictcontrol -Q -C o -c "$WORK/primary" 0x81000020
stop_vtpmd vtpm0
start_vtpmd vtpm0 --state "file:$WORK/state" --buffer-size 3968 --power at-open
for start in 1 2; do
    boot_machine tpm-crb "$WORK/console.$start"
    expect_exit 0 grep -aE '^tpm: version 2' "$WORK/console.$start"
    expect_firmware_measured "$WORK/console.$start"
done
expect_eq "$(measured "$WORK/console.2")" "$(measured "$WORK/console.1")" "measurements of two starts"
stop_vtpmd vtpm0
start_vtpmd vtpm0 --state "file:$WORK/state"
expect_exit 0 tpm2_readpublic -c 0x81000020

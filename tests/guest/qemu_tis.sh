#!/bin/bash
# guest: --mem 2G --timeout 580
# QEMU's passthrough backend with a TIS device: the virtual machine's firmware and kernel find a TPM 2.0 and use it.

. tests/guest/lib/lib.sh
. tests/guest/lib/qemu.sh
COMMAND_SECONDS=220
make_initramfs

# The firmware has to send the first Startup: SeaBIOS gives a TPM up that somebody else has started.
step "a machine on a TPM that is on and not started"
start_vtpmd vtpm0 --state "file:$WORK/state" --startup none
boot_machine tpm-tis "$WORK/console"
expect_exit 0 grep -a '2.0 TPM (device-id 0x1' "$WORK/console"
expect_firmware_measured "$WORK/console"
for i in {0..7}; do expect_eq "$(pcr sha256 "$i")" "$(machine_pcr "$WORK/console" "$i")" "PCR $i on the device"; done
expect_ne "$(pcr sha256 9)" "$(printf '0%.0s' {1..64})" "PCR 9, which the machine extended"

step "something to keep"
start_over() {
    stop_vtpmd vtpm0
    start_vtpmd vtpm0 --state "file:$WORK/state" "$@"
}
start_over
tpm2_nvdefine -Q -C o -s 4 -a 'ownerread|ownerwrite' 0x1500060
echo -n kept | tpm2_nvwrite -Q -C o -i - 0x1500060
tpm2_createprimary -Q -C o -G ecc256 -c "$WORK/primary.ctx"
flush
tpm2_evictcontrol -Q -C o -c "$WORK/primary.ctx" 0x81000060
flush
tpm2_readpublic -Q -c 0x81000060 -f pem -o "$WORK/key.pem"

step "with --power at-open each start of the machine is a power cycle: the same measurements from reset PCRs"
start_over --power at-open
for start in 1 2; do boot_machine tpm-tis "$WORK/console.$start"; done
for start in 1 2; do
    expect_exit 0 grep -a '2.0 TPM (device-id 0x1' "$WORK/console.$start"
    expect_firmware_measured "$WORK/console.$start"
done
expect_eq "$(measured "$WORK/console.2")" "$(measured "$WORK/console.1")" "measurements of two starts"

step "and what was kept is still there"
start_over
expect_eq "$(tpm2_nvread -C o -s 4 0x1500060)" kept "the NV index"
tpm2_readpublic -Q -c 0x81000060 -f pem -o "$WORK/key.again.pem"
expect_exit 0 cmp "$WORK/key.pem" "$WORK/key.again.pem"

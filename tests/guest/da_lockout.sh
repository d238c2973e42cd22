#!/bin/bash
# guest: --timeout 300
# Power that is cut again and again, with a key in use that is protected against dictionary attacks, does not count as
# an attack: the TPM is sent TPM2_Shutdown before each power-on. Without that rule, each cut counts.

. tests/guest/lib/lib.sh

# The counter of failed tries. The shell reads the hexadecimal number: not every awk can.
tries() {
    local counter
    counter=$(tpm2_getcap properties-variable | awk '/TPM2_PT_LOCKOUT_COUNTER:/ { print $2 }')
    echo $((counter))
}

# A key with an authorization value and without `noda`, in use: from now on, power lost without a Shutdown is a try.
make_key() {
    tpm2_createprimary -Q -C o -G ecc256 -c "$WORK/primary.ctx"
    flush
    tpm2_create -Q -C "$WORK/primary.ctx" -G ecc256:ecdsa-sha256 -p sesame -u "$WORK/key.pub" -r "$WORK/key.priv"
    flush
    tpm2_load -Q -C "$WORK/primary.ctx" -u "$WORK/key.pub" -r "$WORK/key.priv" -c "$WORK/key.ctx"
    flush
    tpm2_evictcontrol -Q -C o -c "$WORK/key.ctx" 0x81000020
    flush
    echo message >"$WORK/message"
}

sign_with() { tpm2_sign -Q -c 0x81000020 -p "$1" -g sha256 -o "$WORK/signature" "$WORK/message"; }

# As when a virtual machine is reset: no word to the TPM from the guest.
cut_power() {
    expect_exit 0 swtpm_ioctl --tpm-device /dev/vtpm0 -i
    expect_exit 1 tpm2_getrandom 1 # it has been off
    expect_exit 0 tpm2_startup -c
}

start_vtpmd vtpm0 --state "file:$WORK/state"
make_key

step "a wrong value counts, and the right one works"
expect_eq "$(tries)" 0 "tries"
if sign_with guessed 2>/dev/null; then fail "a wrong authorization value was accepted"; fi
expect_eq "$(tries)" 1 "tries after a wrong value"
sign_with sesame
expect_eq "$(tries)" 1 "tries after the right value"
tpm2_dictionarylockout --clear-lockout
expect_eq "$(tries)" 0 "tries after a reset of the counter"

step "ten power cuts with the key in use do not count"
for i in {1..10}; do
    sign_with sesame
    cut_power
    expect_eq "$(tries)" 0 "tries after power cut $i"
done
stop_vtpmd vtpm0

step "with --no-auto-shutdown each of them counts"
start_vtpmd vtpm0 --state "file:$WORK/state" --no-auto-shutdown
for i in 1 2; do
    sign_with sesame
    cut_power
    expect_eq "$(tries)" "$i" "tries after power cut $i"
done

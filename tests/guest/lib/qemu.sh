# shellcheck shell=bash
# A virtual machine that has /dev/vtpm0 as its TPM, through QEMU's passthrough backend. Sourced after lib.sh.

KERNEL=$(printf '%s\n' /boot/vmlinuz-*-cloud-amd64 | tail -n 1)

# Makes the machine's only file system: one program that prints the PCRs.
make_initramfs() {
    [[ -r $KERNEL ]] || fail "no kernel for the virtual machine: $KERNEL"
    cc -O1 -static -o "$WORK/first_process" "$LIB/first_process.c"
    python3 "$LIB/newc.py" "$WORK/initramfs" "$WORK/first_process"
}

# boot_machine MODEL LOG: until it powers off. MODEL is tpm-tis or tpm-crb. SeaBIOS is the first to use the TPM, then
# the kernel's driver.
boot_machine() {
    machine_command "$1" "$2"
    expect_exit 0 "${machine[@]}"
    show_console "$2"
}

machine_command() {
    machine=(qemu-system-x86_64 -accel tcg -m 256 -nodefaults -display none -no-reboot
        -kernel "$KERNEL" -initrd "$WORK/initramfs" -append "console=ttyS0 panic=-1" -serial "file:$2"
        -tpmdev "passthrough,id=t0,path=/dev/vtpm0,cancel-path=/dev/null" -device "$1,tpmdev=t0")
}

show_console() {
    if ! grep -q '^tpm: end' "$1"; then
        tail -n 20 "$1" >&2
        fail "the virtual machine did not come to its first process"
    fi
    grep -aiE 'tpm' "$1" | tr -d '\r' | sed 's/^/    /'
}

# machine_pcr LOG N: the PCR as the machine's kernel printed it, in lower case.
machine_pcr() { tr -d '\r' <"$1" | awk -v name="pcr$2" '$1 == "tpm:" && $2 == name { print tolower($3) }'; }

# measured LOG: the PCRs of the firmware, 0 to 7, one a line.
measured() { for i in {0..7}; do machine_pcr "$1" "$i"; done; }

# expect_firmware_measured LOG: from reset PCRs; the machine's own program extends PCR 9 at the end.
expect_firmware_measured() {
    local i value
    for i in {0..7}; do
        value=$(machine_pcr "$1" "$i")
        [[ $value =~ ^[0-9a-f]{64}$ ]] || fail "PCR $i in the machine: '$value'"
        expect_ne "$value" "$(printf '0%.0s' {1..64})" "PCR $i in the machine"
    done
    expect_eq "$(machine_pcr "$1" 9)" "$(printf '0%.0s' {1..64})" "PCR 9 as the machine found it"
    expect_exit 0 grep -aE '^tpm: extend 00000000' "$1"
}

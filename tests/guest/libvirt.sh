#!/bin/bash
# guest: --systemd --mem 2G --timeout 600
# A machine of libvirt's with an instance as its TPM, by passthrough; the hook that starts and stops the two together; a
# machine that is saved and goes on later.

. tests/guest/lib/lib.sh
. tests/guest/lib/package.sh
. tests/guest/lib/qemu.sh

readonly CONSOLE=/var/log/libvirt/qemu/web01.console

in_libvirt() { expect_exit "$1" virsh --quiet --connect qemu:///system "${@:2}"; }

# Where libvirt's user may read: the kernel and the machine's one program.
make_machine() {
    local place=/var/tmp/machine
    make_initramfs
    mkdir -p "$place"
    cp "$KERNEL" "$place/kernel"
    cp "$WORK/initramfs" "$place/initramfs"
    chmod -R a+rX "$place"
    cat >"$WORK/web01.xml" <<XML
<domain type='qemu'>
  <name>web01</name>
  <memory unit='MiB'>256</memory>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>$place/kernel</kernel><initrd>$place/initramfs</initrd><cmdline>console=ttyS0 panic=-1 -- rounds</cmdline>
  </os>
  <features><acpi/></features>
  <on_reboot>destroy</on_reboot>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <serial type='pty'><log file='$CONSOLE' append='on'/></serial>
    <tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/vtpm/by-name/web01'/></backend></tpm>
    <memballoon model='none'/>
  </devices>
</domain>
XML
}

start_libvirt() {
    echo 'stdio_handler = "file"' >>/etc/libvirt/qemu.conf
    install -D -m 755 udev/libvirt-hook.example /etc/libvirt/hooks/qemu
    expect_exit 0 libvirtd --daemon
    wait_for 30 test -S /run/libvirt/libvirt-sock
}

machine_has_ended() { ! virsh --quiet --connect qemu:///system domstate web01 >"$WORK/state" 2>&1; }
tpm_has_stopped() { ! is_active web01; }

# The machine extends its PCR 9 over and over, and tells each value before.
rounds() { grep -ac '^tpm: round' "$CONSOLE" || true; }
rounds_are() { (($(rounds) >= $1)); }

# extended VALUE: a SHA-256 PCR of that value after lib/first_process.c has extended it.
extended() {
    python3 -c 'import hashlib, sys; print(hashlib.sha256(bytes.fromhex(sys.argv[1]) + b"\xaa" + bytes(31)).hexdigest())' "$1"
}

# Each value follows from the one before, from the fresh PCR on: none was lost, none measured twice.
expect_no_round_lost() {
    local value expected
    expected=$(printf '0%.0s' {1..64})
    while read -r value; do
        expected=$(extended "$expected")
        expect_eq "$value" "$expected" "PCR 9 in its next round"
    done < <(tr -d '\r' <"$CONSOLE" | awk '/^tpm: round/ { print tolower($3) }')
}

install_package
make_machine
start_libvirt

step "a machine that starts brings its TPM up"
ctl 0 create web01 --power at-open --group libvirt-qemu
expect_exit 3 systemctl is-active vtpm@web01.service
in_libvirt 0 create "$WORK/web01.xml"
expect_exit 0 systemctl is-active vtpm@web01.service
wait_for 450 rounds_are 2

step "a machine that is saved takes its TPM down; the TPM's state is saved beside it"
head -c 32 /dev/urandom >"$WORK/key"
in_libvirt 0 suspend web01
ctl 0 state backup web01 /var/tmp/web01.tpm --volatile --key "file=$WORK/key,format=binary"
in_libvirt 0 save web01 /var/tmp/web01.save
wait_for 60 tpm_has_stopped
before=$(rounds)

step "and goes on, measurement after measurement"
in_libvirt 0 restore --paused /var/tmp/web01.save
ctl 0 status web01
expect_output 'phase +on, not started'
ctl 0 state restore web01 /var/tmp/web01.tpm --same-identity --force --key "file=$WORK/key,format=binary"
expect_output 'on, started'
in_libvirt 0 resume web01
wait_for 120 rounds_are $((before + 3))

step "the machine measured into its TPM from the start, and lost nothing"
in_libvirt 0 ttyconsole web01
exec 7<>"$(<"$OUTPUT")" # kept open: QEMU reads nothing from a terminal that is closed again
echo >&7
wait_for 120 machine_has_ended
exec 7>&-
show_console "$CONSOLE"
expect_firmware_measured "$CONSOLE"
expect_no_round_lost

step "the TPM goes down when the machine ends"
wait_for 60 tpm_has_stopped

step "the node's owner is libvirt's own until the next start"
ctl 0 start web01
expect_eq "$(stat -Lc '%U:%G' /dev/vtpm/by-name/web01)" "root:libvirt-qemu" "owner and group"

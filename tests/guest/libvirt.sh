#!/bin/bash
# guest: --systemd --mem 2G --timeout 600
# A machine of libvirt's with an instance as its TPM, by passthrough; the hook that starts and stops the two together.

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
    <kernel>$place/kernel</kernel><initrd>$place/initramfs</initrd><cmdline>console=ttyS0 panic=-1</cmdline>
  </os>
  <features><acpi/></features>
  <on_reboot>destroy</on_reboot>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <serial type='file'><source path='$CONSOLE'/></serial>
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

install_package
make_machine
start_libvirt

step "a machine that starts brings its TPM up, and measures into it"
ctl 0 create web01 --power at-open --group libvirt-qemu
expect_exit 3 systemctl is-active vtpm@web01.service
in_libvirt 0 create "$WORK/web01.xml"
expect_exit 0 systemctl is-active vtpm@web01.service
wait_for 450 machine_has_ended
show_console "$CONSOLE"
expect_firmware_measured "$CONSOLE"

step "and takes it down when it ends"
wait_for 60 tpm_has_stopped

step "the node's owner is libvirt's own until the next start"
ctl 0 start web01
expect_eq "$(stat -Lc '%U:%G' /dev/vtpm/by-name/web01)" "root:libvirt-qemu" "owner and group"

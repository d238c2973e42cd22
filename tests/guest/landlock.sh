#!/bin/bash
# guest: --host --timeout 100
# Landlock forbids what permissions allow, and a TPM lives with it. No User-Mode Linux has Landlock, so this is a machine of
# QEMU's with Debian's own kernel (lib/landlock_guest.sh is what runs in it).

. tests/guest/lib/lib.sh
. tests/guest/lib/qemu.sh
needs qemu-system-x86_64 qemu-system-x86
needs "$KERNEL" linux-image-cloud-amd64
COMMAND_SECONDS=90
MODULES=${KERNEL/#*vmlinuz-//lib/modules/}/kernel/fs/fuse
PROGRAMS=(bash cat chmod chown grep insmod kill mkdir mktemp mount rm setpriv sleep stat test timeout tpm2 vtpmd vtpmctl sandbox_probe)

# What the machine has as its file system: programs with their libraries, modules, the guest's scripts.
list_files() {
    local paths program
    for program in "${PROGRAMS[@]}"; do paths+=("$(type -P "$program")"); done
    paths+=("$(ldconfig -p | awk '/libtss2-tcti-device.so.0/ && !seen++ { print $NF }')")
    printf '%s\n' /bin/bash /etc/{passwd,group} "${paths[@]}" "$MODULES"/{fuse,cuse}.ko "$LIB/lib.sh"
    ldd "${paths[@]}" | awk 'NF > 1 && $(NF - 1) ~ /^\// { print $(NF - 1) }'
}

step "the machine runs to its end"
list_files | sort -u >"$WORK/files"
readarray -t files <"$WORK/files"
python3 "$LIB/newc.py" "$WORK/initramfs" "$LIB/landlock_guest.sh" "${files[@]}"
expect_exit 0 qemu-system-x86_64 -accel tcg -m 512 -nodefaults -display none -no-reboot \
    -kernel "$KERNEL" -initrd "$WORK/initramfs" -serial "file:$WORK/console" \
    -append "console=ttyS0 quiet panic=-1 VTPM_BIN=$VTPM_BIN MODULES=$MODULES TOP=$PWD"
tr -d '\r' <"$WORK/console" >"$OUTPUT"
sed 's/^/    /' "$OUTPUT"
expect_output '^passed: '
expect_output '^exit code 0$'

#!/bin/bash
# guest: --systemd --no-cuse --mem 2G --timeout 700
# The packages over their life: an upgrade with ten devices in use, a removal that keeps the state, a purge.

. tests/guest/lib/lib.sh
. tests/guest/lib/package.sh
DEVICES=10

nv_of() { on "$1" tpm2_nvread -C o -s 4 0x1500070; }
all() { for ((i = 0; i < DEVICES; i++)); do "$@" "vm$i"; done; }
begin() {
    ctl 0 create "$1"
    ctl 0 start "$1"
    on "$1" tpm2_nvdefine -Q -C o -s 4 -a 'ownerread|ownerwrite' 0x1500070
    printf '%-4s' "$1" | on "$1" tpm2_nvwrite -Q -C o -i - 0x1500070
}
expect_state() { expect_eq "$(nv_of "$1")" "$(printf '%-4s' "$1")" "the NV index of $1"; }
expect_same_daemon() { expect_eq "$(pid_of "$1")" "${before[$1]}" "the daemon of $1"; }

step "what is in them"
install_package
expect_exit 0 dpkg -i "$DEBS"/libvtpm-dev_*.deb
printf '#include <vtpm/ioctl.h>\nint main(void) { return VTPM_GET_STATUS == 0; }\n' >"$WORK/use.c"
# shellcheck disable=SC2046  # words
expect_exit 0 cc $(pkg-config --cflags vtpm) -o "$WORK/use" "$WORK/use.c"
expect_exit 0 test -s /usr/share/man/man8/vtpmd.8
for document in docs/*.md docs/decisions/*.md; do expect_exit 0 cmp "$document" "/usr/share/doc/vtpm/$document"; done
expect_exit 0 test -s /usr/share/bash-completion/completions/vtpmctl
expect_exit 0 test -s /usr/share/bash-completion/completions/vtpmd

step "ten devices in use"
all begin
declare -A before
remember() { before[$1]=$(pid_of "$1"); }
all remember
exec 9<>"$(node_of vm0)" # a client that stays
printf '\x80\x01\x00\x00\x00\x0c\x00\x00\x01\x7b\x00\x08' >&9

step "an upgrade leaves them alone: the same daemons, open files go on"
usermod --gid vtpm vtpm # as earlier versions had it: the daemons' group was that of the nodes
(cd "$VTPM_BIN/.." && cpack -G DEB -B "$WORK/newer" -D CPACK_PACKAGE_VERSION=9.0.0 >"$WORK/cpack.log" 2>&1)
expect_exit 0 dpkg -i "$WORK"/newer/vtpm_9*.deb
# shellcheck disable=SC2016  # for dpkg-query
expect_exit 0 dpkg-query -W -f '${Version}' vtpm
expect_output '^9.0.0$'
all expect_same_daemon
expect_eq "$(timeout 10 head -c 20 <&9 | od -An -tx1 -N2 | tr -d ' ')" 8001 "the response that waited over the upgrade"
exec 9>&-
all expect_state
ctl 0 restart vm0
expect_ne "$(pid_of vm0)" "${before[vm0]}" "the daemon of vm0 after its restart"
expect_eq "$(awk '$1 == "Gid:" { print $2 }' "/proc/$(pid_of vm0)/status")" "$(getent group vtpmd | cut -d: -f3)" "its group"
expect_state vm0

step "removed: the devices end in order, state and configuration stay"
expect_exit 0 dpkg -r vtpm
expect_eq "$(pgrep -c vtpmd || true)" 0 "daemons left"
expect_eq "$(count '/dev/vtpm*[0-9]')" 0 "nodes left"
expect_exit 0 test -s /var/lib/vtpm/vm3/state
expect_exit 0 test -s /etc/vtpm/vm3.toml
expect_exit 1 test -e /lib/systemd/system/vtpm@.service

step "installed again: the same TPMs"
expect_exit 0 dpkg -i "$DEBS"/vtpm_*.deb
hash -r
ctl 0 start vm3
expect_state vm3

step "purged: the TPMs are kept, and it says where and how to lose them"
expect_exit 0 dpkg -P vtpm
expect_output 'kept in /var/lib/vtpm\. To lose them for good: rm -r /var/lib/vtpm$'
expect_output 'kept in /etc/vtpm.* rm -r /etc/vtpm$'
expect_exit 0 test -s /var/lib/vtpm/vm3/state
expect_exit 0 test -s /etc/vtpm/vm3.toml
for path in /run/vtpm/devices /usr/sbin/vtpmd /lib/udev/rules.d/60-vtpm.rules /dev/vtpm0; do
    expect_exit 1 test -e "$path"
done

step "installed once more: the same TPMs"
expect_exit 0 dpkg -i "$DEBS"/vtpm_*.deb
hash -r
ctl 0 start vm3
expect_state vm3

step "purged without TPMs: nothing is left"
for ((i = 0; i < DEVICES; i++)); do ctl 0 destroy "vm$i" --yes; done
expect_exit 0 dpkg -P vtpm
for path in /etc/vtpm /var/lib/vtpm /run/vtpm/devices /usr/sbin/vtpmd /lib/udev/rules.d/60-vtpm.rules /dev/vtpm0; do
    expect_exit 1 test -e "$path"
done

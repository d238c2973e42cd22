#!/bin/bash
# guest: --systemd --no-cuse --mem 2G --timeout 300
# Enabled instances come up with CUSE: when its module is loaded on a running machine, and with the machine.

. tests/guest/lib/lib.sh
. tests/guest/lib/package.sh

both_are_up() { [[ -e /dev/vtpm/by-name/first && -e /dev/vtpm/by-name/second ]] && is_active first && is_active second; }

install_package
for name in first second third; do ctl 0 create $name; done
ctl 0 enable first
ctl 0 enable second
expect_exit 1 test -e /dev/cuse

step "no module: the reason is told"
mv "/lib/modules/$(uname -r)" "/lib/modules/away"
mkdir "/lib/modules/$(uname -r)"
ctl 1 start first
expect_output '/dev/cuse'
expect_output 'modprobe cuse|extra modules'
rmdir "/lib/modules/$(uname -r)"
mv /lib/modules/away "/lib/modules/$(uname -r)"
systemctl stop vtpm@first
systemctl reset-failed vtpm@first 2>/dev/null || true

step "modprobe on a running machine"
modprobe cuse
wait_for 90 both_are_up # a loaded machine takes long
expect_eq "$(systemctl is-active vtpm@third || true)" inactive "the one that is not enabled"
on first expect_exit 0 tpm2_getrandom 4
on second expect_exit 0 tpm2_getrandom 4

step "the target ends and begins them all, as the machine does"
expect_exit 0 systemctl stop vtpm.target
wait_for 10 is_missing /dev/vtpm/by-name/first
wait_for 10 is_missing /dev/vtpm/by-name/second
expect_exit 0 test -L /etc/systemd/system/multi-user.target.wants/vtpm.target
expect_exit 0 systemctl start vtpm.target
wait_for 90 both_are_up # a loaded machine takes long

step "not any more"
ctl 0 disable second
expect_exit 0 systemctl stop vtpm.target
expect_exit 0 systemctl start vtpm.target
wait_for 30 test -e /dev/vtpm/by-name/first
ctl 0 status second
expect_output 'stopped'

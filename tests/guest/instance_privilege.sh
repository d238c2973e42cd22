#!/bin/bash
# guest: --systemd --mem 2G --timeout 300
# A serving daemon of an instance: who it is, what it may do, and what systemd thinks of its unit.

. tests/guest/lib/lib.sh
. tests/guest/lib/package.sh
install_package
ctl 0 create web01
ctl 0 create web02
ctl 0 start web01
ctl 0 start web02
pid=$(pid_of web01)
field() { awk -v name="$1:" '$1 == name { $1 = ""; print substr($0, 2) }' "/proc/$pid/status"; }

step "not root, no capabilities, no new privileges, a filter for system calls"
user=$(id -u vtpm) group=$(getent group vtpmd | cut -d: -f3)
expect_eq "$(field Uid)" "$user $user $user $user" "user"
expect_eq "$(field Gid)" "$group $group $group $group" "group"
expect_eq "$(field Groups)" "" "supplementary groups"
for set in CapInh CapPrm CapEff CapBnd CapAmb; do expect_eq "$(field $set)" 0000000000000000 "$set"; done
expect_eq "$(field NoNewPrivs)" 1 "NoNewPrivs"
expect_eq "$(field Seccomp)" 2 "Seccomp"
for thread in "/proc/$pid"/task/*; do
    expect_eq "$(awk '$1 == "Seccomp:" { print $2 }' "$thread/status")" 2 "the filter of thread ${thread##*/}"
done
expect_eq "$(stat -c %U:%G "/proc/$pid/environ")" root:root "whose its memory is: not dumpable"
expect_ne "$(readlink "/proc/$pid/ns/net")" "$(readlink /proc/self/ns/net)" "its network"

step "a daemon that its guest has taken over opens no TPM's node, by its group or by its unit's devices"
nodes=$(getent group vtpm | cut -d: -f3)
# as_daemon GROUP PATH: opens it with that group, in the daemon's cgroup, mounts, user and capabilities
as_daemon() {
    # shellcheck disable=SC2016  # for the inner shell
    expect_exit "$1" sh -c 'echo $$ >"/sys/fs/cgroup$1/cgroup.procs" && shift && exec "$@"' sh \
        "$(systemctl show -P ControlGroup vtpm@web01.service)" nsenter --target "$pid" --mount -- \
        setpriv --reuid "$user" --regid "$2" --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs \
        python3 -c 'import os, sys; os.open(sys.argv[1], os.O_RDWR)' "$3"
}
expect_ne "$group" "$nodes" "the daemon's group and that of the nodes"
for node in web01 web02; do
    as_daemon 1 "$group" "$(node_of $node)"
    expect_output 'Permission denied'
    as_daemon 1 "$nodes" "$(node_of $node)" # the unit's devices
    expect_output 'Operation not permitted'
done
as_daemon 0 "$group" /dev/null # so it can be told from a shell that fails

step "its state is its own"
expect_eq "$(stat -c '%U %a' /var/lib/vtpm/web01)" "vtpm 700" "the state directory"
expect_exit 0 nsenter --target "$pid" --mount -- findmnt -no OPTIONS /var/lib/vtpm/web01
expect_output '^rw'
expect_eq "$(nsenter --target "$pid" --mount -- ls /var/lib/vtpm)" web01 "the states it sees"

step "what systemd thinks of the unit"
expect_exit 0 systemd-analyze security --no-pager vtpm@web01.service
tail -1 "$OUTPUT"
exposure=$(awk '/Overall exposure level/ { print $(NF - 2) }' "$OUTPUT" | grep -oE '[0-9]+\.[0-9]+')
expect_eq "$(awk -v level="$exposure" 'BEGIN { print level <= 2.0 ? "good" : level }')" good "exposure level"

step "a whole life in there"
on web01 tpm2_createprimary -Q -C o -G rsa2048 -c "$WORK/key.ctx"
on web01 tpm2_flushcontext -t
on web01 tpm2_nvdefine -Q -C o -s 4 -a 'ownerread|ownerwrite' 0x1500061
echo -n kept | on web01 tpm2_nvwrite -Q -C o -i - 0x1500061
ctl 0 state save web01 --permanent "$WORK/p" --volatile "$WORK/v"
ctl 0 power off web01
ctl 0 state load web01 --permanent "$WORK/p" --volatile "$WORK/v"
ctl 0 power on web01
expect_eq "$(on web01 tpm2_nvread -C o -s 4 0x1500061)" kept "the NV index"
ctl 0 state store-volatile web01
ctl 0 power off web01
ctl 0 version web01 1.2
ctl 1 power on web01 # there is no state of that version, and an instance makes none
ctl 0 status web01
expect_output 'no TPM state'
ctl 0 version web01 2.0
ctl 0 restart web01
expect_eq "$(on web01 tpm2_nvread -C o -s 4 0x1500061)" kept "the NV index after a restart"
expect_exit 1 journalctl --no-pager -q -g 'refused|not permitted' -u 'vtpm@*'

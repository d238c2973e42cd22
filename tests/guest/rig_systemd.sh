#!/bin/bash
# guest: --systemd --no-cuse --timeout 240
# The rig with systemd as the first process: units, device events, the journal, modules and packages are usable.

. tests/guest/lib/lib.sh
UNITS=/run/systemd/system
RULES=/run/udev/rules.d/90-vtpm-rig.rules

leave_nothing() {
    systemctl stop vtpm-rig.service 2>/dev/null || true
    rm -rf "$UNITS/vtpm-rig.service" "$RULES" /var/lib/vtpm-rig
    systemctl daemon-reload
    udevadm control --reload
}
[[ $VTPM_GUEST == uml ]] || trap 'code=$?; leave_nothing; (exit $code); finish' EXIT

active_services() {
    systemctl list-units --type service --state active --plain --no-legend --no-pager | awk '{ printf "%s ", $1 }'
}

# denied REGEX PROPERTY... -- COMMAND...: run as a service with these properties, the command prints a match.
denied() {
    local regex=$1 properties=()
    shift
    while [[ $1 != -- ]]; do
        properties+=(-p "$1")
        shift
    done
    timeout "$COMMAND_SECONDS" systemd-run --quiet --wait --pipe --collect "${properties[@]}" "${@:2}" \
        >"$OUTPUT" 2>&1 </dev/null || true
    expect_output "$regex"
}

step "systemd is the first process"
expect_eq "$(</proc/1/comm)" systemd "first process"
expect_exit 0 systemctl is-system-running
expect_output '^running$'
expect_eq "${INVOCATION_ID:-}${NOTIFY_SOCKET:-}${JOURNAL_STREAM:-}" "" "what would make a daemon think it is a service"
if [[ $VTPM_GUEST == uml ]]; then
    expect_eq "$(active_services)" \
        "dbus.service systemd-journald.service systemd-udev-trigger.service systemd-udevd.service vtpm-guest.service " "services"
    expect_exit 0 systemd-detect-virt
    expect_output '^uml$'
fi

step "D-Bus answers"
wait_for 10 busctl --no-pager status org.freedesktop.systemd1
expect_exit 0 busctl get-property org.freedesktop.systemd1 /org/freedesktop/systemd1 \
    org.freedesktop.systemd1.Manager SystemState
expect_output '^s "running"$'

step "the module is loaded when the script asks for it"
[[ $VTPM_GUEST != uml ]] || expect_exit 1 test -e /dev/cuse
expect_exit 0 modprobe cuse
expect_eq "$(stat -c '%F %Hr:%Lr' /dev/cuse)" "character special file 10:203" "/dev/cuse"

step "a udev rule sees a virtual TPM come and go"
mkdir -p /run/udev/rules.d
echo 'SUBSYSTEM=="cuse", KERNEL=="vtpm[0-9]*", SYMLINK+="vtpm-rig/%k", TAG+="systemd"' >"$RULES"
expect_exit 0 udevadm control --reload
start_vtpmd vtpm0 --state "dir:$WORK/state"
wait_for 20 test -L /dev/vtpm-rig/vtpm0
expect_eq "$(readlink -f /dev/vtpm-rig/vtpm0)" /dev/vtpm0 "what the link names"
wait_for 20 systemctl is-active dev-vtpm0.device
stop_vtpmd vtpm0
wait_for 20 is_missing /dev/vtpm-rig/vtpm0

step "a hardened service of type notify"
cat >"$UNITS/vtpm-rig.service" <<UNIT
[Service]
Type=notify
ExecStart=$VTPM_BIN/vtpmd --device vtpm0 --major 300 --minor 77 --state dir:/var/lib/vtpm-rig/state
StateDirectory=vtpm-rig
DynamicUser=no
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths=/var/lib/vtpm-rig
PrivateNetwork=yes
DevicePolicy=closed
DeviceAllow=/dev/cuse rw
DeviceAllow=/dev/char/300:77 rw
SystemCallFilter=@system-service seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self
UNIT
expect_exit 0 systemctl daemon-reload
expect_exit 0 systemctl start vtpm-rig.service
expect_exit 0 systemctl is-active vtpm-rig.service
expect_output '^active$'
expect_exit 0 tpm2_getrandom --hex 8
expect_output '^[0-9a-f]{16}$'
pid=$(systemctl show -P MainPID vtpm-rig.service)
expect_ne "$(readlink "/proc/$pid/ns/net")" "$(readlink /proc/self/ns/net)" "the daemon's network"
expect_eq "$(awk '$1 == "Seccomp:" { print $2 }' "/proc/$pid/status")" 2 "the daemon's system call filter"

step "its end, and what the journal knows of it"
expect_exit 0 systemctl stop vtpm-rig.service
expect_eq "$(systemctl show -P Result vtpm-rig.service)" success "result"
wait_for 5 is_missing /dev/vtpm0
expect_exit 0 journalctl --no-pager -o short -u vtpm-rig.service
expect_output "vtpmd\[$pid\]: "
expect_output 'systemd\[1\]: Started vtpm-rig.service'
expect_output 'systemd\[1\]: Stopped vtpm-rig.service'

step "a service that fails"
expect_exit 3 systemd-run --quiet --wait --collect bash -c 'exit 3'

step "what README.md says of hardening in this kernel"
refused='not permitted|denied|Read-only|not supported'
denied "$refused" ProtectSystem=strict -- touch /usr/vtpm-rig
denied "$refused" DevicePolicy=closed -- head -c 1 /dev/cuse
denied "$refused" IPAddressDeny=any -- \
    python3 -c 'import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9))'
denied "$refused" RestrictAddressFamilies=AF_UNIX -- python3 -c 'import socket; socket.socket()'
denied "$refused" RestrictNamespaces=yes -- unshare -n true
denied "$refused" MemoryDenyWriteExecute=yes -- python3 -c 'import mmap; mmap.mmap(-1, 4096, prot=7)'
denied "$refused" SystemCallFilter=@system-service SystemCallErrorNumber=EPERM -- mount -t tmpfs none /mnt
denied ' 1$' PrivateUsers=yes -- cat /proc/self/uid_map
denied '^secret$' SetCredential=key:secret -- sh -c "cat \"\$CREDENTIALS_DIRECTORY/key\""
denied 'Seccomp:.*2$' DynamicUser=yes SystemCallArchitectures=native -- grep Seccomp: /proc/self/status

# From here on the machine's users and packages change.
[[ $VTPM_GUEST == uml ]] || exit 0

step "users and directories for a service"
echo 'u vtpm-rig - "a test"' >"$WORK/sysusers.conf"
expect_exit 0 systemd-sysusers "$WORK/sysusers.conf"
echo 'd /run/vtpm-rig 0750 vtpm-rig vtpm-rig' >"$WORK/tmpfiles.conf"
expect_exit 0 systemd-tmpfiles --create "$WORK/tmpfiles.conf"
expect_eq "$(stat -c '%U %a' /run/vtpm-rig)" "vtpm-rig 750" "owner and mode"

step "systemd-tmpfiles leaves the host's /tmp alone"
mkdir -p /tmp/vtpm-rig
expect_exit 0 systemd-tmpfiles --remove --boot --prefix=/tmp
expect_exit 0 test -e /tmp/vtpm-rig

step "a package with a service"
mkdir -p "$WORK/deb/DEBIAN" "$WORK/deb/lib/systemd/system"
cat >"$WORK/deb/DEBIAN/control" <<CONTROL
Package: vtpm-rig
Version: 1
Architecture: all
Maintainer: nobody <nobody@localhost>
Description: a package that a guest test installs
CONTROL
printf '#!/bin/sh\nsystemctl daemon-reload && systemctl enable --now vtpm-rig-package\n' >"$WORK/deb/DEBIAN/postinst"
chmod +x "$WORK/deb/DEBIAN/postinst"
printf '[Service]\nExecStart=sleep infinity\n[Install]\nWantedBy=multi-user.target\n' \
    >"$WORK/deb/lib/systemd/system/vtpm-rig-package.service"
expect_exit 0 dpkg-deb --build "$WORK/deb" "$WORK/vtpm-rig.deb"
expect_exit 0 dpkg -i "$WORK/vtpm-rig.deb"
expect_exit 0 systemctl is-active vtpm-rig-package.service
expect_exit 0 systemctl is-enabled vtpm-rig-package.service
expect_exit 0 dpkg --purge vtpm-rig

step "the journal is in memory only"
expect_eq "$(journalctl --no-pager --header | awk '$1 == "File" && $2 == "path:" { print $3 }' | cut -d/ -f1-4 | sort -u)" \
    /run/log/journal "where the journal is"

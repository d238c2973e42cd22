#!/bin/bash
# guest: --timeout 300
# A daemon serves without privileges, a whole life long, and what it was not made for is refused.

. tests/guest/lib/lib.sh
STATES=/var/lib/vtpm_test # only root can write there, as in /var/lib/vtpm
NOBODY=65534 DAEMON=1
mkdir -p "$STATES"
chmod 0755 "$STATES"

# status NAME FIELD: of the daemon, as the kernel has it.
status() { awk -v field="$2:" '$1 == field { $1 = ""; print substr($0, 2) }' "/proc/${pids[$1]}/status"; }

expect_unprivileged() {
    local set
    for set in CapInh CapPrm CapEff CapBnd CapAmb; do expect_eq "$(status "$1" $set)" 0000000000000000 "$set"; done
    expect_eq "$(status "$1" NoNewPrivs)" 1 NoNewPrivs
    expect_eq "$(status "$1" Seccomp)" 2 Seccomp
    expect_eq "$(status "$1" Groups)" "" "supplementary groups"
    expect_eq "$(stat -c %u "/proc/${pids[$1]}/fd")" 0 "owner of the daemon's /proc (root: not dumpable)"
    expect_eq "$(cat "/proc/${pids[$1]}/task/"*/status | awk '$1 == "Seccomp:" && $2 != 2' | wc -l)" 0 "threads without filter"
}

# A life: keys, NV, PCRs, control requests, versions, long commands that are cancelled, snapshots.
live() {
    tpm2_createprimary -Q -C o -c "$WORK/primary"
    flush
    tpm2_nvdefine -Q -C o -s 4 -a 'ownerread|ownerwrite' 0x1500060
    echo -n abcd >"$WORK/data"
    tpm2_nvwrite -Q -C o -i "$WORK/data" 0x1500060
    tpm2_pcrextend "9:sha256=$(openssl rand -hex 32)"
    expect_exit 0 vtpmctl status vtpm0
    expect_exit 0 vtpmctl established vtpm0
    expect_exit 0 vtpmctl hash vtpm0 "$WORK/data"
    expect_exit 0 vtpmctl cancel vtpm0
    expect_exit 0 vtpmctl state save vtpm0 --permanent "$WORK/permanent" --volatile "$WORK/volatile"
    expect_exit 0 vtpmctl state store-volatile vtpm0
    expect_exit 0 vtpmctl power off vtpm0
    expect_exit 0 vtpmctl state load vtpm0 --permanent "$WORK/permanent" --volatile "$WORK/volatile"
    expect_exit 0 vtpmctl power on vtpm0
    expect_exit 0 tpm2_nvread -C o -s 4 0x1500060
    expect_eq "$(<"$OUTPUT")" abcd "the NV index"
    expect_exit 0 vtpmctl power reset vtpm0
    expect_exit 0 tpm2_startup -c
    expect_exit 0 tpm2_selftest -f
}

step "root gives everything up but its number"
start_vtpmd vtpm0 --state "dir:$WORK/root"
expect_unprivileged vtpm0
live
stop_vtpmd vtpm0
expect_exit 1 test -e "$WORK/vtpm0.pid"

step "what the caller has open does not live on in the daemon, a key's descriptor not beyond its reading"
printf '%064d' 7 >"$WORK/key"
exec 9>"$WORK/lock"
flock 9
start_vtpmd vtpm0 --state "file:$WORK/sealed" --key "file=/dev/fd/8" 8<"$WORK/key"
exec 9>&-
expect_exit 0 flock --nonblock "$WORK/lock" true
expect_eq "$(find "/proc/${pids[vtpm0]}/fd" -lname "$WORK/key" | wc -l)" 0 "descriptors of the key"
stop_vtpmd vtpm0
start_vtpmd vtpm0 --state "file:$WORK/sealed" --key fd=8 8<"$WORK/key"
stop_vtpmd vtpm0
expect_exit 2 vtpmd --device vtpm0 --state "file:$WORK/sealed" --key fd=77
expect_output 'descriptor 77'
expect_exit 2 vtpmctl state rekey "file:$WORK/sealed" --key fd=77
expect_output '^vtpmctl: descriptor 77'

step "descriptors 0 to 2 may be closed: nothing but state gets into the state"
for closed in '<&-' '>&-' '2>&-' '<&- >&- 2>&-'; do
    rm -f "$WORK/pid"
    eval "timeout $COMMAND_SECONDS vtpmd --device vtpm0 --state file:$WORK/closed --daemon --pid-file $WORK/pid $closed"
    pids[vtpm0]=$(<"$WORK/pid")
    expect_exit 0 tpm2_getrandom --hex 4
    expect_eq "$(find "/proc/${pids[vtpm0]}/fd" -name '[012]' ! -lname /dev/null | wc -l)" 0 "standard descriptors elsewhere"
    vtpmctl state save vtpm0 --permanent "$WORK/$closed" <&- >&- 2>&-
    stop_vtpmd vtpm0
done
expect_exit 0 vtpmctl state inspect "file:$WORK/closed"
expect_output '^header +good'
vtpmd --device vtpm0 --state "file:$WORK/closed" --pid-file "$WORK/pid" <&- >&- 2>&- &
pids[vtpm0]=$!
wait_for 20 test -s "$WORK/pid"
expect_exit 0 tpm2_getrandom --hex 4
stop_vtpmd vtpm0
expect_exit 0 vtpmctl state inspect "file:$WORK/closed"
expect_output '^header +good'
expect_exit 1 grep -aq 'vtpmd vtpm0:' "$WORK/closed"

step "--user: the process is that user's, and so is all it made"
start_vtpmd vtpm0 --state "dir:$STATES/a" --user nobody
expect_eq "$(status vtpm0 Uid)" "$NOBODY $NOBODY $NOBODY $NOBODY" "users"
expect_eq "$(status vtpm0 Gid)" "$NOBODY $NOBODY $NOBODY $NOBODY" "groups"
expect_unprivileged vtpm0
expect_eq "$(pgrep -c vtpmd)" 1 "processes"
live
expect_eq "$(find "$STATES/a" "$WORK/vtpm0.pid" ! -uid "$NOBODY")" "" "files of others"
expect_eq "$(stat -c '%a %U' "$STATES/a")" "700 nobody" "the state directory"

step "--user: the groups of openers are known, /proc being readable"
stop_vtpmd vtpm0
expect_eq "$(cat "$WORK/vtpm0.pid")" "" "the pid file, which cannot be removed"
start_vtpmd vtpm0 --state "dir:$STATES/a" --user nobody:daemon --control-group games --startup none # resumes
expect_eq "$(status vtpm0 Gid)" "$DAEMON $DAEMON $DAEMON $DAEMON" "groups"
chmod 0666 /dev/vtpmctl0
chmod 0755 "$WORK"
games=$(getent group games | cut -d: -f3)
expect_exit 0 setpriv --reuid=2 --regid=2 --groups="$games" "$VTPM_BIN/vtpmctl" established vtpm0
expect_exit 1 setpriv --reuid=2 --regid=2 --clear-groups "$VTPM_BIN/vtpmctl" established vtpm0

step "what was stored before is there; the end by a control request is one in order"
expect_exit 0 tpm2_nvread -C o -s 4 0x1500060
expect_exit 0 vtpmctl terminate vtpm0
wait_for 20 is_gone "${pids[vtpm0]}"
unset "pids[vtpm0]"

step "--user with --device auto, TPM 1.2, and power at open"
start_vtpmd auto --state "dir:$STATES/tpm12" --user nobody --tpm 1.2 --power at-open
pids[vtpm0]=${pids[auto]}
unset "pids[auto]"
expect_eq "$DEVICE" /dev/vtpm0 "the device"
expect_unprivileged vtpm0
expect_eq "$(tpm_send 00c10000000c000000990001)" 00c40000000a00000000 "TPM_Startup(CLEAR)"
stop_vtpmd vtpm0

step "a service manager is told by a daemon that can open no socket"
expect_exit 0 python3 "$LIB/ready.py" "dir:$WORK/fresh" "$WORK/notify"
expect_output '^exit 0$'

step "a state file in a directory that only root may write, and the user not even list"
chmod 0711 "$STATES"
start_vtpmd vtpm0 --state "file:$STATES/file" --user nobody
expect_eq "$(stat -c '%u %a' "$STATES/file")" "$NOBODY 600" "the state file"
expect_unprivileged vtpm0
stop_vtpmd vtpm0
truncate -s 0 "$STATES/file" # as a run leaves it that ended before its first commit
start_vtpmd vtpm0 --state "file:$STATES/file" --user nobody
stop_vtpmd vtpm0
chown daemon "$STATES/file"
expect_exit 1 vtpmd --device vtpm0 --state "file:$STATES/file" --user nobody
expect_output "$STATES/file: Permission denied.*chown -R nobody"
chmod 0755 "$STATES"

step "state that belongs to somebody else is refused in words, and no node is left"
mkdir -m 0700 "$STATES/b"
echo secret >"$STATES/b/tpm2-00.permall"
chown -R daemon "$STATES/b"
expect_exit 1 vtpmd --device vtpm0 --state "dir:$STATES/b" --user nobody
expect_output "$STATES/b: Permission denied.*chown -R nobody"
expect_exit 1 vtpmd --device vtpm0 --state "dir:$STATES/b"
expect_output "$STATES/b: Permission denied.*no capabilities.*--user"
mkdir -m 0700 "$STATES/closed"
mkdir -m 0700 "$STATES/closed/own"
chown nobody "$STATES/closed/own"
expect_exit 1 vtpmd --device vtpm0 --state "dir:$STATES/closed/own" --user nobody
expect_output "Permission denied. The directory $STATES/closed is closed to nobody"
expect_exit 1 vtpmd --device vtpm0 --state "dir:$WORK/no/such" --user nobody
expect_output "$WORK/no/such"
expect_exit 1 setpriv --reuid=2 --regid=2 --clear-groups "$VTPM_BIN/vtpmd" --device vtpm0 --state "dir:$STATES/c" --user nobody
expect_exit 1 test -e /dev/vtpm0
expect_exit 2 vtpmd --device vtpm0 --state "dir:$STATES/c" --user no-such-user
expect_output "no-such-user"

step "made to try, such a process is refused everything, and says so"
expect_exit 0 "$VTPM_BIN/sandbox_probe" "$STATES/a" "$NOBODY" "$NOBODY" "$STATES/b/tpm2-00.permall" /etc/shadow /dev/cuse
sed 's/^/    /' "$OUTPUT"
for tried in socket-unix socket-inet socket-netlink execve fork ptrace kill tgkill mount unshare setuid executable-memory mkdir; do
    expect_output "^$tried: EPERM$"
done
for tried in socket execve ptrace kill mount unshare setuid; do expect_output "sandbox_probe: refused the system call $tried:"; done
for works in thread memory getrandom poll groups-of-openers "write own state"; do expect_output "^$works: worked$"; done
for file in "$STATES/b/tpm2-00.permall" /etc/shadow /dev/cuse; do
    expect_output "^read $file: EACCES$"
    expect_output "^write $file: EACCES$"
done
expect_eq "$(grep -c 'refused the system call socket:' "$OUTPUT")" 1 "times the refused call is told"

step "--sandbox log and off"
start_vtpmd vtpm0 --state "dir:$WORK/fresh" --sandbox log
expect_eq "$(status vtpm0 Seccomp)" 2 Seccomp
expect_exit 0 tpm2_getrandom --hex 4
stop_vtpmd vtpm0
start_vtpmd vtpm0 --state "dir:$WORK/fresh" --sandbox off
expect_output '--sandbox off'
expect_eq "$(status vtpm0 Seccomp) $(status vtpm0 NoNewPrivs) $(status vtpm0 CapEff)" "0 1 0000000000000000" "Seccomp, NoNewPrivs, CapEff"
stop_vtpmd vtpm0

#!/bin/bash
# guest: --udev --timeout 240
# Instances without systemd: the same verbs, with plain processes and pid files; udev makes permissions and links.

. tests/guest/lib/lib.sh
cp udev/60-vtpm.rules /run/udev/rules.d/
groupadd --system vtpm
useradd --system --gid vtpm vtpm
udevadm control --reload
ctl() { expect_exit "$1" vtpmctl "${@:2}"; }
pid_of() { cat "/run/vtpm/$1.pid"; }

step "created, started, used, stopped"
ctl 0 create web01
ctl 0 create web02 --tpm 1.2
ctl 0 start web01
ctl 0 start web02
first=$(pid_of web01)
expect_eq "$(awk '$1 == "Uid:" { print $2 }' "/proc/$first/status")" "$(id -u vtpm)" "the daemon's user"
expect_eq "$(stat -Lc '%U:%G %a' /dev/vtpm/by-name/web01)" "root:vtpm 660" "owner and mode"
TPM2TOOLS_TCTI=device:/dev/vtpm/by-name/web01 expect_exit 0 tpm2_getrandom --hex 8
ctl 0 start web01 # no second one
expect_eq "$(pid_of web01)" "$first" "the daemon"
ctl 0 status web01
expect_output 'on, started'
ctl 0 stop web01
expect_exit 1 test -e /dev/vtpm0
expect_exit 1 test -e /run/vtpm/web01.pid
ctl 0 stop web01
ctl 0 status web01
expect_output 'stopped'
ctl 0 list
expect_output 'web01 .*stopped'
expect_output 'web02 +1\.2'

step "a killed daemon is noticed"
kill -KILL "$(pid_of web02)"
wait_for 10 is_missing /dev/vtpm/by-name/web02
ctl 0 status web02
expect_output 'stopped'
ctl 0 start web02
ctl 0 restart web02
ctl 0 stop web02

step "a pid file that another has written ends nobody's daemon"
ctl 0 start web01
ctl 0 start web02
own=$(pid_of web01)
pid_of web02 >/run/vtpm/web01.pid
ctl 1 stop web01
expect_output 'was not started as web01'
kill -0 "$(pid_of web02)" || fail "the daemon of web02 was ended"
echo "$own" >/run/vtpm/web01.pid
chmod 666 /run/vtpm/web01.pid
ctl 1 stop web01
chmod 644 /run/vtpm/web01.pid

step "a daemon that does not answer is told, and the others are shown"
kill -STOP "$own"
ctl 1 list
expect_output '^vtpm0 +web01 +- +not answering .*does not answer'
expect_output '^vtpm1 +web02 .*on, '
ctl 1 status --all
expect_output '^phase +not answering$'
expect_output '^name +web02$'
ctl 0 status web02
ctl 0 reap 999999
kill -CONT "$own"
ctl 0 list

step "who holds a TPM is named, and loses it by force only"
python3 -c 'import os, signal, sys; os.open("/dev/vtpm/by-name/web01", os.O_RDWR); open(sys.argv[1], "w"); signal.pause()' "$WORK/held" &
holder=$!
wait_for 10 test -e "$WORK/held"
ctl 1 stop web01
expect_output "python3 \(process $holder\) has its raw node open"
ctl 1 power off web01
expect_output 'say --force'
kill "$holder"
wait "$holder" || true
rm "$WORK/held"
python3 -c 'import os, signal, sys; os.open("/dev/vtpm/by-name/web01-rm", os.O_RDWR); open(sys.argv[1], "w"); signal.pause()' "$WORK/held" &
holder=$!
wait_for 10 test -e "$WORK/held"
ctl 1 stop web01
expect_output "process $holder of user 0 has its managed node open"
kill "$holder"
wait "$holder" || true
ctl 0 stop web01 web02
expect_output 'web02: stopped'

step "a TPM that cannot be used is no success"
head -c 32 /dev/urandom >"$WORK/key"
head -c 32 /dev/urandom >"$WORK/other"
chmod 600 "$WORK/key" "$WORK/other"
ctl 0 create sealed --key "file=$WORK/key,format=binary"
sed -i "s|$WORK/key|$WORK/other|" /etc/vtpm/sealed.toml
ctl 3 start sealed
expect_output 'sealed is there, but its TPM cannot be used: .*key'
ctl 0 status sealed --json
expect_eq "$(jq -r '"\(.service) \(.phase) \(.reason | test("key"))"' "$OUTPUT")" "running failed true" "the daemon, its TPM and the reason"
ctl 3 start sealed # it runs already
expect_output 'sealed is there, but its TPM cannot be used: .*key'
sed -i "s|$WORK/other|$WORK/key|" /etc/vtpm/sealed.toml
ctl 0 restart sealed
sed -i "s|$WORK/key|$WORK/missing|" /etc/vtpm/sealed.toml
ctl 1 restart sealed
expect_output 'sealed did not start: .*missing'
ctl 0 destroy sealed --yes --force

step "an instance is exported while its TPM runs, is off, and while it is stopped"
ctl 0 create moving
ctl 0 start moving
on_moving() { TPM2TOOLS_TCTI=device:/dev/vtpm/by-name/moving "$@"; }
on_moving tpm2_nvdefine -Q -C o -s 5 -a 'ownerread|ownerwrite' 0x1500060
echo -n first | on_moving tpm2_nvwrite -Q -C o -i - 0x1500060
ctl 0 state export moving "dir:$WORK/running"
expect_output 'moving runs, and goes on'
echo -n later | on_moving tpm2_nvwrite -Q -C o -i - 0x1500060
ctl 0 power off moving
ctl 0 state export moving "dir:$WORK/off"
ctl 0 stop moving
ctl 0 state export moving "dir:$WORK/stopped"
for copy in running:first off:later stopped:later; do
    expect_exit 0 vtpmd --device vtpm9 --state "dir:$WORK/${copy%:*}" --daemon --pid-file "$WORK/copy.pid"
    expect_eq "$(TPM2TOOLS_TCTI=device:/dev/vtpm9 tpm2_nvread -C o -s 5 0x1500060)" "${copy#*:}" "the NV index of the copy of one that is ${copy%:*}"
    kill "$(<"$WORK/copy.pid")"
    wait_for 10 is_missing /dev/vtpm9
done
ctl 0 destroy moving --yes

step "those that are enabled start together"
ctl 0 enable web01
ctl 0 start --all
expect_exit 0 test -e /dev/vtpm/by-name/web01
expect_exit 1 test -e /dev/vtpm/by-name/web02
ctl 0 disable web01
ctl 0 stop web01
ctl 0 start --all
expect_exit 1 test -e /dev/vtpm/by-name/web01

step "events work as well"
ln -s "$VTPM_BIN/vtpmctl" /usr/bin/vtpmctl
ln -s "$VTPM_BIN/vtpmd" /usr/sbin/vtpmd
ctl 0 spawn web01
wait_for 20 test -e /dev/vtpm/by-name/web01

step "a machine that ended: its TPM is stopped, the others are not"
ctl 0 start web02
python3 -c 'import os; os.open("/dev/vtpm/by-name/web01", os.O_RDWR); print(os.getpid(), flush=True)' >"$WORK/opener"
ctl 0 status web01 --json
expect_eq "$(jq .opener "$OUTPUT")" "$(<"$WORK/opener")" "who opened the node last"
ctl 0 reap 999999
expect_eq "$(<"$OUTPUT")" "" "what was stopped"
ctl 0 reap "$(<"$WORK/opener")"
expect_eq "$(<"$OUTPUT")" web01 "what was stopped"
wait_for 10 is_missing /dev/vtpm/by-name/web01
expect_exit 0 test -e /dev/vtpm/by-name/web02

step "what is wrong is told"
ctl 1 start nobody
expect_output 'no virtual TPM called nobody'
echo nonsense=1 >>/etc/vtpm/web01.toml
ctl 1 start web01
expect_output "web01.toml:[0-9]+: 'nonsense'"
ctl 0 destroy web01 --yes
ctl 0 destroy web02 --yes
expect_exit 1 test -e /var/lib/vtpm/web01
expect_eq "$(pgrep -xc vtpmd || true)" 0 "daemons left"

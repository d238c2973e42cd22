#!/bin/bash
# guest: --systemd --no-cuse --mem 2G --timeout 700
# The package installed from scratch, and the life of a virtual machine's TPM with real systemd and udev.

. tests/guest/lib/lib.sh
. tests/guest/lib/package.sh

step "the package"
install_package
expect_exit 0 getent group vtpm
expect_exit 0 test -d /var/lib/vtpm
expect_exit 0 systemctl is-enabled vtpm.target

useradd --no-create-home --groups vtpm member
useradd --no-create-home stranger

step "created and started: one command each"
ctl 0 create web01
expect_output '^web01: /dev/vtpm0, /etc/vtpm/web01.toml$'
ctl 0 start web01
expect_eq "$(node_of web01)" /dev/vtpm0 "the node"
expect_eq "$(stat -c '%U:%G %a' /dev/vtpm0)" "root:vtpm 660" "owner and mode of the raw node"
expect_eq "$(stat -c '%U:%G %a' /dev/vtpmctl0)" "root:root 600" "owner and mode of the control node"
expect_eq "$(stat -c '%U:%G %a' /dev/vtpmrm0)" "tss:tss 660" "owner and mode of the managed node"
expect_eq "$(readlink -f /dev/vtpm/by-name/web01-ctl)" /dev/vtpmctl0 "the control node"
expect_eq "$(readlink -f /dev/vtpm/by-name/web01-rm)" /dev/vtpmrm0 "the managed node"

step "who may use it"
on web01 expect_exit 0 "$LIB/as" member tpm2_getrandom --hex 8
on web01 expect_exit 1 "$LIB/as" stranger tpm2_getrandom --hex 8
expect_exit 1 "$LIB/as" member vtpmctl status web01
expect_output 'ermission'
ctl 0 status web01
expect_output 'on, started'
ctl 0 list
expect_output 'vtpm0'

step "the same node, number and state after a restart, and after the daemon was killed"
number=$(stat -c %t:%T /dev/vtpm0)
on web01 tpm2_nvdefine -Q -C o -s 4 -a 'ownerread|ownerwrite' 0x1500060
echo -n kept | on web01 tpm2_nvwrite -Q -C o -i - 0x1500060
expect_kept() {
    expect_eq "$(on web01 tpm2_nvread -C o -s 4 0x1500060)" kept "the NV index"
    expect_eq "$(stat -c '%t:%T %U:%G %a' "$(node_of web01)")" "$number root:vtpm 660" "the node"
}
for _ in {1..10}; do
    ctl 0 restart web01
    expect_eq "$(<"$OUTPUT")" "" "words of a missing link"
done
expect_kept
old=$(pid_of web01)
kill -KILL "$old"
wait_for 20 is_gone "$old"
is_back() { is_active web01 && [[ $(pid_of web01) != 0 && -e /dev/vtpm/by-name/web01 ]]; }
wait_for 20 is_back
expect_kept

step "what is refused, and how that is told"
ctl 1 create web01
expect_output 'already'
ctl 2 create 'web 02'
expect_output "no name"
ctl 2 create vtpm5
ctl 2 create web02 --set no-such-option=1
expect_output "web02.toml:[0-9]+: 'no-such-option' is no option"
ctl 2 create web02 --tpm 3.0
expect_output "'3.0' is not one of"
expect_exit 1 test -e /etc/vtpm/web02.toml
ctl 1 start nobody
expect_output 'no virtual TPM called nobody'
ctl 1 create web02 --device vtpm0
expect_output "vtpm0 is web01's"
expect_exit 1 test -e /etc/vtpm/web02.toml
ctl 2 create web02 --group no-such-group
expect_output "no group 'no-such-group'"
ctl 0 create web02 --device vtpm9
sed -i s/vtpm9/vtpm0/ /etc/vtpm/web02.toml
expect_exit 2 vtpmd --name web02 --check
expect_output "vtpm0 is web01's"
ctl 0 list
expect_output web01
expect_output web02
ctl 1 start web02
expect_output 'exists already'
# systemd tries again; for a moment between two tries it calls the unit inactive.
is_failing() { vtpmctl status web02 | grep -E '^service +(failed|starting)'; }
wait_for 10 is_failing
systemctl stop vtpm@web02.service
ctl 0 create web03 --set minor=0
ctl 1 start web03
expect_output 'the device number [0-9]+:0 is taken'
systemctl stop vtpm@web03.service
ctl 0 destroy web03 --yes
ctl 0 create web03 --migration-key file=/etc/vtpm/no-such-key
ctl 1 start web03
expect_output 'cannot open the key file /etc/vtpm/no-such-key'
expect_exit 0 journalctl --no-pager -o cat -u vtpm@web03
expect_output 'no-such-key'
systemctl stop vtpm@web03.service
ctl 0 destroy web03 --yes
systemctl reset-failed vtpm@web02.service 2>/dev/null || true
ctl 0 destroy web02 --yes

step "a failed start is told with its own reason, not an older one's"
ctl 0 create web04 --migration-key file=/etc/vtpm/no-such-key
ctl 1 start web04
expect_output 'no-such-key'
systemctl stop vtpm@web04.service
sed -i '/^migration-key/d' /etc/vtpm/web04.toml
echo 'buffersize = 3968' >>/etc/vtpm/web04.toml
ctl 1 start web04
expect_output "web04.toml:[0-9]+: 'buffersize'"
if grep no-such-key "$OUTPUT"; then fail "an older reason was told"; fi
systemctl reset-failed vtpm@web04.service 2>/dev/null || true
ctl 0 destroy web04 --yes

step "a TPM that cannot be used is no success, and its daemon stays"
head -c 32 /dev/urandom >/etc/vtpm/key
head -c 32 /dev/urandom >/etc/vtpm/other
ctl 0 create sealed --key file=/etc/vtpm/key,format=binary
sed -i 's|vtpm/key|vtpm/other|' /etc/vtpm/sealed.toml
ctl 3 start sealed
expect_output 'sealed is there, but its TPM cannot be used: .*key'
is_active sealed
expect_eq "$(systemctl show -P StatusText vtpm@sealed.service | cut -d: -f1)" failed "what systemd shows"
ctl 3 start sealed web01 # one of two
ctl 3 restart sealed
expect_output 'key'
is_active sealed
sed -i 's|vtpm/other|vtpm/key|' /etc/vtpm/sealed.toml
ctl 0 restart sealed
ctl 0 destroy sealed --yes
rm /etc/vtpm/key /etc/vtpm/other

step "state that has gone is not made anew"
ctl 0 create precious
ctl 0 start precious
ctl 0 stop precious
mv /var/lib/vtpm/precious /var/lib/vtpm/elsewhere
ctl 1 start precious
expect_output '/var/lib/vtpm/precious'
expect_exit 1 test -e /var/lib/vtpm/precious
for _ in {1..6}; do systemctl start vtpm@precious.service 2>/dev/null || true; done
is_at_its_limit() { journalctl --no-pager -o cat -u "vtpm@$1" | grep -q 'repeated too quickly'; }
wait_for 10 is_at_its_limit precious # systemd refuses to start it for a minute
mv /var/lib/vtpm/elsewhere /var/lib/vtpm/precious
ctl 0 start precious
ctl 0 destroy precious --yes --keep-state
expect_exit 0 test -s /var/lib/vtpm/precious/state
expect_exit 1 test -e /etc/vtpm/precious.toml

step "spawned by an event, and taken away"
ctl 0 stop web01
expect_exit 1 test -e /dev/vtpm0
ctl 0 spawn web01
wait_for 20 test -e /dev/vtpm/by-name/web01
expect_kept
ctl 0 spawn web01 --remove
wait_for 20 is_missing /dev/vtpm/by-name/web01
wait_for 20 is_missing /dev/vtpm0
ctl 1 spawn nobody

step "permissions of its own"
useradd --no-create-home vmuser
ctl 0 create special --owner vmuser --group vmuser --mode 600 --set control-group=vmuser --set rm-owner=vmuser --set rm-mode=600 --power off --set buffer-size=3968
ctl 0 start special
expect_eq "$(stat -c '%U:%G %a' "$(node_of special)")" "vmuser:vmuser 600" "the raw node"
expect_eq "$(stat -c '%U:%G %a' "$(node_of special-ctl)")" "root:vmuser 660" "the control node"
expect_eq "$(stat -c '%U:%G %a' "$(node_of special-rm)")" "vmuser:tss 600" "the managed node"
expect_exit 0 "$LIB/as" vmuser vtpmctl power on special
ctl 0 destroy special --yes

step "many cost as few calls of systemd as one"
ctl 0 create many1
ctl 0 create many2
cat >"$WORK/systemctl" <<'STUB'
#!/bin/sh
echo "$@" >>"${0%/*}/calls"
exec /usr/bin/systemctl "$@"
STUB
chmod 755 "$WORK/systemctl"
calls() { wc -l <"$WORK/calls"; }
counted() {
    : >"$WORK/calls"
    PATH=$WORK:$PATH ctl "$@"
}
counted 0 start many1 many2
expect_output 'many1: started'
expect_eq "$(calls)" 2 "calls for start: reset-failed, start"
counted 0 list
expect_eq "$(calls)" 1 "calls for list"
counted 0 status --all --json
expect_eq "$(calls) $(jq -r '[.[] | "\(.name) \(.service) \(.enabled)"] | join(", ")' "$OUTPUT")" \
    "1 many1 running false, many2 running false, web01 stopped false" "calls for status of all, and what they tell"
counted 0 stop many1 many2
expect_eq "$(calls)" 1 "calls for stop"
counted 0 destroy many1 --yes
expect_eq "$(calls)" 1 "calls for destroy of a stopped one"
ctl 0 destroy many2 --yes

step "who may not ask is told"
ctl 0 start web01
expect_exit 1 "$LIB/as" stranger vtpmctl list
expect_output 'could not ask vtpm0'
expect_exit 1 "$LIB/as" stranger vtpmctl create theirs
expect_output 'as root'

step "the journal tells the story"
expect_exit 0 journalctl --no-pager -o cat VTPM_NAME=web01
expect_output 'TPM 2.0 on /dev/vtpm0'
expect_exit 0 journalctl --no-pager -o cat -u vtpm@web01
cat "$OUTPUT"
expect_output 'Started .*Virtual TPM of web01'
expect_output 'ended by a signal'
expect_output 'Stopped .*Virtual TPM of web01'

step "destroyed: nothing is left"
ctl 0 start web01
if vtpmctl destroy web01 <<<n; then fail "destroyed without a yes"; fi
is_active web01
vtpmctl destroy web01 <<<y
for path in /etc/vtpm/web01.toml /var/lib/vtpm/web01 /dev/vtpm0 /dev/vtpmrm0 /dev/vtpmctl0 /dev/vtpm/by-name/web01 /run/vtpm/devices/vtpm0 /run/vtpm/devices/vtpmrm0; do
    wait_for 10 is_missing "$path"
done
expect_eq "$(pgrep -c vtpmd || true)" 0 "daemons left"

#!/bin/bash
# guest: --host --timeout 300
# shellcheck disable=SC2016  # expanded in the guest
# The rig, seen by its caller: exit codes and output are handed through, the host's files stay as they were, and
# nothing is left behind, whatever ends it.

. tests/guest/lib/lib.sh
unset VTPM_GUEST
VM=$PWD/tests/guest/vm
export TMPDIR=$WORK/tmp # the rig's own directories are made in here, so that leftovers are seen
mkdir "$TMPDIR"

# guest_script NAME: makes an executable script of stdin, and prints its path.
guest_script() {
    { echo '#!/bin/bash' && cat; } >"$WORK/$1"
    chmod +x "$WORK/$1"
    echo "$WORK/$1"
}

# A process of this rig names its directory, in $TMPDIR, among its arguments.
expect_nothing_left() {
    expect_eq "$(ls -A "$TMPDIR")" "" "files left by the rig"
    wait_for 5 no_process_left
    ((checks += 1))
}
no_process_left() { [[ -z $(pgrep -f -- "$TMPDIR/vtpm-gues[t]" || true) ]]; }

step "arguments, output and exit code are handed through"
script=$(guest_script echo.sh <<<'echo "out $1,$2"; echo "err $VTPM_HANDED" >&2; [ -t 0 ] && echo tty; cat; exit 7')
code=0
VTPM_HANDED='a value' "$VM" "$script" 'two words' '*' >"$WORK/out" 2>"$WORK/err" </dev/zero || code=$?
expect_eq "$code" 7 "exit code"
expect_eq "$(<"$WORK/out")" "out two words,*" "stdout"
expect_eq "$(<"$WORK/err")" "err a value" "stderr"
expect_nothing_left

step "long output arrives whole and in order at a slow reader"
script=$(guest_script long.sh <<<'seq 1 100000; seq 1 1000 >&2')
expect_eq "$("$VM" "$script" 2>&1 | { sleep 4 && md5sum; })" "$({ seq 1 100000 && seq 1 1000; } | md5sum)" "digest"
expect_nothing_left

step "output is seen while the script runs"
script=$(guest_script live.sh <<<'echo first; sleep 100')
"$VM" "$script" >"$WORK/out" 2>&1 &
vm=$!
wait_for 30 grep -q first "$WORK/out"
expect_eq "$(<"$WORK/out")" first "the output so far"

step "SIGTERM ends everything"
kill "$vm"
code=0
wait "$vm" || code=$?
expect_eq "$code" 143 "exit code"
expect_nothing_left

step "SIGKILL of the caller's process leaves nothing either"
"$VM" "$script" >"$WORK/out" 2>&1 &
vm=$!
wait_for 30 grep -q first "$WORK/out"
kill -KILL "$vm"
wait "$vm" 2>/dev/null || true
wait_for 20 rmdir "$TMPDIR"
mkdir "$TMPDIR"
expect_nothing_left

step "a script that takes too long is ended: 124, and what was running"
expect_exit 124 "$VM" --timeout 2 "$script"
expect_output 'not finished after 2 seconds'
expect_output 'sleep 100'
expect_nothing_left

step "with systemd as the first process, a script is handed the same, and hands back the same"
script=$(guest_script systemd.sh <<'EOF'
# guest: --systemd
echo "out $(</proc/1/comm) $1,$2"
echo "err $VTPM_HANDED" >&2
[ -t 0 ] && echo tty
(: </dev/tty) 2>/dev/null && echo "a controlling terminal"
cat
seq 1 100000 | head -n 1
echo "${PIPESTATUS[0]}"
sleep 1234 &
systemd-run --quiet sleep 1235
echo >"$VTPM_RIG_MARKER"
exit 7
EOF
)
code=0
VTPM_HANDED='a value' VTPM_RIG_MARKER=$WORK/marker "$VM" "$script" 'two words' '*' >"$WORK/out" 2>"$WORK/err" \
    </dev/zero || code=$?
expect_eq "$code" 7 "exit code"
expect_eq "$(<"$WORK/out")" "out systemd two words,*"$'\n'"1"$'\n'"141" "stdout"
expect_eq "$(<"$WORK/err")" "err a value" "stderr"
expect_exit 1 test -e "$WORK/marker"
expect_nothing_left

step "and is ended in the same way when it takes too long"
expect_exit 124 "$VM" --systemd --timeout 2 "$(guest_script live.sh <<<'echo first; sleep 100')"
expect_output '^first$'
expect_output 'not finished after 2 seconds'
expect_output 'sleep 100'
expect_output 'systemd-journald'
expect_nothing_left

step "a script that ends its systemd has ended its guest"
expect_exit 125 "$VM" --systemd "$(guest_script poweroff.sh <<<'systemctl poweroff; sleep 100')"
expect_output 'the guest died under'
expect_nothing_left

step "options in the script's second line"
script=$(guest_script own.sh <<'EOF'
# guest: --mem 400M
grep MemTotal /proc/meminfo
EOF
)
expect_exit 0 "$VM" "$script"
expect_output 'MemTotal: +3[0-9]{5} kB'
expect_exit 0 "$VM" --mem 300M "$script"
expect_output 'MemTotal: +2[0-9]{5} kB'
sed -i 's/--mem/--men/' "$script"
expect_exit 2 "$VM" "$script"
expect_output 'unknown option --men'

step "a disk is the caller's file: what was synced is in it at once, what was not is lost with the guest's power"
truncate -s 32M "$WORK/a disk,1"
truncate -s 8K "$WORK/b"
script=$(guest_script disk.sh <<'EOF'
mkfs.ext4 -q /dev/ubda && mkdir /run/disk && mount -o noatime /dev/ubda /run/disk || exit
printf synced-%032d 1 >/run/disk/file && sync /run/disk/file
printf unsynced-%032d 1 >>/run/disk/file
printf synced-%032d 2 | dd conv=fdatasync status=none of=/dev/ubdb
echo "$(</sys/block/ubdb/size) sectors"
sleep 100
EOF
)
"$VM" --disk "$WORK/a disk,1" --disk "$WORK/b" "$script" >"$WORK/out" 2>&1 &
vm=$!
wait_for 30 grep -q sectors "$WORK/out"
expect_eq "$(head -c 39 "$WORK/b")" "$(printf synced-%032d 2)" "what was synced, while the guest runs"
kill -KILL "$vm"
wait "$vm" 2>/dev/null || true
wait_for 20 rmdir "$TMPDIR"
mkdir "$TMPDIR"
expect_eq "$(<"$WORK/out")" "16 sectors" "the size of a disk"
script=$(guest_script disk.sh <<<'mkdir /run/disk && mount /dev/ubda /run/disk && cat /run/disk/file')
expect_exit 0 "$VM" --disk "$WORK/a disk,1" "$script"
expect_eq "$(<"$OUTPUT")" "$(printf synced-%032d 1)" "what the next guest finds"
script=$(guest_script size.sh <<<$'# guest: --disk 5M\ncat /sys/block/ubd?/size')
expect_exit 0 "$VM" "$script"
expect_eq "$(<"$OUTPUT")" 10240 "sectors of a disk that ends with the guest"
expect_exit 0 "$VM" --disk "$WORK/b" --disk 6M "$script"
expect_eq "$(<"$OUTPUT")" $'16\n12288' "sectors of the disks on the command line"
expect_exit 2 "$VM" --disk "$WORK/none" "$script"
expect_output 'wants a file that can be written, or a size'
expect_exit 125 env VTPM_GUEST=native "$VM" "$script"
expect_output 'the script wants a disk of its own'
expect_nothing_left

step "a guest that dies, and one that does not come up: 125, and why"
script=$(guest_script panic.sh <<<'echo c >/proc/sysrq-trigger; sleep 10')
expect_exit 125 "$VM" "$script"
expect_output 'the guest died.*its last messages'
expect_output 'Kernel panic'
expect_nothing_left
mkdir "$WORK/path"
for tool in bash cat cc dirname ip kill mkfifo mktemp ps readlink rm sed setsid sleep; do
    ln -s "$(type -P "$tool")" "$WORK/path/"
done
expect_exit 125 env PATH="$WORK/path" "$VM" "$script"
expect_output 'linux.uml is missing: .*apt-get install'
expect_exit 125 env VTPM_GUEST=native CUSE=/nonexistent "$VM" "$script"
expect_nothing_left

step "commands for --shell come from stdin when that is no terminal"
printf 'greeting=hello\n' >"$WORK/rc"
echo 'echo "$greeting from $(stat -c %t:%T /dev/cuse)"; exit 5' >"$WORK/stdin"
code=0
"$VM" --shell "$WORK/rc" <"$WORK/stdin" >"$WORK/out" 2>&1 || code=$?
expect_eq "$code $(<"$WORK/out")" "5 hello from a:cb" "exit code and output"
expect_nothing_left

step "a guest cannot change this machine's files; three at once"
before=$(stat -c '%i %Y' tests/guest/README.md)
for i in 1 2 3; do
    VTPM_RIG_MARKER=$WORK/marker$i "$VM" tests/guest/rig.sh >"$WORK/rig$i" 2>&1 &
    guests[i]=$!
done
for i in 1 2 3; do
    wait "${guests[i]}" || fail "rig.sh failed: $(<"$WORK/rig$i")"
    expect_exit 1 test -e "$WORK/marker$i"
done
expect_eq "$(stat -c '%i %Y' tests/guest/README.md)" "$before" "a file that each guest removed"
expect_nothing_left

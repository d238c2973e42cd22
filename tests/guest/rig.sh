#!/bin/bash
# guest: --mem 768M --timeout 100 --udev
# The rig, seen from inside: what README.md promises to a guest test is there, and the host's files are safe.

. tests/guest/lib/lib.sh

step "the kernel's CUSE is there"
expect_eq "$(stat -c '%F %Hr:%Lr' /dev/cuse)" "character special file 10:203" "/dev/cuse"

step "the environment is the promised one"
expect_eq "$(readlink -f tests/guest/rig.sh)" "$(readlink -f "$0")" "the current directory is the repository's"
expect_eq "$(stat -f -c %T "$TMPDIR")" tmpfs "file system of TMPDIR"
expect_eq "${PATH%%:*}" "$VTPM_BIN" "first directory of PATH"
expect_eq "$(id -u)" 0 "user"
expect_exit 0 python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); socket.create_connection(s.getsockname())'
expect_exit 0 udevadm control --ping
for file in /dev/null /dev/shm/file /run/file; do expect_exit 0 bash -c "echo x >$file"; done
expect_exit 0 python3 -c 'import pty; pty.openpty()'

step "a process's vector registers survive the switch to another"
openssl rand -out "$WORK/data" 30000000
expected=$(openssl sha512 "$WORK/data")
for i in 1 2 3 4; do openssl sha512 "$WORK/data" >"$WORK/sum$i" & done
wait
for i in 1 2 3 4; do expect_eq "$(<"$WORK/sum$i")" "$expected" "one of four digests computed at once"; done

step "native mode keeps the same promises"
cat >"$WORK/native.sh" <<'EOF'
#!/bin/bash
echo "$VTPM_GUEST $1 $(stat -f -c %T "$TMPDIR") $(stat -c %t:%T /dev/cuse) $PWD ${PATH%%:*}"
sleep 1234 &
exit 7
EOF
expect_exit 7 env VTPM_GUEST=native tests/guest/vm "$WORK/native.sh" 'a  b'
expect_eq "$(<"$OUTPUT")" "native a  b tmpfs a:cb $PWD $VTPM_BIN" "what the script saw"
expect_exit 1 pgrep -f 'sleep 123[4]'
echo 'trap "echo ended in order" EXIT; while :; do sleep 0.1; done' >"$WORK/native.sh"
expect_exit 124 env VTPM_GUEST=native tests/guest/vm --timeout 1 "$WORK/native.sh"
expect_output 'not finished after 1 seconds'
expect_output 'ended in order'
expect_eq "$(compgen -G "/dev/shm/vtpm-guest.*" || true)" "" "temporary directories left"

step "native mode refuses what this machine cannot give"
if [[ $(</proc/1/comm) != systemd ]]; then
    expect_exit 125 env VTPM_GUEST=native tests/guest/vm --systemd "$WORK/native.sh"
    expect_output 'needs systemd, and the first process of this machine is '
fi
expect_exit 125 env VTPM_GUEST=native tests/guest/vm --no-cuse "$WORK/native.sh"
expect_output 'wants to load the cuse module, which is loaded here'

# The other half of the test, rig_outside.sh, looks whether the host sees any of this.
if [[ $VTPM_GUEST == uml ]]; then
    step "every file can be changed here"
    marker=${VTPM_RIG_MARKER:-/etc/vtpm-rig-marker}
    echo changed >"$marker"
    expect_eq "$(<"$marker")" changed "a file written here"
    rm tests/guest/README.md
    expect_exit 1 test -e tests/guest/README.md
    expect_eq "$(findmnt -no FSTYPE /)" overlay "the root file system"
fi

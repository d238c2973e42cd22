#!/bin/bash
# guest: --timeout 180
# What goes wrong is said, with what to do about it; the exit code tells wrong usage (2) from failure (1).

. tests/guest/lib/lib.sh
STATE=dir:$WORK/state

step "no /dev/cuse"
# shellcheck disable=SC2016
expect_exit 1 unshare --mount bash -c 'mount -t tmpfs tmpfs /dev && exec vtpmd --device vtpm0 --state "$1"' bash "dir:$WORK/unused"
expect_output '/dev/cuse'
expect_output 'modprobe cuse'

step "/dev/cuse forbidden"
mkdir -m 0777 "$WORK/nobody"
chmod 0755 "$WORK"
expect_exit 1 setpriv --reuid=65534 --regid=65534 --clear-groups "$VTPM_BIN/vtpmd" --device vtpm0 --state "dir:$WORK/nobody/state"
expect_output '/dev/cuse'
expect_output '[Pp]ermission|[Ff]orbidden|not allowed'

step "wrong usage"
expect_exit 2 vtpmd --state "$STATE"
expect_output '--device'
expect_exit 2 vtpmd --device vtpm0
expect_output '--state'
expect_exit 2 vtpmd --device vtpm0 --state "$STATE" --no-such-option
expect_output '--no-such-option'
expect_exit 2 vtpmd --device vtpm0 --state "$STATE" --tpm 3.0
expect_exit 2 vtpmd --device vtpm0 --state "$STATE" --startup sometimes
expect_exit 2 vtpmd --device vtpm0 --state "$STATE" --power maybe
expect_exit 2 vtpmd --device vtpm0 --state nowhere:in/particular
expect_exit 2 vtpmd --device vtpm0 --state "$STATE" stray
expect_exit 2 vtpmd --device vtpm0 --state "$STATE" --key /path
expect_output "^vtpmd: --key: '/path' is not known"
expect_exit 2 vtpmd --device vtpm0 --state "$STATE" --buffer-size 100
expect_output '^vtpmd vtpm0: --buffer-size 100 is not possible'
expect_exit 2 vtpmd --device vtpm0 --state "$STATE" --buffer-size 100 --check
for wrong in 'buffer-size = 100' 'key = "/path"' 'key = "fd=77"' 'buffer-size = "many"' 'power = 7' 'nonsense = 1' 'device = ['; do
    printf 'device = "vtpm0"\nstate = "%s"\n%s\n' "$STATE" "$wrong" >"$WORK/config.toml"
    expect_exit 2 env JOURNAL_STREAM=8:1 vtpmd --config "$WORK/config.toml"
    expect_output '^<3>vtpmd'
done
expect_exit 0 vtpmd --help
expect_output '--device'
expect_exit 1 test -e "$WORK/state"

step "state that cannot be"
expect_exit 1 vtpmd --device vtpm0 --state "dir:$WORK/no/such/parent"
expect_output "$WORK/no/such"
expect_exit 1 vtpmd --device vtpm0 --state "$STATE" --create never
expect_output "$WORK/state"
expect_exit 1 test -e /dev/vtpm0

expect_exit 1 vtpmd --device vtpm0 --state "$STATE" --startup state
expect_output 'refused Startup: TPM_RC_VALUE \(0x1c4\): .*--startup clear'
mkdir "$WORK/read-only"
mount -t tmpfs -o ro tmpfs "$WORK/read-only"
expect_exit 1 vtpmd --device vtpm0 --state "file:$WORK/read-only/state"
expect_output 'Read-only file system$'
expect_exit 1 env INVOCATION_ID=4711 vtpmd --device vtpm0 --state "file:$WORK/read-only/state"
expect_output "Read-only file system.*systemctl edit.*ReadWritePaths=$WORK/read-only\$"
umount "$WORK/read-only"

step "too few descriptors are no missing module"
# shellcheck disable=SC2016
expect_exit 1 bash -c 'ulimit -n 5; exec vtpmd --device vtpm0 --state "$1"' bash "$STATE"
expect_output '/dev/cuse: Too many open files.*ulimit -n'
expect_eq "$(grep -c modprobe "$OUTPUT" || true)" 0 "advice about modules"

step "OpenSSL's configuration of the host does not count; one that is named must leave nothing open"
provider() { printf '%s\n' 'openssl_conf = init' '[init]' 'providers = all' '[all]' "$@" 'activate = 1' >"$WORK/openssl.cnf"; }
provider 'default = default_section' 'nosy = nosy_section' '[default_section]' 'activate = 1' '[nosy_section]' "module = $VTPM_BIN/nosy_provider.so"
OPENSSL_CONF=$WORK/openssl.cnf start_vtpmd vtpm0 --state "file:$WORK/file"
expect_eq "$(grep -c nosy_provider "$OUTPUT" || true)" 0 "words of the provider"
expect_eq "$(find "/proc/${pids[vtpm0]}/fd" -lname /dev/zero | wc -l)" 0 "what the provider has opened"
stop_vtpmd vtpm0
printf '%064d' 7 >"$WORK/key"
expect_exit 0 env OPENSSL_CONF="$WORK/openssl.cnf" vtpmctl state rekey "file:$WORK/file" --new-key "file=$WORK/key"
expect_eq "$(grep -c nosy_provider "$OUTPUT" || true)" 0 "words of the provider in vtpmctl"
rm -r "$WORK/state"
expect_exit 1 vtpmd --device vtpm0 --state "$STATE" --openssl-config "$WORK/openssl.cnf"
expect_output "open on /dev/zero.*$WORK/openssl.cnf \(--openssl-config\)"
provider 'null = null_section' '[null_section]'
expect_exit 1 vtpmd --device vtpm0 --state "$STATE" --openssl-config "$WORK/openssl.cnf"
expect_output "OpenSSL with the configuration $WORK/openssl.cnf"
start_vtpmd vtpm0 --state "$STATE" --openssl-config /etc/ssl/openssl.cnf
stop_vtpmd vtpm0
expect_exit 1 test -e /dev/vtpm0

step "--create never takes what is there"
start_vtpmd vtpm0 --state "$STATE"
tpm2_nvdefine -Q -C o -s 4 -a 'ownerread|ownerwrite' 0x1500050
stop_vtpmd vtpm0
start_vtpmd vtpm0 --state "$STATE" --create never
expect_exit 0 tpm2_nvreadpublic 0x1500050
stop_vtpmd vtpm0

step "damaged state: the node is there, the TPM answers that it failed, and nothing is overwritten"
cp "$WORK/state/tpm2-00.permall" "$WORK/good"
for damage in truncated empty flipped; do
    case $damage in
    truncated) head -c 700 "$WORK/good" >"$WORK/state/tpm2-00.permall" ;;
    empty) : >"$WORK/state/tpm2-00.permall" ;;
    flipped) python3 -c '
import sys
blob = bytearray(open(sys.argv[1], "rb").read())
for i in range(16, 28): blob[i] ^= 0xFF # the magic of the TPM library within
open(sys.argv[2], "wb").write(blob)' "$WORK/good" "$WORK/state/tpm2-00.permall" ;;
    esac
    cp "$WORK/state/tpm2-00.permall" "$WORK/damaged"
    START_STATUS=3 start_vtpmd vtpm0 --state "$STATE"
    expect_output 'the TPM has failed'
    expect_eq "$(tpm_send 80010000000c0000017b0008)" 80010000000a00000101 "the answer with $damage state"
    stop_vtpmd vtpm0
    expect_exit 0 cmp "$WORK/damaged" "$WORK/state/tpm2-00.permall"
done

step "with the good state back, all is well"
cp "$WORK/good" "$WORK/state/tpm2-00.permall"
start_vtpmd vtpm0 --state "$STATE"
expect_exit 0 tpm2_nvreadpublic 0x1500050
stop_vtpmd vtpm0

step "under a limit that no state fits in it does not start, and leaves no file"
(
    ulimit -f 256
    expect_exit 1 vtpmd --device vtpm0 --state "file:$WORK/too-large" --daemon
    expect_output 'ulimit -f'
    expect_exit 2 ls "$WORK/too-large"
)

step "a limit for the size of files is a full disk; what a client causes over and over is told once, and counted"
(
    ulimit -f 3
    expect_exit 0 vtpmd --device vtpm0 --state "dir:$WORK/limited" --daemon --pid-file "$WORK/vtpm0.pid"
)
pids[vtpm0]=$(<"$WORK/vtpm0.pid")
refused=0
for index in 1 2 3 4 5 6 7 8; do
    tpm2_nvdefine -Q -C o -s 512 "0x150000$index" 2>"$WORK/refused" || ((refused += 1))
done
expect_exit 0 grep -q 'tpm:warn(2.0)\|0x923' "$WORK/refused"
expect_exit 0 tpm2_getrandom --hex 4
stop_vtpmd vtpm0
expect_eq "$(grep -c '\]: command 0x12a was undone' "$WORK/syslog")" 1 "times that it is told"
wait_for 5 grep -q "left out $((refused - 1)) more of this kind in the last minute: command 0x12a was undone" "$WORK/syslog"

step "messages go on when syslog is started anew"
start_vtpmd vtpm0 --state "$STATE"
kill "$(pgrep -f lib/syslog.py)"
rm /dev/log
(python3 "$LIB/syslog.py" "$WORK/syslog_anew" >/dev/null 2>&1 </dev/null &)
wait_for 5 test -S /dev/log
stop_vtpmd vtpm0
wait_for 5 grep -q 'ended by a signal' "$WORK/syslog_anew"

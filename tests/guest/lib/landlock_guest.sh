#!/bin/bash
# The first process of landlock.sh's machine, whose file system is what that script put there.

set -e
mkdir -p /proc /sys /dev /run /tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /run
trap 'echo o >/proc/sysrq-trigger; while :; do sleep 1; done' EXIT
echo 1 >/proc/sys/kernel/printk # no message of the kernel within our lines
insmod "$MODULES/fuse.ko"
insmod "$MODULES/cuse.ko"
export PATH=$VTPM_BIN:/usr/sbin:/usr/bin:/sbin:/bin TMPDIR=/run
: >/dev/log # nobody reads it: lib.sh would start a Python program that is not here

facts() (
    cd "$TOP"
    . tests/guest/lib/lib.sh
    readonly NOBODY=65534

    # daemon STATE: starts one in the foreground of its own, whose messages are in $WORK/log.
    daemon() {
        rm -f "$WORK/pid"
        vtpmd --device vtpm0 --user nobody --state "$1" --pid-file "$WORK/pid" --log-level debug 2>>"$WORK/log" &
        pids[vtpm0]=$!
        wait_for 60 test -s "$WORK/pid"
    }
    # What another process of the daemon's user may do.
    as_nobody() { expect_exit 0 setpriv --reuid="$NOBODY" --regid="$NOBODY" --clear-groups "$@"; }

    step "what a user may open is closed to the TPM of that user; what it needs is open"
    mkdir -p /run/everybody /run/states/own
    chmod 0777 /run/everybody
    chown "$NOBODY" /run/states/own
    echo open >/run/everybody/file
    chmod 0666 /run/everybody/file
    as_nobody cat /run/everybody/file
    as_nobody bash -c 'echo more >>/run/everybody/file && echo new >/run/everybody/new && : >/dev/null'
    expect_exit 0 sandbox_probe /run/states/own "$NOBODY" "$NOBODY" /run/everybody/file /run/everybody/other /dev/null /etc/passwd
    grep -v 'refused the system call' "$OUTPUT"
    expect_output '^landlock: worked$'
    for path in /run/everybody/file /run/everybody/other /dev/null; do expect_output "^write $path: EACCES$"; done
    for path in /run/everybody/file /dev/null /etc/passwd; do expect_output "^read $path: EACCES$"; done
    for need in thread memory getrandom poll groups-of-openers "write own state"; do expect_output "^$need: worked$"; done
    expect_exit 1 test -e /run/everybody/other

    for store in "${STORES[@]}"; do
        step "$store: a TPM is made, used, killed, and goes on from its state"
        mkdir "/run/states/$store"
        chown "$NOBODY" "/run/states/$store"
        state=$(state_in "$store" "/run/states/$store")
        daemon "$state"
        expect_exit 0 tpm2 nvdefine -C o -s 4 -a 'ownerread|ownerwrite' 0x1500060
        echo -n abcd >"$WORK/data"
        expect_exit 0 tpm2 nvwrite -C o -i "$WORK/data" 0x1500060
        expect_exit 0 vtpmctl state store-volatile vtpm0
        kill -KILL "${pids[vtpm0]}"
        wait_for 20 is_missing /dev/vtpm0
        daemon "$state"
        expect_exit 0 tpm2 nvread -C o -s 4 0x1500060
        expect_eq "$(<"$OUTPUT")" abcd "the NV index"
        stop_vtpmd vtpm0
    done
    expect_exit 1 grep -q 'no Landlock' "$WORK/log"
)

code=0
facts || code=$?
echo "exit code $code"

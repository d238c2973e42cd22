#!/bin/bash
# guest: --timeout 60
# power_cuts_guest.sh LABEL STORE SYNC [LABEL STORE SYNC...]: counts on a TPM each, whose states are on /dev/ubda, ubdb
# and so on, until the power is cut. For power_cuts.sh, which reads on the console what was acknowledged.

. tests/guest/lib/lib.sh

tail -n +1 -F "$WORK/syslog" >/dev/tty1 2>/dev/null & # a refused system call is for power_cuts.py to see
number=0
while (($#)); do
    label=$1 store=$2 sync=$3
    shift 3
    disk=$WORK/disk$number
    mkdir "$disk"
    mount "/dev/ubd$(printf %b "\\$(printf %o $((97 + number)))")" "$disk"
    echo "$label mounted"
    state=$(state_in "$store" "$disk")
    start=(vtpmd --daemon --device "vtpm$number" --state "$state" --sync "$sync")
    if ! "${start[@]}"; then
        [[ $sync == none ]] || fail "vtpmd does not start"
        echo "$label unusable"
        rm -rf "${state#*:}"
        "${start[@]}"
    fi
    # Not by way of the guest's cat: what this line says has left the guest when write() returns.
    python3 "$LIB/counter.py" run "/dev/vtpm$number" "$label" >/dev/tty1 &
    ((number += 1))
done
wait -n
fail "a counter has ended by itself"

#!/bin/bash
# guest: --disk 64M
# How many system calls make one NV increment durable, counted with strace: what a store promises, and not one more.

. tests/guest/lib/lib.sh
INCREMENTS=50
CALLS=(fdatasync fsync pwrite64 write renameat openat unlinkat ftruncate fallocate)
mkfs.ext4 -q /dev/ubda
mkdir "$WORK/disk"
mount /dev/ubda "$WORK/disk"

is_traced() { grep -q ' attached' "$WORK/strace"; }

# expect_calls STORE EXPECTED OPTION...: EXPECTED has those of CALLS that are made for an increment, as "NAME NUMBER ".
# The sandbox stays on: root may trace vtpmd.
expect_calls() {
    local store=$1 expected=$2 tracer call count found=
    shift 2
    start_vtpmd vtpm0 --state "$(state_in "$store" "$WORK/disk")" "$@"
    expect_exit 0 python3 "$LIB/counter.py" increment /dev/vtpm0 5 # whatever happens only at first
    : >"$WORK/strace" # what the one before said is not believed
    strace -f -e "trace=$(IFS=, && echo "${CALLS[*]}")" -o "$WORK/calls" -p "${pids[vtpm0]}" 2>"$WORK/strace" &
    tracer=$!
    wait_for 10 is_traced
    expect_exit 0 python3 "$LIB/counter.py" increment /dev/vtpm0 "$INCREMENTS"
    kill "$tracer"
    wait "$tracer" || true
    for call in "${CALLS[@]}"; do
        # What /proc says of an opener is asked once for each open.
        count=$(grep -E "^[0-9]+ +$call\(" "$WORK/calls" | grep -vc '"/proc/' || true)
        ((count % INCREMENTS == 0)) || fail "$count calls of $call for $INCREMENTS increments"
        ((count == 0)) || found+="$call $((count / INCREMENTS)) "
    done
    echo "$found"
    expect_eq "$found" "$expected" "calls for an increment"
    stop_vtpmd vtpm0
    rm -rf "$WORK/disk/state"*
}

for store in "${STORES[@]}"; do
    step "$store: calls for each of $INCREMENTS increments"
    case $store in
    dir) expect_calls dir "fsync 2 write 1 renameat 1 openat 1 unlinkat 1 " ;;
    file) expect_calls file "fdatasync 1 pwrite64 1 " ;;
    esac
done
step "with --sync none, the same without syncing"
expect_calls dir "write 1 renameat 1 openat 1 unlinkat 1 " --sync none
expect_calls file "pwrite64 1 " --sync none

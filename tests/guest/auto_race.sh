#!/bin/bash
# guest: --timeout 240
# `--device auto` takes the lowest free number, also when several ask at once.

. tests/guest/lib/lib.sh

# start_auto N: the node's path goes to node.N
start_auto() {
    timeout 60 vtpmd --device auto --state "file:$WORK/state$1" --daemon --pid-file "$WORK/auto$1.pid" >"$WORK/node.$1"
}

step "alone: the lowest free number"
start_vtpmd vtpm0 --state "file:$WORK/first"
start_vtpmd auto --state "file:$WORK/second"
expect_eq "$DEVICE" /dev/vtpm1 "the node chosen"
expect_eq "$(tpm_send 80010000000c0000017b0008 | cut -c1-20)" 80010000001400000000 "its answer"

rounds=$(often 3 10)
for ((round = 1; round <= rounds; round++)); do
    step "four at once, round $round"
    jobs=()
    for i in 1 2 3 4; do
        start_auto "$i" &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do wait "$job" || fail "one of them failed"; done
    for i in 1 2 3 4; do pids[auto$i]=$(<"$WORK/auto$i.pid"); done
    expect_eq "$(sort "$WORK"/node.? | tr '\n' ' ')" "/dev/vtpm2 /dev/vtpm3 /dev/vtpm4 /dev/vtpm5 " "the nodes chosen"
    for i in 1 2 3 4; do
        DEVICE=$(<"$WORK/node.$i")
        expect_eq "$(tpm_send 80010000000c0000017b0008 | cut -c1-20)" 80010000001400000000 "the answer of $DEVICE"
        kill -TERM "${pids[auto$i]}"
    done
    for i in 1 2 3 4; do
        wait_for 20 is_gone "${pids[auto$i]}"
        unset "pids[auto$i]"
    done
    wait_for 5 is_missing /dev/vtpm5
done

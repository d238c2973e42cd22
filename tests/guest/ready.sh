#!/bin/bash
# Readiness is told by sd_notify, once the TPM answers on its node; fixed numbers are taken.

. tests/guest/lib/lib.sh

step "a service manager is told, and the node answers at that moment"
expect_exit 0 python3 "$LIB/ready.py" "file:$WORK/state" "$WORK/notify"
expect_output '^node 300 77$'
expect_output '^exit 0$'

step "a number that is taken"
start_vtpmd vtpm1 --state "file:$WORK/one"
major=$(stat -c %Hr /dev/vtpm1)
expect_exit 1 vtpmd --device vtpm2 --state "file:$WORK/two" --major "$major" --minor 1
expect_output "$major:1 is taken"
expect_exit 1 test -e /dev/vtpm2

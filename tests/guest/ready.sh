#!/bin/bash
# Readiness is told by sd_notify, once the TPM answers on its node; fixed numbers are taken.

. tests/guest/lib/lib.sh

step "a service manager is told, and the node answers at that moment"
expect_exit 0 python3 "$LIB/ready.py" "file:$WORK/state" "$WORK/notify"
expect_output '^STATUS=TPM 2.0 on /dev/vtpm5 '
expect_output '^answer 00000000$'
expect_output '^node 300 77$'
expect_output '^exit 0$'

step "of a TPM that has failed, its status says so"
echo "a letter" >"$WORK/letter"
expect_exit 0 python3 "$LIB/ready.py" "file:$WORK/letter" "$WORK/notify_failed"
expect_output "^STATUS=failed: .*$WORK/letter"
expect_output '^answer 00000101$'
expect_output '^exit 0$'

step "a number that is taken"
start_vtpmd vtpm1 --state "file:$WORK/one"
major=$(stat -c %Hr /dev/vtpm1)
expect_exit 1 vtpmd --device vtpm2 --state "file:$WORK/two" --major "$major" --minor 1
expect_output "$major:1 is taken"
expect_exit 1 test -e /dev/vtpm2

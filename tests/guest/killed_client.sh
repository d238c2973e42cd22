#!/bin/bash
# guest: --timeout 300
# A client killed in the middle of RSA key generation leaves a device that the next client can use at once.

. tests/guest/lib/lib.sh
COMMAND_SECONDS=250

start_vtpmd vtpm0 --state "file:$WORK/state"
for how in blocking non-blocking; do
    step "clients killed during a $how write"
    expect_exit 0 python3 "$LIB/killed_client.py" /dev/vtpm0 "$how"
    cat "$OUTPUT"
    expect_exit 0 tpm2_getrandom --hex 8
done

#!/bin/bash
# guest: --timeout 300
# The raw node behaves as the kernel's own /dev/tpm0 does, system call by system call.

. tests/guest/lib/lib.sh
COMMAND_SECONDS=280

start_vtpmd vtpm0 --state "file:$WORK/state"
expect_exit 0 python3 "$LIB/node_contract.py" /dev/vtpm0
cat "$OUTPUT"

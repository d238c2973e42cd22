#!/bin/bash
# guest: --timeout 300
# A daemon killed while clients read, write and poll: nobody hangs, and everybody gets the error that is documented.

. tests/guest/lib/lib.sh
COMMAND_SECONDS=250

step "in flight ECONNABORTED, later ENOTCONN, poll POLLERR"
expect_exit 0 python3 "$LIB/killed_daemon.py" "$WORK/state"
cat "$OUTPUT"

step "the state survives, and the name is free"
start_vtpmd vtpm0 --state "dir:$WORK/state"
expect_exit 0 tpm2_nvreadpublic 0x1500040

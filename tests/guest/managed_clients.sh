#!/bin/bash
# guest: --timeout 900
# Many clients of the managed node at once: nobody sees an error, each has its share, none can take another's.

. tests/guest/lib/lib.sh
COMMAND_SECONDS=800
start_vtpmd vtpm0 --state "file:$WORK/state"
clients() {
    expect_exit 0 python3 "$LIB/managed_clients.py" /dev/vtpmrm0 "$@"
    cat "$OUTPUT"
}

step "fifty, each signing with its own key under its own session"
clients 50 "$(often 10 200)"

step "the same beside one that hoards its limit, and one that is killed again and again"
clients 40 "$(often 10 200)" hoarder killed

step "a session that is idle while others go on"
clients idle "$(often 2000 100000)"

step "nothing is left of all of them"
expect_exit 0 tpm2_getcap handles-transient
expect_eq "$(<"$OUTPUT")" "" "objects that are left in the TPM"
expect_exit 0 tpm2_getcap handles-loaded-session
expect_eq "$(<"$OUTPUT")" "" "loaded sessions"
expect_exit 0 tpm2_getcap handles-saved-session
expect_eq "$(<"$OUTPUT")" "" "saved sessions"

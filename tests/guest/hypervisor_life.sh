#!/bin/bash
# guest: --timeout 300
# A hypervisor's life between two daemons: powered on with a locality for each command, used, saved, moved while the TPM
# is in use; measurements, NV contents, key handle and session go on at the target, and the source writes nothing more.

. tests/guest/lib/lib.sh

run() { expect_exit 0 python3 "$LIB/hypervisor_life.py" "$1" "$WORK/$1"; cat "$OUTPUT"; }

step "two storages: the blobs carry everything"
run separate
expect_output 'key, session, PCRs and NV go on'

step "one storage, handed over by its lock"
run shared
expect_output 'the source wrote nothing'

step "the hand-over came to nothing: the source takes its storage back"
run taken-back
expect_output 'the source goes on'

step "the storage was changed meanwhile: the source does not write over it"
run changed
expect_output 'the source has failed'

#!/bin/bash
# guest: --timeout 300
# Every control request in every phase, on both nodes, with both TPM versions: possible or refused as docs/ioctl_abi.md
# says, and what was not answered is not touched.

. tests/guest/lib/lib.sh

for version in 2.0 1.2; do
    for node in vtpm0 vtpmctl0; do
        for phase in off on failed; do
            step "TPM $version, /dev/$node, $phase"
            start_vtpmd vtpm0 --state "dir:$WORK/$version.$node.$phase" --tpm "$version" --power off
            expect_exit 0 python3 "$LIB/phases.py" "/dev/$node" "$phase" "$WORK/$version.$node.$phase"
            cat "$OUTPUT"
            expect_output '^23 requests$'
            wait_for 10 is_gone "${pids[vtpm0]}" # SHUTDOWN is the last of them
            unset "pids[vtpm0]"
        done
    done
done

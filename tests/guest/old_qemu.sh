#!/bin/bash
# guest: --timeout 120
# What QEMU's old CUSE backend does, all on one open file of the raw node.

. tests/guest/lib/lib.sh

start_vtpmd vtpm0 --state "file:$WORK/state" --power off
expect_exit 0 python3 "$LIB/old_qemu.py" /dev/vtpm0
cat "$OUTPUT"
expect_output 'saved, loaded, ended'
wait_for 10 is_gone "${pids[vtpm0]}"
unset "pids[vtpm0]"
expect_exit 1 test -e /dev/vtpm0

#!/bin/bash
# guest: --host --timeout 600
# A guest's power is cut at random moments while it increments NV counters as fast as it can, until each store was found
# after a cut in its work 6 times (30 in tests/dev soak): no acknowledged increment is lost. With --sync none some are, which shows that this test
# can fail. VTPM_SEED repeats the moments.

. tests/guest/lib/lib.sh
unset VTPM_GUEST
COMMAND_SECONDS=550
CYCLES=$(often 6 30)
seed=${VTPM_SEED:-$RANDOM$RANDOM}
export TMPDIR=$WORK/tmp # the rig's own directories are made in here, so that its end is seen
mkdir "$TMPDIR"

# Each has a disk of its own: what one syncs does not take along what another did not.
stores=()
for kind in "${STORES[@]}"; do
    stores+=("$kind-full:$kind:full:$WORK/$kind-full")
done
stores+=("file-none:file:none:$WORK/file-none")
for store in "${stores[@]}"; do
    truncate -s 64M "${store##*:}"
    mkfs.ext4 -q -F "${store##*:}"
done

step "$CYCLES power cuts, seed $seed"
expect_exit 0 python3 "$LIB/power_cuts.py" "$CYCLES" "$seed" "${stores[@]}"
cat "$OUTPUT"

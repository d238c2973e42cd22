#!/bin/bash
# guest: --timeout 600 --disk 64M
# vtpmd killed with SIGKILL over and over, at random moments (40 times, 200 in tests/dev soak): no acknowledged increment of an NV counter is lost, and the TPM
# always comes back. What the daemon has written stays in the kernel, so this shows that it writes in the right order,
# not that it syncs: power_cuts.sh and write_order.sh do. VTPM_SEED repeats a run.

. tests/guest/lib/lib.sh
COMMAND_SECONDS=280
CYCLES=$(often 40 200)
seed=${VTPM_SEED:-$RANDOM$RANDOM}

# ext4 on a disk of the rig. A loop device on a tmpfs would do as well: the kernel outlives every kill.
mkfs.ext4 -q /dev/ubda
mkdir "$WORK/disk"
mount /dev/ubda "$WORK/disk"

for store in "${STORES[@]}"; do
    step "$store: $CYCLES kills, seed $seed"
    expect_exit 0 python3 "$LIB/sigkill_cycles.py" "$(state_in "$store" "$WORK/disk")" "$CYCLES" "$seed"
    cat "$OUTPUT"
done

#!/bin/bash
# guest: --disk 8M
# No space for the state: what needs some is refused, what does not goes on, what was acknowledged stays; and as soon as
# there is space, all is well without a restart.

. tests/guest/lib/lib.sh

mkdir "$WORK/disk"

for store in "${STORES[@]}"; do
    step "$store: a disk that is full while a TPM runs, and when it starts"
    mkfs.ext4 -q -F -m 0 /dev/ubda
    mount /dev/ubda "$WORK/disk"
    expect_exit 0 python3 "$LIB/full_disk.py" "$(state_in "$store" "$WORK/disk")" "$WORK/disk"
    cat "$OUTPUT"
    umount "$WORK/disk"
done

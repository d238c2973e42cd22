#!/bin/bash
# guest: --timeout 800 --disk 8M --disk 64M
# A power cut at every point in the order in which a disk makes data durable: the writes and flushes of 8 increments (30 in tests/dev soak) are
# recorded, and replayed up to each mark, flush and write. What was acknowledged before that point is there.
# Unlike a guest's power cut (power_cuts.sh), this sees a flush that is missing.

. tests/guest/lib/lib.sh
COMMAND_SECONDS=300
INCREMENTS=$(often 8 30)
modprobe -a loop dm-mod dm-log-writes
export DM_DISABLE_UDEV=1 # none runs; dmsetup makes the node itself
mkdir "$WORK/disk"

# record STORE OPTION...: leaves the disk's content before in $WORK/image, the log on /dev/ubdb, and sets `state`.
record() {
    state=$(state_in "$1" "$WORK/disk")
    shift
    head -c 1M /dev/zero >/dev/ubdb # no log of an earlier recording
    mkfs.ext4 -q -F /dev/ubda
    cat /dev/ubda >"$WORK/image"
    dmsetup create recorded --table "0 $(</sys/block/ubda/size) log-writes /dev/ubda /dev/ubdb"
    mount /dev/mapper/recorded "$WORK/disk"
    start_vtpmd vtpm0 --state "$state" "$@"
    expect_exit 0 python3 "$LIB/write_order.py" record recorded "$INCREMENTS"
    stop_vtpmd vtpm0
    umount "$WORK/disk"
    dmsetup remove recorded
}

# expect_replay CODE
expect_replay() {
    expect_exit "$1" python3 "$LIB/write_order.py" replay /dev/ubdb "$WORK/image" "$WORK/disk" "$state"
    cat "$OUTPUT"
}

for store in "${STORES[@]}"; do
    step "$store: $INCREMENTS increments, replayed"
    record "$store"
    expect_replay 0
done
step "without syncing: the test sees that it loses"
record file --sync none
expect_replay 3

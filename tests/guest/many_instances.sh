#!/bin/bash
# guest: --systemd --mem 3G --timeout 600
# Twenty instances (a hundred in tests/dev soak) through systemd: all answer, what each costs is printed, and nothing is left of them.

. tests/guest/lib/lib.sh
. tests/guest/lib/package.sh
COUNT=$(often 20 100)
COMMAND_SECONDS=300

install_package
names=()
for ((i = 0; i < COUNT; i++)); do names+=("vm-$(printf %03d $i)"); done

step "created"
begin=${EPOCHREALTIME/./}
for name in "${names[@]}"; do ctl 0 create "$name"; done
echo "create: $(((${EPOCHREALTIME/./} - begin) / COUNT / 1000)) ms each"

step "started, all at once"
begin=${EPOCHREALTIME/./}
expect_exit 0 systemctl start "${names[@]/#/vtpm@}"
echo "start: $(((${EPOCHREALTIME/./} - begin) / COUNT / 1000)) ms each"
all_linked() { [[ $(count '/dev/vtpm/by-name/vm-???') == "$COUNT" ]]; }
wait_for 60 all_linked

step "every one answers, as what it is"
expect_exit 0 python3 "$LIB/many.py" "$COUNT"
cat "$OUTPUT"
expect_eq "$(stat -Lc %t:%T /dev/vtpm/by-name/vm-??? | sort -u | wc -l)" "$COUNT" "device numbers"
echo "memory: $(for pid in $(pgrep -x vtpmd); do
    awk '$1 == "Pss:" { print $2 }' "/proc/$pid/smaps_rollup"
done | awk '{ sum += $1 } END { printf "%d KiB each of %d (proportional set size)", sum / NR, NR }')"

step "stopped: nothing is left"
expect_exit 0 systemctl stop "${names[@]/#/vtpm@}"
expect_eq "$(pgrep -xc vtpmd || true)" 0 "daemons"
wait_for 30 is_missing /dev/vtpm/by-name/vm-000
none_left() { [[ $(count '/dev/vtpm*[0-9]') == 0 && $(count '/dev/vtpm/by-name/*') == 0 && $(count '/run/vtpm/devices/*') == 0 ]]; }
wait_for 60 none_left
expect_exit 0 systemctl --failed --no-legend
expect_eq "$(<"$OUTPUT")" "" "failed units"

#!/bin/bash
# guest: --mem 3G --timeout 540
# 40 virtual TPMs at once (200 in tests/dev soak): each answers on its own node, and all nodes share one major number.

. tests/guest/lib/lib.sh
COUNT=$(often 40 200)

step "$COUNT daemons, started eight at a time"
mkdir "$WORK/states"
start_one() {
    vtpmd --device "vtpm$1" --state "file:$WORK/states/$1" --daemon --pid-file "$WORK/vtpm$1.pid" || echo "vtpm$1: $?"
}
export -f start_one
export WORK
COMMAND_SECONDS=400
expect_exit 0 bash -c "seq 0 $((COUNT - 1)) | timeout 400 xargs -P 8 -I{} bash -c 'start_one {}'"
expect_eq "$(<"$OUTPUT")" "" "complaints"
for ((i = 0; i < COUNT; i++)); do pids[vtpm$i]=$(<"$WORK/vtpm$i.pid"); done
expect_eq "$(printf '%s\n' "${pids[@]}" | sort -u | wc -l)" "$COUNT" "number of processes"

step "each is a TPM of its own, on one major number"
expect_exit 0 python3 "$LIB/many.py" "$COUNT"
cat "$OUTPUT"

step "memory of each"
for pid in "${pids[@]}"; do cat "/proc/$pid/smaps_rollup"; done >"$WORK/memory"
awk '/^(Rss|Pss|Private_Dirty):/ { sum[$1] += $2; n[$1]++; if ($2 > max[$1]) max[$1] = $2 }
    END { for (k in sum) printf "%-15s average %6d kB  largest %6d kB\n", k, sum[k] / n[k], max[k] }' "$WORK/memory"
for pid in "${pids[@]}"; do grep Threads "/proc/$pid/status"; done | sort | uniq -c | sed 's/^/processes and /'

step "all end in order"
kill -TERM "${pids[@]}"
for pid in "${pids[@]}"; do wait_for 120 is_gone "$pid"; done
pids=()
no_node() { ! compgen -G '/dev/vtpm[0-9]*'; }
wait_for 10 no_node
expect_eq "$(ls /sys/class/cuse)" "" "devices left"

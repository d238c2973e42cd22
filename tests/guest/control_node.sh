#!/bin/bash
# guest: --timeout 240
# The control node: any number of openers while somebody holds the raw node; who may ask what; commands in one call.

. tests/guest/lib/lib.sh

useradd --system --no-create-home pilot
useradd --system --no-create-home stranger
groupadd --system steering
useradd --system --no-create-home --groups steering helmsman # by a supplementary group

step "root controls, others ask harmless questions"
start_vtpmd vtpm0 --state "file:$WORK/state"
chmod 666 /dev/vtpm0 /dev/vtpmctl0 # the mode is not what this is about
expect_exit 0 python3 "$LIB/control_node.py" roles /dev/vtpmctl0 root=control pilot=anyone helmsman=anyone
expect_exit 0 python3 "$LIB/control_node.py" roles /dev/vtpm0 root=control pilot=raw helmsman=raw

step "root of a container is not root: fewer capabilities, a user namespace that maps 0 to 0, a pid namespace below"
without_admin=(setpriv --bounding-set -sys_admin --inh-caps=-all)
for contained in "${without_admin[*]}" "unshare --user --map-root-user" "unshare --pid --fork"; do
    # shellcheck disable=SC2086  # words
    expect_exit 0 $contained python3 "$LIB/control_node.py" alone /dev/vtpmctl0 anyone
    # shellcheck disable=SC2086
    expect_exit 0 $contained python3 "$LIB/control_node.py" alone /dev/vtpm0 raw
done
expect_exit 0 python3 "$LIB/control_node.py" alone /dev/vtpmctl0 control

step "a file for reading only: the control node answers what anyone may ask, the raw node does not open"
expect_exit 0 python3 "$LIB/control_node.py" readers /dev/vtpmctl0 /dev/vtpm0

step "the samples of docs/ioctl_abi.md"
awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' docs/ioctl_abi.md >"$WORK/sample.c"
awk '/^```python$/ { on = 1; next } /^```$/ { on = 0 } on' docs/ioctl_abi.md >"$WORK/sample.py"
expect_exit 0 cc -Wall -Wextra -Werror -I ctl/include -o "$WORK/sample" "$WORK/sample.c"
for sample in "$WORK/sample" "python3 $WORK/sample.py"; do
    # shellcheck disable=SC2086  # words
    expect_exit 0 $sample /dev/vtpmctl0
    expect_output "^phase 1, process ${pids[vtpm0]}, state in file:$WORK/state$"
    expect_output '^a response of 20 bytes$'
done

step "credentials count as they were at open"
expect_exit 0 python3 "$LIB/control_node.py" inherited /dev/vtpmctl0

step "many openers at once, also while the raw node is held"
expect_exit 0 python3 "$LIB/control_node.py" many /dev/vtpmctl0 /dev/vtpm0

step "a command in one call: alone, from many threads, beside a response that waits"
expect_exit 0 python3 "$LIB/control_node.py" execute /dev/vtpmctl0 /dev/vtpm0
stop_vtpmd vtpm0

step "--status-group: who may look, and change nothing"
groupadd --system watching
useradd --system --no-create-home --groups watching watcher
start_vtpmd vtpm0 --state "file:$WORK/state" --status-group watching
chown root:watching /dev/vtpmctl0 # as udev's rules do
chmod 640 /dev/vtpmctl0
expect_exit 0 "$LIB/as" watcher "$VTPM_BIN/vtpmctl" status vtpm0
expect_output 'on, started'
expect_exit 1 "$LIB/as" watcher "$VTPM_BIN/vtpmctl" power off vtpm0
expect_exit 1 "$LIB/as" watcher "$VTPM_BIN/vtpmctl" send vtpm0 80010000000c0000017b0008
expect_exit 1 "$LIB/as" stranger "$VTPM_BIN/vtpmctl" status vtpm0
stop_vtpmd vtpm0

step "--control-user and --control-group"
start_vtpmd vtpm0 --state "file:$WORK/state" --control-user pilot --control-group steering
chmod 666 /dev/vtpm0 /dev/vtpmctl0
expect_exit 0 python3 "$LIB/control_node.py" roles /dev/vtpmctl0 root=control pilot=control helmsman=control stranger=anyone
expect_exit 0 python3 "$LIB/control_node.py" roles /dev/vtpm0 root=control pilot=control helmsman=control stranger=raw
stop_vtpmd vtpm0

step "--control-user root: the number is enough"
start_vtpmd vtpm0 --state "file:$WORK/state" --control-user root
expect_exit 0 "${without_admin[@]}" python3 "$LIB/control_node.py" alone /dev/vtpm0 control
stop_vtpmd vtpm0

step "--control none: nobody controls through the raw node, an instance's configuration says it too"
printf 'device = "vtpm0"\nstate = "file:%s"\ncontrol = "none"\n' "$WORK/state" >"$WORK/instance.toml"
expect_exit 0 vtpmd --config "$WORK/instance.toml" --check
start_vtpmd vtpm0 --state "file:$WORK/state" --control none --control-user pilot
chmod 666 /dev/vtpm0 /dev/vtpmctl0
expect_exit 0 python3 "$LIB/control_node.py" roles /dev/vtpm0 root=raw pilot=raw stranger=raw
expect_exit 0 python3 "$LIB/control_node.py" roles /dev/vtpmctl0 root=control pilot=control stranger=anyone

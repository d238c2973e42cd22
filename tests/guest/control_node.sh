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

#!/bin/bash
# guest: --timeout 240
# Debian's swtpm_ioctl drives the control surface on the raw and on the control node.

. tests/guest/lib/lib.sh

# io CODE ARG...: swtpm_ioctl on $NODE ends with that code; what it printed is in $OUTPUT.
io() { expect_exit "$1" swtpm_ioctl --tpm-device "$NODE" "${@:2}"; }

for NODE in /dev/vtpm0 /dev/vtpmctl0; do
    step "$NODE: queries"
    start_vtpmd vtpm0 --state "dir:$WORK/state"
    io 0 -c
    expect_output '^ptm capability is 0x1f00016fff$' # swtpm's 0x16fff, and ours
    io 0 --info 1
    expect_output '"family":"2.0"'
    io 0 -b 0
    expect_output 'TPM buffersize: 4096'
    io 0 -g
    io 0 -C

    step "$NODE: locality, established flag, hash interface"
    for locality in 0 1 2 3 4; do io 0 -l $locality; done
    io 0 -l 0
    io 0 -e
    expect_output 'tpmEstablished is 0'
    io 0 -h abcdef
    io 0 -e
    expect_output 'tpmEstablished is 1'
    io 1 -r 0
    io 0 -r 3
    io 0 -e
    expect_output 'tpmEstablished is 0'

    step "$NODE: state, by ioctl alone and with read() and write() of 100 and 4096 bytes"
    tpm2_pcrextend "16:sha256=$(openssl rand -hex 32)"
    pcr=$(tpm2_pcrread sha256:16)
    for size in '' 100 4096; do
        export SWTPM_IOCTL_BUFFERSIZE=$size
        [[ -n $size ]] || unset SWTPM_IOCTL_BUFFERSIZE
        rm -f "$WORK/p" "$WORK/v"
        io 0 --save permanent "$WORK/p"
        io 0 --save volatile "$WORK/v"
        expect_eq "$(stat -c %s "$WORK/v")" "$((16#$(od -An -tx1 -j6 -N4 "$WORK/v" | tr -d ' ')))" "the volatile blob's size and the size in its header"
        io 0 --stop
        io 0 --load permanent "$WORK/p"
        io 0 --load volatile "$WORK/v"
        io 0 -i
        expect_eq "$(tpm2_pcrread sha256:16)" "$pcr" "PCR 16 after the load with buffers of ${size:-no} bytes"
    done
    unset SWTPM_IOCTL_BUFFERSIZE

    step "$NODE: what is refused"
    io 1 --load permanent "$WORK/p" # it is on
    io 0 --stop
    io 1 -e
    io 1 --save permanent "$WORK/none"
    io 1 --load permanent /etc/passwd
    io 0 -i

    step "$NODE: stored volatile state, and the end"
    io 0 -v
    expect_exit 0 test -s "$WORK/state/tpm2-00.volatilestate"
    io 0 -s
    wait_for 10 is_gone "${pids[vtpm0]}"
    wait_for 5 is_missing /dev/vtpmctl0
    unset "pids[vtpm0]"
    rm -r "$WORK/state"
done

step "TPM 1.2"
NODE=/dev/vtpm0
start_vtpmd vtpm0 --state "dir:$WORK/state12" --tpm 1.2
io 0 -c
expect_output '^ptm capability is 0x1f00016fff$'
io 0 --save permanent "$WORK/p12"
io 0 --save volatile "$WORK/v12"
io 0 --stop
io 0 --load permanent "$WORK/p12"
io 0 --load volatile "$WORK/v12"
io 0 -i
io 0 -e

#!/bin/bash
# guest: --timeout 240
# State goes from vtpmd to Debian's swtpm and back, as blobs and as a directory; plain and with every kind of key.

. tests/guest/lib/lib.sh
INDEX=0x1500090

# Starts the real swtpm on a state directory; powered off.
start_swtpm() {
    local state=$1
    shift
    mkdir -p "$state"
    swtpm socket --tpm2 --tpmstate "dir=$state" --ctrl type=tcp,port=4322 --server type=tcp,port=4321,disconnect \
        --flags not-need-init "$@" >"$WORK/swtpm.log" 2>&1 &
    swtpm_pid=$!
    wait_for 10 swtpm_ioctl --tcp 127.0.0.1:4322 -c
}
swtpm_do() { expect_exit 0 swtpm_ioctl --tcp 127.0.0.1:4322 "$@"; }
stop_swtpm() {
    swtpm_do -s
    wait "$swtpm_pid" || true
}
on_swtpm() { TPM2TOOLS_TCTI=swtpm:host=127.0.0.1,port=4321 "$@"; }

# blob KIND FILE: out of, into our device.
save() { expect_exit 0 swtpm_ioctl --tpm-device /dev/vtpmctl0 --save "$1" "$2"; }
load() { expect_exit 0 swtpm_ioctl --tpm-device /dev/vtpmctl0 --load "$1" "$2"; }

printf '%s' 00112233445566778899aabbccddeeff >"$WORK/hex128"
printf '%s\n' 0x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff >"$WORK/hex256"
head -c 32 /dev/urandom >"$WORK/binary256"
echo 'a passphrase' >"$WORK/words"

round=0
for key in none "file=$WORK/hex128" "file=$WORK/hex256,mode=aes-256-cbc" "file=$WORK/binary256,format=binary,mode=aes-256-cbc" \
    "pwdfile=$WORK/words" "pwdfile=$WORK/words,kdf=sha512,mode=aes-256-cbc"; do
    round=$((round + 1))
    ours=() theirs=()
    if [[ $key != none ]]; then ours=(--migration-key "$key") theirs=(--migration-key "$key"); fi

    step "from vtpmd to swtpm, key: ${key//$WORK\//}"
    start_vtpmd vtpm0 --state "dir:$WORK/ours.$round" "${ours[@]}"
    tpm2_nvdefine -Q -C o -s 6 -a 'ownerread|ownerwrite' $INDEX
    echo -n "ours $round" | tpm2_nvwrite -Q -C o -i - $INDEX
    tpm2_pcrextend "16:sha256=$(openssl rand -hex 32)"
    pcr=$(tpm2_pcrread sha256:16)
    save permanent "$WORK/p"
    save volatile "$WORK/v"
    stop_vtpmd vtpm0
    start_swtpm "$WORK/theirs.$round" "${theirs[@]}"
    swtpm_do --stop
    swtpm_do --load permanent "$WORK/p"
    swtpm_do --load volatile "$WORK/v"
    swtpm_do -i
    expect_eq "$(on_swtpm tpm2_nvread -C o -s 6 $INDEX)" "ours $round" "the NV index in swtpm"
    expect_eq "$(on_swtpm tpm2_pcrread sha256:16)" "$pcr" "PCR 16 in swtpm"

    step "and back"
    echo -n "back $round" | on_swtpm tpm2_nvwrite -Q -C o -i - $INDEX
    swtpm_do --save permanent "$WORK/p"
    swtpm_do --save volatile "$WORK/v"
    stop_swtpm
    start_vtpmd vtpm0 --state "dir:$WORK/back.$round" --power off "${ours[@]}"
    load permanent "$WORK/p"
    load volatile "$WORK/v"
    expect_exit 0 swtpm_ioctl --tpm-device /dev/vtpm0 -i
    expect_eq "$(tpm2_nvread -C o -s 6 $INDEX)" "back $round" "the NV index back in vtpmd"
    expect_eq "$(tpm2_pcrread sha256:16)" "$pcr" "PCR 16 back in vtpmd"
    stop_vtpmd vtpm0
done

step "a wrong key, and none, are refused and change nothing"
start_vtpmd vtpm0 --state "dir:$WORK/wrong" --power off --migration-key "file=$WORK/hex256,mode=aes-256-cbc"
expect_exit 1 swtpm_ioctl --tpm-device /dev/vtpmctl0 --load permanent "$WORK/p"
stop_vtpmd vtpm0

round=0
for key in none "file=$WORK/hex128" "file=$WORK/binary256,format=binary,mode=aes-256-cbc" "pwdfile=$WORK/words" \
    "pwdfile=$WORK/words,kdf=sha512,mode=aes-256-cbc"; do
    round=$((round + 1))
    with_key=()
    if [[ $key != none ]]; then with_key=(--key "$key"); fi

    step "a directory of swtpm's opens here, and ours there, key: ${key//$WORK\//}"
    start_swtpm "$WORK/dir.$round" "${with_key[@]}"
    on_swtpm tpm2_startup -c
    on_swtpm tpm2_nvdefine -Q -C o -s 6 -a 'ownerread|ownerwrite' $INDEX
    echo -n theirs | on_swtpm tpm2_nvwrite -Q -C o -i - $INDEX
    stop_swtpm
    start_vtpmd vtpm0 --state "dir:$WORK/dir.$round" "${with_key[@]}"
    expect_eq "$(tpm2_nvread -C o -s 6 $INDEX)" theirs "the NV index"
    echo -n shared | tpm2_nvwrite -Q -C o -i - $INDEX
    stop_vtpmd vtpm0
    start_swtpm "$WORK/dir.$round" "${with_key[@]}"
    on_swtpm tpm2_startup -c
    expect_eq "$(on_swtpm tpm2_nvread -C o -s 6 $INDEX)" shared "the NV index in swtpm"
    stop_swtpm
done

step "a directory with another key, or without its key: failure that says why, nothing is changed"
sum=$(sha256sum <"$WORK/dir.$round/tpm2-00.permall")
for wrong in "pwdfile=$WORK/hex128,kdf=sha512,mode=aes-256-cbc" none; do
    with_key=()
    if [[ $wrong != none ]]; then with_key=(--key "$wrong"); fi
    START_STATUS=3 start_vtpmd vtpm0 --state "dir:$WORK/dir.$round" "${with_key[@]}"
    expect_exit 0 vtpmctl status vtpm0
    expect_output 'phase +failed'
    expect_output 'reason .*key'
    stop_vtpmd vtpm0
done
expect_eq "$(sha256sum <"$WORK/dir.$round/tpm2-00.permall")" "$sum" "the state file"

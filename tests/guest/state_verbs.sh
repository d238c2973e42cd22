#!/bin/bash
# guest: --timeout 300
# State of Debian's swtpm becomes a state file, is used by vtpmd, backed up, restored, cloned, and goes back to swtpm.

. tests/guest/lib/lib.sh
INDEX=0x1500090

# ctl CODE ARG...: vtpmctl ends with that code; what it printed is in $OUTPUT.
ctl() { expect_exit "$1" vtpmctl "${@:2}"; }
field() { jq -r "$1" "$OUTPUT"; }

# start_swtpm VERSION TPMSTATE [OPTION...]: the real one, powered on.
start_swtpm() {
    local version=(--tpm2)
    [[ $1 == 2.0 ]] || version=()
    swtpm socket "${version[@]}" --tpmstate "$2" --ctrl type=tcp,port=4322 --server type=tcp,port=4321,disconnect \
        --flags not-need-init "${@:3}" >"$WORK/swtpm.log" 2>&1 &
    swtpm_pid=$!
    wait_for 10 swtpm_ioctl --tcp 127.0.0.1:4322 -c
}
stop_swtpm() {
    expect_exit 0 swtpm_ioctl --tcp 127.0.0.1:4322 -s
    wait "$swtpm_pid" || true
}
on_swtpm() { TPM2TOOLS_TCTI=swtpm:host=127.0.0.1,port=4321 "$@"; }

nv_define() { "$@" tpm2_nvdefine -Q -C o -s 6 -a 'ownerread|ownerwrite' $INDEX; }
nv_read() { "$@" tpm2_nvread -C o -s 6 $INDEX; }
nv_write() { echo -n "$1" | "${@:2}" tpm2_nvwrite -Q -C o -i - $INDEX; }
ek_public() { tpm2_createprimary -Q -C e -G rsa -c "$WORK/ek" && tpm2_readpublic -c "$WORK/ek" -f pem -o "$WORK/ek.pem" -Q && flush && cat "$WORK/ek.pem"; }
srk_public() { tpm2_createprimary -Q -C o -G ecc -c "$WORK/srk" && tpm2_readpublic -c "$WORK/srk" -f pem -o "$WORK/srk.pem" -Q && flush && cat "$WORK/srk.pem"; }

# The TPM 1.2 that runs in swtpm answers a command in hexadecimal digits.
swtpm_send() {
    python3 -c '
import socket, sys
connection = socket.create_connection(("127.0.0.1", 4321))
connection.sendall(bytes.fromhex(sys.argv[1]))
print(connection.recv(4096).hex())' "$1"
}
STARTUP_12=00c10000000c000000990001
NO_PCRS=00030000001f$(printf '0%.0s' {1..40})
NV_DEFINE_12=00c100000065000000cc001800011101$NO_PCRS${NO_PCRS}00170000000100000000000004$(printf '0%.0s' {1..40})
NV_INFO_12=00c10000001600000065000000110000000400011101
answer_code() { echo "${1:12:8}"; }

# define_index VERSION, find_index VERSION: in the TPM that swtpm runs, after a Startup.
define_index() {
    if [[ $1 == 2.0 ]]; then
        on_swtpm tpm2_startup -c
        nv_define on_swtpm
    else
        expect_eq "$(answer_code "$(swtpm_send $STARTUP_12)")" 00000000 "TPM_Startup"
        expect_eq "$(answer_code "$(swtpm_send "$NV_DEFINE_12")")" 00000000 "TPM_NV_DefineSpace"
    fi
}
find_index() {
    if [[ $1 == 2.0 ]]; then
        on_swtpm tpm2_startup -c
        on_swtpm tpm2_nvreadpublic $INDEX >/dev/null
    else
        expect_eq "$(answer_code "$(swtpm_send $STARTUP_12)")" 00000000 "TPM_Startup"
        expect_eq "$(answer_code "$(swtpm_send $NV_INFO_12)")" 00000000 "the NV index in swtpm"
    fi
}

head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$WORK/key"
head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$WORK/hex128"
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$WORK/other-key"
echo 'a passphrase' >"$WORK/words"

step "a state of swtpm's becomes a sealed state file"
mkdir "$WORK/swtpm"
start_swtpm 2.0 "dir=$WORK/swtpm"
on_swtpm tpm2_startup -c
nv_define on_swtpm
nv_write theirs on_swtpm
ctl 1 state import "dir:$WORK/swtpm" "file:$WORK/state"
expect_output 'in use'
stop_swtpm
ctl 0 state inspect "dir:$WORK/swtpm" --json
expect_eq "$(field '.blobs[0] | "\(.tpm) \(.kind) \(.encrypted) \(.condition)"')" "2.0 permanent no good" "what is in swtpm's directory"
ctl 0 state import "dir:$WORK/swtpm" "file:$WORK/state" --key "file=$WORK/key"
expect_eq "$(stat -c %a "$WORK/state")" 600 "the mode of the state file"
ctl 1 state import "dir:$WORK/swtpm" "file:$WORK/state" --key "file=$WORK/key"
expect_output '--replace'
ctl 0 state inspect "file:$WORK/state" --json
expect_eq "$(field '"\(.format) \(.sealed) \(.blobs[0].copies | any(. == "good"))"')" "file key true" "what is in the state file"

step "vtpmd goes on with it"
start_vtpmd vtpm0 --state "file:$WORK/state" --key "file=$WORK/key"
expect_eq "$(nv_read command)" theirs "the NV index"
nv_write "ours 1" command
ctl 1 state rekey "file:$WORK/state" --key "file=$WORK/key" --new-key "file=$WORK/other-key"
expect_output 'vtpmctl terminate'
ctl 0 state inspect "file:$WORK/state"

step "backups of the running TPM, one after the other"
for round in 1 2 3; do
    nv_write "ours $round" command
    ctl 0 state backup vtpm0 "$WORK/backup" --key "pwdfile=$WORK/words" --volatile --generations 2
done
expect_eq "$(stat -c %a "$WORK/backup")" 600 "the mode of the backup"
ctl 0 state inspect "file:$WORK/backup.2"
expect_output 'passphrase .*scrypt'
expect_output 'volatile'
nv_write "late  " command

step "a restore goes on as the same TPM, where the backup was taken"
expect_exit 0 tpm2_pcrextend 16:sha256="$(printf 'ab%.0s' {1..32})"
pcr=$(tpm2_pcrread sha256:16)
ctl 0 state backup vtpm0 "$WORK/now" --volatile
ctl 1 state backup vtpm0 "$WORK/now" --volatile
expect_output 'holds the state of a TPM already; --replace'
ctl 0 state backup vtpm0 "$WORK/now" --volatile --replace
chmod 400 "$WORK/now"
tpm2_pcrreset 16
ctl 2 state restore vtpm0 "$WORK/now"
expect_output 'fresh-identity'
ctl 1 state restore vtpm0 "$WORK/backup" --same-identity
expect_output 'passphrase'
ctl 0 state restore vtpm0 "$WORK/now" --same-identity
expect_eq "$(tpm2_pcrread sha256:16)" "$pcr" "PCR 16, as it was at the backup"
expect_eq "$(nv_read command)" "late  " "the NV index, as it was at the backup"
ctl 0 state store-volatile vtpm0
ctl 0 state restore vtpm0 "$WORK/backup.1" --same-identity --no-volatile --key "pwdfile=$WORK/words"
expect_exit 0 tpm2_startup -c
expect_eq "$(nv_read command)" "ours 2" "the NV index of an older backup"

step "a clone gets an identity of its own, and nothing else"
tpm2_nvdefine -Q -C p -s 8 -a 'ppwrite|ppread|ownerread|authread|no_da|platformcreate' 0x1c00002
tpm2_nvdefine -Q -C p -s 8 -a 'ppwrite|ppread|ownerread|authread|no_da|platformcreate' 0x1c08000
ctl 0 state backup vtpm0 "$WORK/machine"
ek=$(ek_public) srk=$(srk_public)
ctl 0 state restore vtpm0 "$WORK/machine" --same-identity
expect_exit 0 tpm2_startup -c
expect_eq "$(ek_public)" "$ek" "the endorsement key of the same TPM"
ctl 0 state restore vtpm0 "$WORK/machine" --fresh-identity
expect_output '01c00002'
ctl 0 status vtpm0 --json
expect_eq "$(field .phase)" on "the phase"
expect_exit 0 tpm2_startup -c
expect_ne "$(ek_public)" "$ek" "the endorsement key of a clone"
expect_eq "$(srk_public)" "$srk" "the storage key of a clone"
expect_eq "$(nv_read command)" "ours 2" "the NV index of a clone"
expect_eq "$(tpm2_getcap handles-nv-index | grep -ci 1c0)" 1 "NV indices of certificates: the platform's"
stop_vtpmd vtpm0

step "a backup is a state file"
start_vtpmd vtpm0 --state "file:$WORK/backup" --key "pwdfile=$WORK/words"
expect_eq "$(nv_read command)" "ours 3" "the NV index in the backup"
stop_vtpmd vtpm0

step "another key, and none"
ctl 0 state rekey "file:$WORK/state" --key "file=$WORK/key" --new-key "file=$WORK/other-key"
ctl 1 state export "file:$WORK/state" "dir:$WORK/back" --from-key "file=$WORK/key"
ctl 0 state rekey "file:$WORK/state" --key "file=$WORK/other-key" --remove-key
ctl 0 state inspect "file:$WORK/state" --json
expect_eq "$(field .sealed)" no "whether it is sealed"

step "and back to swtpm"
ctl 0 state export "file:$WORK/state" "dir:$WORK/back"
start_swtpm 2.0 "dir=$WORK/back"
on_swtpm tpm2_startup -c
expect_eq "$(nv_read on_swtpm)" "ours 2" "the NV index in swtpm"
stop_swtpm

step "what root makes in somebody's directory belongs to that somebody, and a backup to root"
mkdir "$WORK/theirs"
chown nobody:nogroup "$WORK/theirs"
owner_of() { stat -c '%U %a' "$1"; }
ctl 0 state export "file:$WORK/state" "dir:$WORK/theirs/tpm"
for made in tpm tpm/.lock tpm/tpm2-00.permall; do
    expect_eq "$(stat -c %U "$WORK/theirs/$made")" nobody "the owner of $made"
done
ctl 0 state export "file:$WORK/state" "linear:$WORK/theirs/linear"
expect_eq "$(owner_of "$WORK/theirs/linear")" "nobody 600" "owner and mode of a linear file"
ctl 0 state import "dir:$WORK/swtpm" "file:$WORK/theirs/state"
expect_eq "$(owner_of "$WORK/theirs/state")" "nobody 600" "owner and mode of an imported state"
rm "$WORK/theirs/tpm/.lock"
ctl 0 state import "dir:$WORK/theirs/tpm" "file:$WORK/again"
expect_eq "$(stat -c %U "$WORK/theirs/tpm/.lock")" nobody "the owner of a lock file that an import made"
install -m 666 -o daemon /dev/null "$WORK/theirs/waiting"
ctl 1 state import "dir:$WORK/swtpm" "file:$WORK/theirs/waiting"
expect_output 'belongs neither to you'
start_vtpmd vtpm0 --state "file:$WORK/state"
install -m 666 -o nobody /dev/null "$WORK/theirs/backup"
ctl 0 state backup vtpm0 "$WORK/theirs/backup"
expect_eq "$(owner_of "$WORK/theirs/backup")" "root 600" "owner and mode of a backup"

step "a limit for the size of files is told, and leaves nothing"
(ulimit -f 1 && ctl 1 state backup vtpm0 "$WORK/theirs/limited")
expect_output 'ulimit -f'
expect_eq "$(find "$WORK/theirs" -name '*limited*')" "" "what is left of it"
stop_vtpmd vtpm0

step "a TPM 1.2: to a state file, to vtpmd, and back"
mkdir "$WORK/swtpm12"
start_swtpm 1.2 "dir=$WORK/swtpm12"
define_index 1.2
stop_swtpm
ctl 0 state import "dir:$WORK/swtpm12" "file:$WORK/state12"
ctl 0 state inspect "file:$WORK/state12"
expect_output '^1.2 +permanent'
start_vtpmd vtpm0 --tpm 1.2 --state "file:$WORK/state12"
expect_eq "$(answer_code "$(tpm_send $NV_INFO_12)")" 00000000 "the NV index in vtpmd"
ctl 0 state backup vtpm0 "$WORK/backup12" --volatile
ctl 1 state restore vtpm0 "$WORK/backup12" --fresh-identity
expect_output '1.2'
ctl 1 state restore vtpm0 "$WORK/now" --same-identity
ctl 0 state restore vtpm0 "$WORK/backup12" --same-identity
expect_eq "$(answer_code "$(tpm_send $NV_INFO_12)")" 00000000 "the NV index in the restored one"
stop_vtpmd vtpm0
ctl 0 state export "file:$WORK/state12" "dir:$WORK/back12"
start_swtpm 1.2 "dir=$WORK/back12"
find_index 1.2
stop_swtpm

step "a block device takes a state, and nothing else loses it"
modprobe loop
truncate -s 4M "$WORK/device"
loop=$(losetup --find --show "$WORK/device")
ctl 0 state import "dir:$WORK/swtpm" "file:$loop" --key "file=$WORK/key"
ctl 1 state import "dir:$WORK/swtpm12" "file:$loop" --key "file=$WORK/key"
expect_output '--replace'
ctl 0 state import "dir:$WORK/swtpm12" "file:$loop" --key "file=$WORK/other-key" --replace
ctl 0 state inspect "file:$loop" --json
expect_eq "$(field '[.blobs[] | select(.usable) | .tpm] | join(" ")')" 1.2 "whose state is on the device"
ctl 1 state export "file:$loop" "linear:$loop" --from-key "file=$WORK/other-key"
dd if=/dev/zero of="$loop" bs=64k conv=fsync status=none || true
echo 'a diary' | dd of="$loop" conv=fsync status=none
ctl 1 state import "dir:$WORK/swtpm" "file:$loop" --replace
expect_eq "$(head -n 1 "$loop")" 'a diary' "what else was on the device"

step "no link that somebody else put there leads root anywhere"
theirs=$WORK/theirs
chmod 711 "$WORK"
as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
# by_link TARGET: their link, called x, leads there.
by_link() { as_nobody ln -sfn "$1" "$theirs/x"; }
# not_followed VERB...: it fails, because of the link.
not_followed() {
    ctl 1 state "$@"
    expect_output 'symbolic link x .*belongs to neither root'
}
mkdir -m 700 "$WORK/roots"
ctl 0 state export "file:$WORK/state" "dir:$WORK/roots/tpm"
dd if=/dev/zero of="$loop" bs=64k conv=fsync status=none || true
before=$(md5sum <"$loop")
by_link "$loop"
not_followed import "dir:$WORK/swtpm" "file:$theirs/x"
expect_eq "$(md5sum <"$loop")" "$before" "the device behind their link"
expect_exit 1 vtpmd --device vtpm0 --make-state --state "file:$theirs/x"
expect_output 'symbolic link x '
expect_eq "$(md5sum <"$loop")" "$before" "the device behind their link"
by_link "$WORK/roots/tpm"
not_followed import "dir:$theirs/x" "file:$theirs/copied"
not_followed inspect "dir:$theirs/x"
by_link "$WORK/roots"
not_followed import "dir:$theirs/x/tpm" "file:$theirs/copied"
not_followed export "file:$WORK/state" "dir:$theirs/x/new"
not_followed export "file:$WORK/state" "linear:$theirs/x/new"
start_vtpmd vtpm0 --state "file:$WORK/state"
not_followed backup vtpm0 "$theirs/x/new"
not_followed save vtpm0 --permanent "$theirs/x/new"
stop_vtpmd vtpm0
expect_eq "$(ls "$WORK/roots")" tpm "what is in root's directory"
as_nobody mkdir "$theirs/links"
as_nobody ln -s "$WORK/roots/tpm/tpm2-00.permall" "$theirs/links/tpm2-00.permall"
ctl 1 state import "dir:$theirs/links" "file:$theirs/copied"
expect_output 'tpm2-00.permall: Too many levels of symbolic links'
ctl 0 state inspect "dir:$theirs/links"
expect_output 'damaged: .*symbolic link'
expect_eq "$(find "$theirs" -name copied)" "" "what they were given"
ln -s "$theirs/tpm" "$WORK/own-link"
ctl 0 state inspect "dir:$WORK/own-link"

step "a file that waits, open to others, is closed to them before a TPM is in it"
install -m 666 /dev/null "$WORK/blank"
start_vtpmd vtpm0 --state "file:$WORK/blank"
expect_eq "$(owner_of "$WORK/blank")" "root 600" "owner and mode of the state file"
stop_vtpmd vtpm0
install -m 666 -o daemon /dev/null "$WORK/blank-of-another"
expect_exit 3 vtpmd --device vtpm0 --daemon --user nobody --state "file:$WORK/blank-of-another"
expect_output 'chmod it to 600'
expect_exit 0 vtpmctl terminate vtpm0
expect_eq "$(stat -c %s "$WORK/blank-of-another")" 0 "the size of a file that others may read"
losetup -d "$loop"

# tpmstate LOCATION: as swtpm names it.
tpmstate() { if [[ $1 == dir:* ]]; then echo "dir=${1#dir:}"; else echo "backend-uri=file://${1#linear:}"; fi; }

round=0
for case in "2.0 linear none" "2.0 dir file=$WORK/hex128" "2.0 linear pwdfile=$WORK/words,mode=aes-256-cbc" \
    "1.2 linear none" "1.2 linear file=$WORK/key,mode=aes-256-cbc" "1.2 dir pwdfile=$WORK/words,kdf=sha512"; do
    read -r version form key <<<"$case"
    round=$((round + 1))
    from=$form:$WORK/from.$round back=$form:$WORK/back.$round
    from_key=() to_key=() swtpm_key=()
    if [[ $key != none ]]; then from_key=(--from-key "$key") to_key=(--key "$key") swtpm_key=(--key "$key"); fi

    step "swtpm's $version in $form: with key: ${key//$WORK\//}, to a state file and back"
    [[ $form == linear ]] || mkdir "$WORK/from.$round"
    start_swtpm "$version" "$(tpmstate "$from")" "${swtpm_key[@]}"
    define_index "$version"
    stop_swtpm
    ctl 0 state inspect "$from"
    ctl 0 state import "$from" "file:$WORK/state.$round" "${from_key[@]}" --key "file=$WORK/other-key"
    ctl 0 state inspect "file:$WORK/state.$round"
    expect_output "^$version +permanent"
    ctl 0 state export "file:$WORK/state.$round" "$back" --from-key "file=$WORK/other-key" "${to_key[@]}"
    start_swtpm "$version" "$(tpmstate "$back")" "${swtpm_key[@]}"
    find_index "$version"
    stop_swtpm
done

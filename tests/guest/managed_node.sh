#!/bin/bash
# guest: --udev --timeout 420
# The managed node: the raw node's contract for any number of openers, each with objects and sessions of its own.

. tests/guest/lib/lib.sh
COMMAND_SECONDS=280
export TPM2TOOLS_TCTI=device:/dev/vtpmrm0

mkdir -p /run/udev/rules.d
cp udev/60-vtpm.rules /run/udev/rules.d
udevadm control --reload
start_vtpmd vtpm0 --state "file:$WORK/state" --rm-owner nobody --rm-group daemon --rm-mode 640
udevadm settle

step "a node beside the raw one, with a number and permissions of its own"
expect_eq "$(stat -c '%U:%G %a' /dev/vtpmrm0)" "nobody:daemon 640" "the managed node's permissions"
expect_eq "$(($(stat -c 0x%T /dev/vtpmrm0) - $(stat -c 0x%T /dev/vtpm0)))" 65536 "the distance of the minor numbers"

step "the contract, system call by system call"
expect_exit 0 python3 "$LIB/managed_node.py" /dev/vtpmrm0
cat "$OUTPUT"

step "vtpmctl takes it for the TPM"
expect_exit 0 vtpmctl status /dev/vtpmrm0
expect_output 'vtpm0'
expect_exit 0 vtpmctl send /dev/vtpmrm0 80010000000c0000017b0008
expect_output 'TPM_RC_SUCCESS'

step "tpm2-tools without a flush: a primary, twenty children, each used by a process of its own"
cd "$WORK"
expect_exit 0 tpm2_createprimary -Q -C o -G ecc -c primary.ctx
echo message >message
for i in {1..20}; do
    expect_exit 0 tpm2_create -Q -C primary.ctx -G ecc -u "$i.pub" -r "$i.priv"
    expect_exit 0 tpm2_load -Q -C primary.ctx -u "$i.pub" -r "$i.priv" -c "$i.ctx"
done
for i in {1..20}; do
    expect_exit 0 tpm2_sign -Q -c "$i.ctx" -g sha256 -o "$i.sig" message
    expect_exit 0 tpm2_verifysignature -Q -c "$i.ctx" -g sha256 -m message -s "$i.sig"
done

step "sessions over processes: policy, HMAC, encrypted, audited"
expect_exit 0 tpm2_startauthsession -Q --policy-session -S policy.ctx
expect_exit 0 tpm2_policypcr -Q -S policy.ctx -l sha256:7 -L policy
expect_exit 0 tpm2_flushcontext policy.ctx
echo secret >secret
expect_exit 0 tpm2_create -Q -C primary.ctx -L policy -i secret -u s.pub -r s.priv
expect_exit 0 tpm2_load -Q -C primary.ctx -u s.pub -r s.priv -c s.ctx
expect_exit 0 tpm2_startauthsession -Q --policy-session -S policy.ctx
expect_exit 0 tpm2_policypcr -Q -S policy.ctx -l sha256:7
expect_exit 0 tpm2_unseal -c s.ctx -p session:policy.ctx
expect_output '^secret$'
expect_exit 0 tpm2_startauthsession -Q --hmac-session -c primary.ctx -S hmac.ctx
expect_exit 0 tpm2_sessionconfig -Q hmac.ctx --enable-encrypt --enable-decrypt --enable-audit
expect_exit 0 tpm2_getrandom -S hmac.ctx --hex 8
expect_exit 0 tpm2_getrandom -S hmac.ctx --hex 8
expect_output '^[0-9a-f]{16}$'
expect_exit 0 tpm2_flushcontext hmac.ctx

step "a sequence larger than a buffer"
head -c 20000 /dev/urandom >large
expect_exit 0 tpm2_hash -C o -g sha256 --hex large
expect_output "$(sha256sum <large | cut -d' ' -f1)"

step "nothing is left of all that"
TPM2TOOLS_TCTI=device:/dev/vtpm0 expect_exit 0 tpm2_getcap handles-transient
expect_eq "$(<"$OUTPUT")" "" "objects that are left in the TPM"
TPM2TOOLS_TCTI=device:/dev/vtpm0 expect_exit 0 tpm2_getcap handles-loaded-session
expect_eq "$(<"$OUTPUT")" "" "sessions that are left in the TPM"

step "as a TPM 1.2 it refuses in the way of one"
vtpmctl power off vtpm0
vtpmctl version vtpm0 1.2
vtpmctl power on vtpm0 --startup clear
answer=$(DEVICE=/dev/vtpmrm0 tpm_send 80010000000c0000017b0008)
expect_eq "$answer" 00c40000000a0000001e "the answer of a TPM 1.2"
vtpmctl power off vtpm0
vtpmctl version vtpm0 2.0
vtpmctl power on vtpm0 --startup clear
expect_exit 0 tpm2_getrandom --hex 8
stop_vtpmd vtpm0

step "without"
start_vtpmd vtpm0 --state "file:$WORK/state" --resource-manager off
expect_exit 0 test ! -e /dev/vtpmrm0
stop_vtpmd vtpm0
expect_exit 2 vtpmd --device vtpm0 --tpm 1.2 --state "file:$WORK/state12" --resource-manager on
expect_output 'needs a TPM 2.0'

step "on a host without the user tss it is said whose the node is"
without_tss() {
    sed '/^tss:/d' /etc/passwd >"$WORK/passwd"
    sed '/^tss:/d' /etc/group >"$WORK/group"
    # shellcheck disable=SC2016  # for the shell in the mount namespace
    expect_exit 0 unshare --mount bash -c 'mount --bind "$0/passwd" /etc/passwd; mount --bind "$0/group" /etc/group; exec "$@"' \
        "$WORK" vtpmd --device vtpm0 --state "file:$WORK/state" --daemon --pid-file "$WORK/pid" "$@"
    kill "$(<"$WORK/pid")"
    wait_for 10 is_missing /dev/vtpm0
}
without_tss
expect_output "no user tss on this host: the managed node is root's"
without_tss --rm-group daemon
if grep 'no user tss' "$OUTPUT"; then fail "words on a node that is somebody's"; fi

step "a name that is taken"
touch /dev/vtpmrm0
expect_exit 1 vtpmd --device vtpm0 --state "file:$WORK/state"
expect_output '/dev/vtpmrm0 exists already and is not a CUSE device'
rm /dev/vtpmrm0

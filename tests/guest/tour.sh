#!/bin/bash
# guest: --timeout 240
# A tour of a virtual TPM: what `tests/dev run` shows, and a test of it all.

. tests/guest/lib/lib.sh
cd "$WORK"

heading() { printf '\n\n=== %s ===\n\n' "$*"; }
remark() { printf '# %s\n' "$@"; }

# Shows a command line, runs it, indents what it prints. Each expectation of the tour is that it succeeds.
show() {
    printf '$ %s\n' "$*"
    eval "$*" 2>&1 | sed 's/^/    /'
    ((checks += 1))
    [[ $1 != tpm2_* ]] || tpm2_flushcontext -t
}

# Shows a command line that must fail.
show_refused() {
    printf '$ %s\n' "$*"
    if eval "$*" >output 2>&1; then fail "it should have been refused"; fi
    sed 's/^/    /' output
    echo "    (refused, as it should be)"
    ((checks += 1))
    tpm2_flushcontext -t
}

start() { show "vtpmd --device vtpm0 --state file:state --daemon --pid-file vtpmd.pid" && pids[vtpm0]=$(<vtpmd.pid); }

heading "A TPM appears"
remark "One daemon is one TPM. It comes back when the TPM answers; its state is kept in a file."
start
show ls -l /dev/vtpm0
show tpm2_getcap properties-fixed "| grep -A2 -E 'FAMILY_INDICATOR|MANUFACTURER'"
remark "These are the raw device's clients, so objects stay loaded until they are flushed, and there is room for three." \
    "After each step of this tour, tpm2_flushcontext -t does that."

heading "Random bytes"
show tpm2_getrandom --hex 16
expect_ne "$(tpm2_getrandom --hex 16)" "$(tpm2_getrandom --hex 16)" "two times 16 random bytes"

heading "Measure something"
digest=$(printf 'hello' | sha256sum | cut -d' ' -f1)
show tpm2_pcrread sha256:16
show tpm2_pcrextend "16:sha256=$digest"
show tpm2_pcrread sha256:16
expect_eq "$(pcr sha256 16)" "$(python3 -c "
import hashlib; print(hashlib.sha256(bytes(32) + bytes.fromhex('$digest')).hexdigest())")" "PCR 16"

heading "Primary keys: elliptic curve and RSA"
show tpm2_createprimary -C o -G ecc256 -c primary.ctx "| grep -E '^(x|y):'"
show tpm2_createprimary -C o -G rsa2048 -c rsa.ctx "| grep -E '^(bits|rsa):' | cut -c1-72"

heading "A key that signs"
show tpm2_create -C primary.ctx -G ecc256:ecdsa-sha256 -u key.pub -r key.priv "| grep -E '^(x|y):'"
show tpm2_load -C primary.ctx -u key.pub -r key.priv -c key.ctx
show tpm2_readpublic -c key.ctx -f pem -o key.pem "| grep ^name:"
echo "The quick brown fox" >message
echo "The quick brown cat" >altered
show tpm2_sign -c key.ctx -g sha256 -o signature message
show tpm2_verifysignature -c key.ctx -g sha256 -m message -s signature
show_refused tpm2_verifysignature -c key.ctx -g sha256 -m altered -s signature

heading "A quote: the TPM vouches for its PCRs"
show tpm2_quote -c key.ctx -l sha256:0,16 -q c0ffee -g sha256 -m quote -s quote.sig -o quote.pcrs ">quote.txt"
show tpm2_checkquote -u key.pem -m quote -s quote.sig -f quote.pcrs -g sha256 -q c0ffee ">checkquote.txt"
show grep -E "'^ +(0|16) *:'" checkquote.txt
show_refused tpm2_checkquote -u key.pem -m quote -s quote.sig -f quote.pcrs -g sha256 -q decaf0

heading "Things that stay"
show tpm2_nvdefine -C o -s 32 -a "'ownerread|ownerwrite'" 0x1500016
show "echo 'kept in the TPM' | tpm2_nvwrite -C o -i - 0x1500016"
show tpm2_nvread -C o -s 16 0x1500016
show tpm2_evictcontrol -C o -c key.ctx 0x81000010
expect_eq "$(tpm2_nvread -C o -s 16 0x1500016)" "kept in the TPM" "the NV index"

heading "Stop it, start it"
show kill -TERM "${pids[vtpm0]}"
wait_for 20 is_gone "${pids[vtpm0]}"
wait_for 5 is_missing /dev/vtpm0
show_missing() { printf '$ ls /dev/vtpm0\n    %s\n' "$(ls /dev/vtpm0 2>&1 || true)"; }
show_missing
start
expect_eq "$(pcr sha256 16)" "$(printf '0%.0s' {1..64})" "PCR 16 after a power cycle"
show tpm2_nvread -C o -s 16 0x1500016
expect_eq "$(tpm2_nvread -C o -s 16 0x1500016)" "kept in the TPM" "the NV index"
show tpm2_sign -c 0x81000010 -g sha256 -f plain -o again message
remark "OpenSSL, with the public key exported before the restart, agrees:"
show openssl dgst -sha256 -verify key.pem -signature again message

heading "What next"
cat <<'EOF'
    tests/dev shell        a shell with /dev/vtpm0 of your own
    tests/dev test         every test, on this device and below it
    README.md              what vtpm is, how to install and use it
    docs/architecture.md   how a command flows through it
    tests/guest/           more of what can be done with the device: QEMU, IBM's tools, power cuts, 200 at once
EOF

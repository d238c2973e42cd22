#!/bin/bash
# guest: --timeout 180
# IBM's TSS, through its device interface, uses the node like a hardware TPM's.

. tests/guest/lib/lib.sh
needs tssgetrandom tss2
start_vtpmd vtpm0 --state "file:$WORK/state"
cd "$WORK"
export TPM_ENCRYPT_SESSIONS=0 # each tool is a process of its own, and continues the session of the one before

step "firmware's work is done: the TPM is started"
expect_exit 1 tssstartup -c
expect_output TPM_RC_INITIALIZE

step "random bytes"
expect_exit 0 tssgetrandom -by 16 -of random1
expect_exit 0 tssgetrandom -by 16 -of random2
expect_eq "$(stat -c %s random1)" 16 "number of random bytes"
expect_ne "$(sha256sum <random1)" "$(sha256sum <random2)" "two times 16 random bytes"

step "a PCR extended here is the PCR that others read"
expect_exit 0 tsspcrextend -ha 7 -halg sha256 -ic abc
expect_exit 0 tsspcrread -ha 7 -halg sha256 -ns
expect_eq "$(tail -n 1 "$OUTPUT")" "$(pcr sha256 7)" "PCR 7"
expect_ne "$(pcr sha256 7)" "$(printf '0%.0s' {1..64})" "PCR 7"

step "a storage key, a signing key below it, a signature"
expect_exit 0 tsscreateprimary -hi o -ecc nistp256
expect_exit 0 tsscreate -hp 80000000 -si -ecc nistp256 -opr key.priv -opu key.pub -opem key.pem
expect_exit 0 tssload -hp 80000000 -ipr key.priv -ipu key.pub
echo message >message
expect_exit 0 tsssign -hk 80000001 -ecc -if message -os signature
expect_exit 0 tssverifysignature -hk 80000001 -ecc -if message -is signature
echo altered >message
expect_exit 1 tssverifysignature -hk 80000001 -ecc -if message -is signature
expect_output TPM_RC_SIGNATURE
expect_exit 0 tssflushcontext -ha 80000001
expect_exit 0 tssflushcontext -ha 80000000

step "an RSA key"
expect_exit 0 tsscreateprimary -hi o -rsa
expect_exit 0 tssflushcontext -ha 80000000

step "a salted session that encrypts what the TPM answers"
expect_exit 0 tsscreateprimary -hi o -ecc nistp256
expect_exit 0 tssstartauthsession -se h -hs 80000000
expect_exit 0 tssgetrandom -by 8 -se0 02000000 41
expect_exit 0 tssflushcontext -ha 02000000
expect_exit 0 tssflushcontext -ha 80000000

step "an NV index is kept over a restart"
expect_exit 0 tssnvdefinespace -ha 01500020 -hi o -sz 16
expect_exit 0 tssnvwrite -ha 01500020 -ic "sixteen  octets!"
stop_vtpmd vtpm0
start_vtpmd vtpm0 --state "file:$WORK/state"
expect_exit 0 tssnvread -ha 01500020 -sz 16 -of nv
expect_eq "$(<nv)" "sixteen  octets!" "the NV index"

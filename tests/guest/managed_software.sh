#!/bin/bash
# guest: --udev --timeout 300
# What people use a TPM with, on the managed node and without a flush: tpm2-pytss, tpm2-openssl, tpm2-pkcs11, clevis,
# systemd-cryptenroll.

. tests/guest/lib/lib.sh
needs /usr/lib/python3/dist-packages/tpm2_pytss python3-tpm2-pytss
needs tpm2_ptool libtpm2-pkcs11-tools
needs pkcs11-tool opensc
needs clevis-encrypt-tpm2 clevis-tpm2
needs systemd-cryptenroll systemd
needs cryptsetup cryptsetup-bin
COMMAND_SECONDS=120
NODE=/dev/vtpmrm0
modules=(/usr/lib/*/ossl-modules/tpm2.so)
needs "${modules[0]}" tpm2-openssl
pkcs11=(/usr/lib/*/pkcs11/libtpm2_pkcs11.so)
needs "${pkcs11[0]}" libtpm2-pkcs11-1
unlocker=$(type -P systemd-cryptsetup || echo /usr/lib/systemd/systemd-cryptsetup)
export TPM2TOOLS_TCTI=device:$NODE TPM2OPENSSL_TCTI=device:$NODE TPM2_PKCS11_TCTI=device:$NODE
start_vtpmd vtpm0 --state "file:$WORK/state"
cd "$WORK"

step "tpm2-pytss: a primary and twenty children, created, loaded and used in one process"
expect_exit 0 python3 "$LIB/managed_pytss.py" "device:$NODE"
cat "$OUTPUT"

step "tpm2-openssl: the key of a TLS server"
providers=(-provider tpm2 -provider default -propquery '?provider=tpm2')
expect_exit 0 openssl genpkey -provider tpm2 -algorithm EC -pkeyopt group:P-256 -out key.pem
expect_exit 0 openssl req -x509 "${providers[@]}" -key key.pem -subj /CN=localhost -out certificate.pem
openssl s_server "${providers[@]}" -accept 4433 -cert certificate.pem -key key.pem -www >server 2>&1 </dev/null &
server=$!
connects() { openssl s_client -connect localhost:4433 -CAfile certificate.pem -verify_return_error </dev/null; }
wait_for 30 connects
for _ in {1..5}; do
    expect_exit 0 openssl s_client -connect localhost:4433 -CAfile certificate.pem -verify_return_error
    expect_output 'Verify return code: 0'
done
kill "$server"

step "tpm2-pkcs11: a token with a key that signs"
export TPM2_PKCS11_STORE=$WORK/store
mkdir store
expect_exit 0 tpm2_ptool init
expect_exit 0 tpm2_ptool addtoken --pid 1 --label token --sopin so --userpin user
expect_exit 0 tpm2_ptool addkey --algorithm ecc256 --label token --userpin user --key-label key
head -c 32 /dev/urandom >digest
for _ in {1..3}; do
    expect_exit 0 pkcs11-tool --module "${pkcs11[0]}" --token-label token --login --pin user --sign --mechanism ECDSA \
        --label key --input-file digest --output-file signature
    expect_eq "$(stat -c %s signature)" 64 "the signature's size"
done

step "clevis: a secret bound to the TPM and a PCR"
[[ -e /dev/fd ]] || ln -s /proc/self/fd /dev/fd # systemd makes it, where there is one
echo secret | clevis encrypt tpm2 '{"pcr_bank":"sha256","pcr_ids":"7"}' >bound
expect_eq "$(clevis decrypt <bound)" secret "what clevis decrypts"

step "systemd-cryptenroll: a disk unlocked by the TPM, and not once the PCR has changed"
modprobe -a loop dm-crypt xts 2>/dev/null || true
truncate -s 32M disk
disk=$(losetup -f --show disk)
printf 'a passphrase' >passphrase
expect_exit 0 cryptsetup luksFormat --batch-mode --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$disk" passphrase
export PASSWORD='a passphrase'
expect_exit 0 systemd-cryptenroll --tpm2-device="$NODE" --tpm2-pcrs=7 "$disk"
unset PASSWORD
expect_exit 0 cryptsetup luksDump "$disk"
expect_output systemd-tpm2
expect_exit 0 "$unlocker" attach volume "$disk" - "tpm2-device=$NODE,headless=1"
expect_exit 0 test -b /dev/mapper/volume
expect_exit 0 "$unlocker" detach volume
tpm2_pcrextend 7:sha256="$(printf '11%.0s' {1..32})"
expect_exit 1 "$unlocker" attach volume "$disk" - "tpm2-device=$NODE,headless=1"
losetup -d "$disk"

step "nothing is left of all that"
export TPM2TOOLS_TCTI=device:/dev/vtpm0
for kind in transient loaded-session; do
    expect_exit 0 tpm2_getcap "handles-$kind"
    expect_eq "$(<"$OUTPUT")" "" "what is left in the TPM: $kind"
done

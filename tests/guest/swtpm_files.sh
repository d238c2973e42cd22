#!/bin/bash
# guest: --timeout 300
# Every form of swtpm's own files, between Debian's swtpm and this build: what it wrote is read, what is written it goes on from.

. tests/guest/lib/lib.sh

cp tests/unit/data/swtpm/{hex128.key,binary256.key,passphrase} "$WORK"
cd "$WORK"
declare -A keys=(
    [plain]=""
    [hex128]="file=hex128.key"
    [binary256]="file=binary256.key,format=binary,mode=aes-256-cbc"
    [pbkdf2_128]="pwdfile=passphrase"
    [sha512_256]="pwdfile=passphrase,kdf=sha512,mode=aes-256-cbc"
)

# on_swtpm STATE KEY VERSION: powers the real swtpm on with that state; what the TPM then has is in the file `state`.
on_swtpm() {
    local options=()
    [[ -z $2 ]] || options=(--key "$2")
    [[ $3 == 1.2 ]] || options+=(--tpm2)
    swtpm socket --tpmstate "$1" "${options[@]}" --ctrl type=unixio,path=control --server type=unixio,path=commands \
        >swtpm.log 2>&1 &
    wait_for 10 swtpm_ioctl --unix control -c
    expect_exit 0 swtpm_ioctl --unix control -i
    rm -f blob
    expect_exit 0 swtpm_ioctl --unix control --save permanent blob
    tail -c +23 blob >state # behind its header and the tags and lengths of two elements
    expect_exit 0 swtpm_ioctl --unix control -s
    wait "$!" || true
}

# exchange VERSION FORM WAY: the state of a new TPM of swtpm's is read, and written for another swtpm.
exchange() {
    local version=$1 key=${keys[$2]} way=$3 store=dir= file=/tpm2-00.permall
    [[ $version == 2.0 ]] || file=/tpm-00.permall
    rm -rf theirs ours
    if [[ $way == linear ]]; then store=backend-uri=file:// file=''; else mkdir theirs ours; fi

    on_swtpm "$store$WORK/theirs" "$key" "$version"
    mv state made
    swtpm_files read "$way" "$key" "theirs$file" >understood
    expect_exit 0 cmp made understood

    swtpm_files write "$way" "$key" "ours$file" <made
    on_swtpm "$store$WORK/ours" "$key" "$version"
    expect_exit 0 cmp made state
}

for form in plain hex128 binary256 pbkdf2_128 sha512_256; do
    step "$form"
    for version in 2.0 1.2; do
        exchange "$version" "$form" dir
        exchange "$version" "$form" linear
    done
done

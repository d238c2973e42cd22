#!/bin/bash
# guest: --timeout 240
# The kernel's own selftests of its TPM devices, with /dev/tpm0 meaning the raw node and /dev/tpmrm0 the managed one.
#
# They are in Debian's package linux-source; VTPM_KERNEL_SELFTESTS may name a folder with tpm2.py and tpm2_tests.py instead.

. tests/guest/lib/lib.sh
COMMAND_SECONDS=200

sources=(/usr/src/linux-source-*.tar.xz)
selftests=${VTPM_KERNEL_SELFTESTS:-}
if [[ -z $selftests && -e ${sources[0]} ]]; then
    tar -xJf "${sources[0]}" -C "$WORK" --strip-components=4 --wildcards '*/tools/testing/selftests/tpm2'
    selftests=$WORK/tpm2
fi
if [[ -z $selftests ]]; then
    echo "skipped: the kernel's selftests are not here: apt-get install linux-source, or VTPM_KERNEL_SELFTESTS=FOLDER"
    trap - EXIT ERR
    exit 77
fi

start_vtpmd vtpm0 --state "file:$WORK/state"
ln -s vtpm0 /dev/tpm0
ln -s vtpmrm0 /dev/tpmrm0
cp "$selftests"/*.py "$WORK"
cd "$WORK"

step "all that the kernel holds its own driver to"
expect_exit 0 python3 -m unittest -v tpm2_tests.SmokeTest tpm2_tests.SpaceTest tpm2_tests.AsyncTest
cat "$OUTPUT"
expect_output '^Ran 1[5-9] tests'

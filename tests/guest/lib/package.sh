# shellcheck shell=bash
# For tests of what the package installs. A script sources this behind lib.sh; it works in a guest with systemd only.

[[ $VTPM_GUEST == uml ]] || fail "this test changes the machine's packages: it is for a guest"
DEBS=$WORK/debs

# Makes the packages from this build and installs them.
install_package() {
    (cd "$VTPM_BIN/.." && cpack -G DEB -B "$DEBS" >"$WORK/cpack.log" 2>&1) || fail "cpack: $(tail -5 "$WORK/cpack.log")"
    expect_exit 0 dpkg -i "$DEBS"/vtpm_*.deb
    hash -r
    # From here on what is installed is used, not what was built.
    PATH=${PATH#"$VTPM_BIN:"}
    expect_eq "$(type -P vtpmctl)" /usr/bin/vtpmctl "the vtpmctl that is used"
}

ctl() { expect_exit "$1" vtpmctl "${@:2}"; }

# pid_of NAME: the instance's daemon
pid_of() { systemctl show -P MainPID "vtpm@$1.service"; }

node_of() { readlink -f "/dev/vtpm/by-name/$1"; }

# on NAME COMMAND...: tpm2-tools with that instance's TPM
on() {
    local name=$1
    shift
    TPM2TOOLS_TCTI=device:/dev/vtpm/by-name/$name "$@"
}

# count GLOB: how many files there are
count() { { compgen -G "$1" || true; } | wc -l; }

is_active() { systemctl --quiet is-active "vtpm@$1.service"; }

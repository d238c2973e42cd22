# shellcheck shell=bash
# What guest tests share. A script starts with `. tests/guest/lib/lib.sh`; from then on the first command that fails
# ends it as a failure, with the line. Daemons started with start_vtpmd are ended when the script ends.

set -eEuo pipefail
shopt -s inherit_errexit

# A directory of this script's own, on a tmpfs, empty at the start.
WORK=$(mktemp -d "$TMPDIR/test.XXXXXX")
OUTPUT=$WORK/output # what the last command of expect_exit or capture printed, stdout and stderr
LIB=$PWD/tests/guest/lib

export TPM2TOOLS_TCTI=device:/dev/vtpm0
export TPM_INTERFACE_TYPE=dev TPM_DEVICE=/dev/vtpm0 # IBM's tools
export TPM_DATA_DIR=$WORK

# What daemons in the background tell, kept where finish() looks for it.
if [[ ! -e /dev/log ]]; then
    (python3 "$LIB/syslog.py" "$WORK/syslog" >/dev/null 2>&1 </dev/null &)
    until [[ -e /dev/log ]]; do sleep 0.05; done
fi

# often QUICK SOAK: how often to repeat what is left to chance. tests/dev soak, which sets VTPM_SOAK, has more patience.
often() { if [[ -n ${VTPM_SOAK:-} ]]; then echo "$2"; else echo "$1"; fi; }

# needs PROGRAM|PATH PACKAGE: skips the script, which ctest counts, where this release of Debian has no such package. Where
# it has, what is missing is a failure.
needs() {
    if [[ -e $1 ]] || type -P "$1" >/dev/null; then return; fi
    if [[ -n $(apt-cache show "$2" 2>/dev/null) ]]; then fail "$1 is missing: apt-get install $2"; fi
    echo "skipped: ${0##*/} needs $1, and this release of Debian has no package $2"
    trap - EXIT ERR
    exit 77
}

COMMAND_SECONDS=60
checks=0       # how many expectations were met
declare -A pids # daemons by name, as given by their pid files

finish() {
    local code=$? name
    trap - EXIT ERR
    if ((code == 0)) && grep -rhI 'refused the system call [a-z]' "$WORK"; then
        echo "FAIL: vtpmd's sandbox lacks a system call" >&2
        code=1
    fi
    for name in "${!pids[@]}"; do kill -KILL "${pids[$name]}" 2>/dev/null || true; done
    if ((code == 0 && checks == 0)); then
        echo "FAIL: ${0##*/} expected nothing" >&2
        code=1
    fi
    if ((code == 0)); then echo "passed: ${0##*/}, $checks expectations met"; fi
    [[ ${VTPM_GUEST:-} == uml ]] || rm -rf -- "$WORK"
    exit "$code"
}
trap finish EXIT
trap 'fail "exit code $? of: $BASH_COMMAND"' ERR

# Ends the script as failed, saying where.
fail() {
    trap - ERR
    local depth
    echo "FAIL: $*" >&2
    for ((depth = 0; depth < ${#FUNCNAME[@]} - 1; depth++)); do
        echo "    at ${BASH_SOURCE[depth + 1]##*/}:${BASH_LINENO[depth]}" >&2
    done
    exit 1
}

step() { printf '\n== %s\n' "$*"; }

# expect_eq ACTUAL EXPECTED WHAT
expect_eq() {
    [[ $1 == "$2" ]] || fail "$3: '$1' instead of '$2'"
    ((checks += 1))
}

# expect_ne ACTUAL UNWANTED WHAT
expect_ne() {
    [[ $1 != "$2" ]] || fail "$3: '$1'"
    ((checks += 1))
}

# expect_exit CODE COMMAND...: the command ends with that code; what it printed is in $OUTPUT. A command that takes more
# than $COMMAND_SECONDS has failed.
expect_exit() {
    local code=0 wanted=$1
    shift
    timeout "$COMMAND_SECONDS" "$@" >"$OUTPUT" 2>&1 </dev/null || code=$?
    if [[ $code != "$wanted" ]]; then
        cat "$OUTPUT" >&2
        fail "exit code $code instead of $wanted: $*"
    fi
    ((checks += 1))
}

# expect_output REGEX: the last expect_exit's command printed a match.
expect_output() {
    if ! grep -Eq -- "$1" "$OUTPUT"; then
        cat "$OUTPUT" >&2
        fail "nothing printed matches '$1'"
    fi
    ((checks += 1))
}

# wait_for SECONDS COMMAND...: until the command succeeds, or fails the script.
wait_for() {
    local seconds=$1 end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || fail "not within $seconds seconds: $*"
        sleep 0.1
    done
}

is_gone() { ! kill -0 "$1" 2>/dev/null; }
is_missing() { [[ ! -e $1 ]]; }

# The kinds of store that tests of durability run with.
# shellcheck disable=SC2034  # used by who sources this
STORES=(dir file)

# state_in KIND DIRECTORY: what to give --state for a store of that kind in there.
state_in() {
    case $1 in
    dir) echo "dir:$2/state" ;;
    file) echo "file:$2/state.tpm" ;;
    *) fail "no such kind of store: $1" ;;
    esac
}

# start_vtpmd NAME ARGS...: a daemon that answers on /dev/NAME when this returns. With NAME auto, DEVICE says which.
# START_STATUS: its exit status, 3 for a TPM that has failed.
start_vtpmd() {
    local name=$1
    shift
    expect_exit "${START_STATUS:-0}" vtpmd --device "$name" --daemon --pid-file "$WORK/$name.pid" "$@"
    if [[ $name == auto ]]; then DEVICE=$(<"$OUTPUT"); else DEVICE=/dev/$name; fi
    pids[$name]=$(<"$WORK/$name.pid")
    kill -0 "${pids[$name]}" || fail "the pid file names no process"
    [[ -c $DEVICE ]] || fail "$DEVICE is not there although vtpmd says it is ready"
}

# stop_vtpmd NAME: the daemon ends, its node goes.
stop_vtpmd() {
    local name=$1 pid
    pid=${pids[$name]}
    kill -TERM "$pid"
    wait_for 20 is_gone "$pid"
    wait_for 5 is_missing "/dev/$name"
    unset "pids[$name]"
}

# The TPM's answer to raw command bytes, both in hex: the last word of the shortest client there is.
tpm_send() { python3 "$LIB/send.py" "${DEVICE:-/dev/vtpm0}" "$@"; }

# There is no resource manager on the raw node: what tpm2-tools loaded stays until it is flushed.
flush() { tpm2_flushcontext -t; }

# pcr BANK INDEX: its value in lower-case hex
pcr() { tpm2_pcrread "$1:$2" | awk 'END { print tolower(substr($NF, 3)) }'; }

"""phases.py NODE off|on|failed STATE: each row of docs/ioctl_abi.md in that phase; SHUTDOWN last.

The documented phases decide what must happen: in others the answer is BAD_ORDINAL and nothing else of the caller's
structure is touched.
"""

import glob
import os
import re
import sys

import control

ROW = re.compile(r"^\| (\w+) \| (0x[0-9a-f]{8}) \| (\d+) \| ([a-z, ]+) \| ")

# What makes each request a proper one; the others carry nothing.
FIELDS = {
    "INIT": control.u32(0),
    "SET_LOCALITY": b"\0\0\0\0",
    "HASH_DATA": control.u32(4) + b"data",
    "RESET_TPMESTABLISHED": b"\3\0\0\0",
    "GET_STATEBLOB": control.u32(1, control.PERMANENT, 0),
    "SET_STATEBLOB": control.u32(0, control.PERMANENT, 0),
    "SET_BUFFERSIZE": control.u32(0),
    "GET_INFO": control.u32(1, 0, 0),
    "LOCK_STORAGE": control.u32(0),
    "EXECUTE": control.u32(0xFF, 10) + bytes.fromhex("80010000000a0000017b"),
    "SET_VERSION": None,  # the one it has
}

# Structures that the daemon answers whole, when it does what was asked.
ANSWERED_WHOLE = {"GET_CAPABILITY", "GET_TPMESTABLISHED", "GET_STATEBLOB", "GET_CONFIG", "SET_BUFFERSIZE", "GET_INFO",
                  "EXECUTE", "GET_STATUS", "GET_DETAILS", "GET_SPACES"}


def documented_rows():
    with open("docs/ioctl_abi.md", encoding="utf-8") as page:
        rows = [match for match in map(ROW.match, page) if match]
    assert len(rows) == 23, len(rows)
    return [(name, int(number, 16), int(size), phases.split(", ")) for name, number, size, phases in
            (row.groups() for row in rows)]


def files_of(state):
    return glob.glob(os.path.join(state, "*.permall"))


def enter(file, phase, state):
    assert control.result(file, control.STOP) == control.SUCCESS
    if phase == "failed":
        fail(file, state)
    elif phase == "on":
        assert control.init(file) == control.SUCCESS
    assert control.Status(file).phase == ["off", "on", "failed"].index(phase)


def fail(file, state):
    """A TPM made anew whose stored state is then damaged."""
    for path in files_of(state):
        os.unlink(path)
    assert control.init(file) == control.SUCCESS
    assert files_of(state), "there is no state to damage"
    for path in files_of(state):
        with open(path, "wb") as stored:
            stored.write(b"this is no state")
    assert control.init(file) != control.SUCCESS


def check_untouched(name, structure, request, answered):
    expected = request + bytes([control.FILLER]) * (len(structure) - len(request))
    assert structure[answered:] == expected[answered:], f"{name}: more was written than the answer"


def check_row(file, phase, row):
    name, number, size, phases = row
    assert control.structure_size(number) == size, name
    request = FIELDS.get(name, b"")
    if request is None:
        request = control.u32(control.Status(file).version)
    structure = control.call(file, number, request)
    refused = structure[:4] == control.u32(control.BAD_ORDINAL)
    assert refused == (phase not in phases), f"{name} in phase {phase}: {structure[:4].hex()}"
    if refused or name not in ANSWERED_WHOLE:
        check_untouched(name, structure, request, 4)
    else:
        assert bytes([control.FILLER]) * 4 not in structure, f"{name}: part of the answer is undefined"


def main():
    node, phase, state = sys.argv[1:]
    rows = sorted(documented_rows(), key=lambda row: row[0] == "SHUTDOWN")
    for row in rows:
        file = control.opened(node)
        enter(file, phase, state)
        check_row(file, phase, row)
        os.close(file)
    print(f"{len(rows)} requests")


main()

#!/bin/bash
# guest: --timeout 600
# The known defects of swtpm's CUSE device, one test for each by its number, each of which would fail there.

. tests/guest/lib/lib.sh

COMMAND_SECONDS=580
mkdir "$WORK/defects"
expect_exit 0 python3 "$LIB/defects.py" "$WORK/defects" "$@"
cat "$OUTPUT"
expect_output '^OK$' # and nothing was skipped

"""newc.py ARCHIVE INIT: an initramfs with /dev/console and the program INIT as /init."""

import sys

entries = []


def add(name, mode, content=b"", device=(0, 0)):
    fields = [len(entries) + 1, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0]
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    entry = header + name.encode() + b"\0"
    entry += bytes(-len(entry) % 4) + content
    entries.append(entry + bytes(-len(entry) % 4))


archive, init = sys.argv[1:]
add("dev", 0o040755)
add("dev/console", 0o020600, device=(5, 1))
with open(init, "rb") as program:
    add("init", 0o100755, program.read())
add("TRAILER!!!", 0)
with open(archive, "wb") as file:
    file.write(b"".join(entries))

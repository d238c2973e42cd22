"""newc.py ARCHIVE INIT [FILE...]: an initramfs with /dev/console, the program INIT as /init, and each FILE at its own,
absolute path."""

import os
import pathlib
import sys

entries = []
directories = set()


def add(name, mode, content=b"", device=(0, 0)):
    fields = [len(entries) + 1, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0]
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    entry = header + name.encode() + b"\0"
    entry += bytes(-len(entry) % 4) + content
    entries.append(entry + bytes(-len(entry) % 4))


def add_directory(path):
    if path not in directories and path.name:
        add_directory(path.parent)
        directories.add(path)
        add(str(path), 0o040755)


def add_file(path, name):
    add_directory(pathlib.PurePath(name).parent)
    with open(path, "rb") as file:
        add(name, 0o100000 | os.fstat(file.fileno()).st_mode & 0o755, file.read())


archive, init, *files = sys.argv[1:]
add_directory(pathlib.PurePath("dev"))
add("dev/console", 0o020600, device=(5, 1))
with open(init, "rb") as program:
    add("init", 0o100755, program.read())
for each in files:
    add_file(each, each.lstrip("/"))
add("TRAILER!!!", 0)
with open(archive, "wb") as file:
    file.write(b"".join(entries))

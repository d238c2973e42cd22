"""What the device mapper's log-writes target has recorded (format: the kernel's drivers/md/dm-log-writes.c).

The log keeps the order in which data became durable: a write stands in front of the flush that it was completed before,
and behind every mark that was set while it was in the disk's cache only.
"""

import struct
from typing import NamedTuple

MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD, MARK, METADATA = 1, 2, 4, 8, 16


class Entry(NamedTuple):
    at: int  # bytes from the start of the disk
    length: int
    flags: int
    data: bytes  # what was written, or the text of a mark

    def is_boundary(self):
        return bool(self.flags & (FLUSH | FUA))

    def is_mark(self):
        return bool(self.flags & MARK)

    def apply_to(self, image):
        if not self.is_mark():
            image.seek(self.at)
            image.write(bytes(self.length) if self.flags & DISCARD else self.data)


def read_log(path):
    with open(path, "rb") as log:
        magic, version, count, sector_size = struct.unpack("<QQQI", log.read(28))
        assert magic == MAGIC and version == 1, f"{path} is no log of writes: {magic:#x}, version {version}"
        log.seek(sector_size)
        return [read_entry(log, sector_size) for _ in range(count)]


def read_entry(log, sector_size):
    header = log.read(sector_size)
    sector, sectors, flags, data_length = struct.unpack("<4Q", header[:32])
    length = sectors * sector_size
    if flags & MARK:
        data = header[32 : 32 + data_length].rstrip(b"\0")
    else:
        data = b"" if flags & DISCARD else log.read(length)
    return Entry(sector * sector_size, length, flags, data)

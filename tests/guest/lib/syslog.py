"""syslog.py FILE: the messages to /dev/log, one a line."""

import socket
import sys

log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind("/dev/log")
with open(sys.argv[1], "w", buffering=1, encoding="utf-8", errors="replace") as file:
    while True:
        print(log.recv(65536).decode(errors="replace"), file=file)

"""Floods a raw node with EXECUTE: flood.py NODE PROCESSES USER. All processes are that user's and share one open file; each
sends one command that takes long behind the other, until this process is ended."""

import os
import pwd
import signal
import sys
import time

import control
import tpm

node, processes = sys.argv[1], int(sys.argv[2])
user = pwd.getpwnam(sys.argv[3])
os.setgroups([])
os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
file = os.open(node, os.O_RDWR)
parent = tpm.new_handle(control.execute(file, tpm.create_primary_rsa(2048)))
slow = tpm.create_rsa(parent)  # takes no slot, so that it is slow every time


os.setpgid(0, 0)
for _ in range(processes):
    if os.fork() == 0:
        while True:
            try:
                control.execute(file, slow)
            except OSError:
                time.sleep(0.1)


def end(*_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    os._exit(0)


signal.signal(signal.SIGTERM, end)
print("flooding", flush=True)
while True:
    signal.pause()

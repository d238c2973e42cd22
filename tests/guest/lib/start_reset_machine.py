"""start_reset_machine.py NODE QEMU ARG...: starts a virtual machine on a TPM that is power-cycled before the first
instruction, and waits for its end. "TPM" among the ARGs stands for the path of the TPM.

QEMU asks the TPM for its buffer size when it starts, and gets no answer but from a TPM that was sent Startup. SeaBIOS
wants to be the first to send it. So QEMU is given an open file of the node and started paused; then INIT comes through
the same open file.
"""

import fcntl
import json
import os
import socket
import struct
import subprocess
import sys

PTM_INIT = 0xC0045001
SECONDS = 200


class Monitor:
    """QEMU's machine protocol, on a socket that QEMU inherits."""

    def __init__(self, connection):
        connection.settimeout(SECONDS)
        self.stream = connection.makefile("rw")
        assert "QMP" in self.receive()
        self.execute("qmp_capabilities")

    def receive(self):
        return json.loads(self.stream.readline())

    def execute(self, name):
        self.stream.write(json.dumps({"execute": name}) + "\n")
        self.stream.flush()
        while True:
            message = self.receive()
            assert "error" not in message, message
            if "return" in message:
                return message["return"]


def main():
    tpm = os.open(sys.argv[1], os.O_RDWR)
    ours, theirs = socket.socketpair()
    arguments = [argument.replace("TPM", "/dev/fdset/1") for argument in sys.argv[2:]]
    arguments += ["-S", "-add-fd", f"fd={tpm},set=1"]
    arguments += ["-chardev", f"socket,id=monitor,fd={theirs.fileno()}", "-mon", "chardev=monitor,mode=control"]
    machine = subprocess.Popen(arguments, pass_fds=(tpm, theirs.fileno()))
    theirs.close()
    try:
        monitor = Monitor(ours)
        assert monitor.execute("query-status")["status"] == "prelaunch"
        result = fcntl.ioctl(tpm, PTM_INIT, struct.pack("I", 0))
        assert result == bytes(4), result.hex()
        monitor.execute("cont")
        sys.exit(machine.wait(SECONDS))
    finally:
        machine.kill()


main()

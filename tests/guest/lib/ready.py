"""ready.py STATE: vtpmd in the foreground tells a service manager when its TPM answers, and when it begins to end."""
import os
import signal
import socket
import subprocess
import sys

PROBE = bytes.fromhex("8001000000160000017a000000060000010000000001")


def main(state, address):
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(address)
    manager.settimeout(20)
    command = ["vtpmd", "--device", "vtpm5", "--state", state, "--major", "300", "--minor", "77"]
    daemon = subprocess.Popen(command, env={**os.environ, "NOTIFY_SOCKET": address})
    told = []
    while "READY=1" not in told:
        told = manager.recv(4096).decode().splitlines()
    print(*[line for line in told if line.startswith("STATUS=")])
    # Ready means: no waiting any more.
    node = os.open("/dev/vtpm5", os.O_RDWR)
    assert os.write(node, PROBE) == len(PROBE)
    print("answer", os.read(node, 4096)[6:10].hex())
    numbers = os.fstat(node).st_rdev
    print("node", os.major(numbers), os.minor(numbers))
    os.close(node)
    daemon.send_signal(signal.SIGTERM)
    stopping = manager.recv(4096).decode()
    assert "STOPPING=1" in stopping.splitlines(), stopping
    print("exit", daemon.wait(20))


main(sys.argv[1], sys.argv[2])

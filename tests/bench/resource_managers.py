"""resource_managers.py ROUNDS COMMANDS: the managed node and tpm2-abrmd in turns; prints a table.

Each client has a primary key and an HMAC session of its own, and reads its key's public part under its session. Clients
take turns, and each round gives COMMANDS to one way and then as many to the other.
"""

import hashlib
import hmac
import json
import statistics
import struct
import subprocess
import sys
import time

from tpm2_pytss import TCTILdr

NODE = "vtpm0"
WAYS = (("managed node", "device", "/dev/vtpmrm0"), ("tpm2-abrmd", "tabrmd", "bus_type=session"))
CLIENTS = (1, 3, 8)

SESSIONS, NO_SESSIONS = 0x8002, 0x8001
CREATE_PRIMARY, READ_PUBLIC, START_AUTH_SESSION, STARTUP = 0x131, 0x173, 0x176, 0x144
OWNER, NULL, PASSWORD = 0x40000001, 0x40000007, 0x40000009
SHA256, AUDIT_AND_CONTINUE = 0x000B, 0x81
NONCE = bytes(16)
# A signing key of the curve P-256: TPM2B_SENSITIVE_CREATE, TPM2B_PUBLIC, no data, no PCRs
KEY = bytes.fromhex("0004 0000 0000 0018 0023 000b 00040072 0000 0010 0018 000b 0003 0010 0000 0000 0000 00000000".replace(" ", ""))


def sized(data):
    return struct.pack(">H", len(data)) + data


def command(tag, code, rest):
    return struct.pack(">HII", tag, 10 + len(rest), code) + rest


class Client:
    def __init__(self, way):
        self.way, self.tcti = way, TCTILdr(*way)
        password = struct.pack(">IHBH", PASSWORD, 0, 0, 0)
        key = self.call(command(SESSIONS, CREATE_PRIMARY, struct.pack(">II", OWNER, len(password)) + password + KEY))
        self.key = key[10:14]
        public = self.call(command(NO_SESSIONS, READ_PUBLIC, self.key))[10:]
        name = public[2 + struct.unpack(">H", public[:2])[0] :]
        name = name[2 : 2 + struct.unpack(">H", name[:2])[0]]
        self.command_hash = hashlib.sha256(struct.pack(">I", READ_PUBLIC) + name).digest()
        start = struct.pack(">II", NULL, NULL) + sized(NONCE) + sized(b"") + struct.pack(">BHH", 0, 0x0010, SHA256)
        session = self.call(command(NO_SESSIONS, START_AUTH_SESSION, start))
        self.session, self.nonce = session[10:14], session[16:]

    def call(self, request):
        self.tcti.transmit(request)
        response = bytes(self.tcti.receive(timeout=-1))
        code = struct.unpack(">I", response[6:10])[0]
        assert code == 0, f"{self.way}: response code {code:#x} to {request.hex()}"
        return response

    def read_public(self):
        attributes = bytes([AUDIT_AND_CONTINUE])
        # A session that is neither salted nor bound has an empty key.
        mac = hmac.new(b"", self.command_hash + NONCE + self.nonce + attributes, hashlib.sha256).digest()
        area = self.session + sized(NONCE) + attributes + sized(mac)
        response = self.call(command(SESSIONS, READ_PUBLIC, self.key + struct.pack(">I", len(area)) + area))
        nonce = response[14 + struct.unpack(">I", response[10:14])[0] :]
        self.nonce = nonce[2 : 2 + struct.unpack(">H", nonce[:2])[0]]


def executed():
    """TPM commands so far."""
    status = subprocess.run(["vtpmctl", "status", NODE, "--json"], check=True, stdout=subprocess.PIPE).stdout
    return json.loads(status)["commands"]


def wait_for_daemon():
    for _ in range(100):
        try:
            return TCTILdr(*WAYS[1][1:]).close()
        except Exception:  # pylint: disable=broad-except
            time.sleep(0.1)
    raise SystemExit("tpm2-abrmd does not answer")


def measure(clients, commands):
    """Seconds and TPM commands for each command."""
    before, begin = executed(), time.perf_counter()
    for at in range(commands):
        clients[at % len(clients)].read_public()
    took = time.perf_counter() - begin
    return took / commands, (executed() - before) / commands


def main():
    rounds, commands = (int(argument) for argument in sys.argv[1:])
    wait_for_daemon()
    print(f"{rounds} rounds of {commands} commands each way; microseconds are medians of the rounds")
    print("| clients | managed node: us | TPM commands | tpm2-abrmd: us | TPM commands | ratio |\n|---|---|---|---|---|---|")
    for count in CLIENTS:
        clients = [[Client(way[1:]) for _ in range(count)] for way in WAYS]
        seen = [[measure(of_way, commands) for of_way in clients] for _ in range(rounds)]
        columns = []
        for way in range(len(WAYS)):
            columns.append(statistics.median(one[way][0] for one in seen))
            columns.append(statistics.median(one[way][1] for one in seen))
        ratio = statistics.median(one[1][0] / one[0][0] for one in seen)
        print(f"| {count} | {columns[0] * 1e6:.0f} | {columns[1]:.2f} | {columns[2] * 1e6:.0f} | {columns[3]:.2f} | {ratio:.1f} |")
        for client in (client for of_way in clients for client in of_way):
            client.tcti.close()


main()

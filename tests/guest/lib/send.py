"""send.py NODE HEX...: sends each raw TPM command in turn on one open file, prints each response in hex."""

import os
import sys


def main():
    node, commands = sys.argv[1], sys.argv[2:]
    file = os.open(node, os.O_RDWR)
    for command in commands:
        os.write(file, bytes.fromhex(command))
        print(os.read(file, 4096).hex())


main()

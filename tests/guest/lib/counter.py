"""An NV counter, each increment of which is a commit of the TPM's state; for tests that state is durable.

counter.py run NODE LABEL     makes the counter if there is none; prints "LABEL found VALUE", and "LABEL acknowledged VALUE"
                              for each increment, one write each, until the daemon is gone
counter.py increment NODE COUNT
                              makes the counter if there is none, then increments it so often
"""

import errno
import os
import struct
import sys

import tpm

INDEX = 0x1500090
FAILURE, FAILED = 0x101, -1  # TPM_RC_FAILURE; what is told of such a TPM
NOT_INCREMENTED, NOT_DEFINED = 0x14A, 0x28B  # TPM_RC_NV_UNINITIALIZED; TPM_RC_HANDLE, of the second handle


class Counter:
    def __init__(self, node):
        self.file = os.open(node, os.O_RDWR | os.O_CLOEXEC)

    def close(self):
        os.close(self.file)

    def call(self, request):
        """The response to a command that must succeed."""
        response = tpm.execute(self.file, request)
        code = tpm.response_code(response)
        assert code == 0, f"command {request[6:10].hex()}: response code {code:#x}"
        return response

    def increment(self):
        self.call(tpm.nv_increment(INDEX))

    def value(self):
        value = self.value_or_none()
        assert value is not None, "LOST: there is no counter"
        return value

    def value_or_none(self):
        """None if it was never incremented, or never made."""
        response = tpm.execute(self.file, tpm.nv_read(INDEX, 8))
        code = tpm.response_code(response)
        if code in (NOT_INCREMENTED, NOT_DEFINED):
            return None
        assert code == 0, f"reading: response code {code:#x}"
        return struct.unpack(">Q", response[16:24])[0]

    def value_or_failed(self):
        """As value_or_none(); FAILED of a TPM that has no usable state."""
        response = tpm.execute(self.file, tpm.get_random(1))
        return FAILED if tpm.response_code(response) == FAILURE else self.value_or_none()

    def begin(self):
        """Makes the counter readable if it is not; its value."""
        if self.value_or_none() is None:
            if tpm.response_code(tpm.execute(self.file, tpm.nv_read_public(INDEX))) != 0:
                self.call(tpm.nv_define_counter(INDEX))
            self.increment()
        return self.value()

    def run(self, acknowledged):
        """Increments without a pause until the daemon is gone; tells each value once it is acknowledged."""
        try:
            value = self.value()
            while True:
                self.increment()
                value += 1
                acknowledged(value)
        except OSError as error:
            assert self.is_of_death(error), error

    def is_of_death(self, error):
        """Whether the daemon was killed. EIO is of its death too if it came while the kernel handed it a request; a
        daemon that is alive would answer the next."""
        while error.errno == errno.EIO:
            try:
                tpm.execute(self.file, tpm.get_random(4))
                return False
            except OSError as another:
                error = another
        return error.errno in (errno.ECONNABORTED, errno.ENOTCONN)


def expect_between(value, lowest, highest):
    assert value >= lowest, f"LOST: {lowest} was acknowledged, and the counter is at {value}"
    assert value <= highest, f"the counter is at {value}, and no more than {highest} was asked for"


def tell(label, what, value):
    os.write(1, f"{label} {what} {value}\n".encode())


def main():
    verb, node, argument = sys.argv[1:]
    counter = Counter(node)
    if verb == "run":
        tell(argument, "found", counter.begin())
        counter.run(lambda value: tell(argument, "acknowledged", value))
    else:
        counter.begin()
        for _ in range(int(argument)):
            counter.increment()


if __name__ == "__main__":
    main()

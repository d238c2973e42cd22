"""many.py COUNT: /dev/vtpm0.. are COUNT separate TPMs that share one major number."""

import hashlib
import os
import stat
import sys

import tpm

count = int(sys.argv[1])
names = [f"/dev/vtpm{i}" for i in range(count)]
numbers = [os.stat(name) for name in names]
assert all(stat.S_ISCHR(number.st_mode) for number in numbers)
devices = {(os.major(number.st_rdev), os.minor(number.st_rdev)) for number in numbers}
majors = {major for major, _ in devices}
assert len(devices) == count, f"only {len(devices)} different device numbers"
assert len(majors) == 1, f"majors {sorted(majors)}"

files = [os.open(name, os.O_RDWR) for name in names]
for name, file in zip(names, files):
    response = tpm.execute(file, tpm.pcr_extend(16, hashlib.sha256(name.encode()).digest()))
    assert tpm.response_code(response) == 0, (name, response.hex())
for name, file in zip(names, files):
    response = tpm.execute(file, tpm.pcr_read(16))
    assert tpm.response_code(response) == 0, (name, response.hex())
    expected = hashlib.sha256(bytes(32) + hashlib.sha256(name.encode()).digest()).digest()
    assert response[-32:] == expected, f"{name}: PCR 16 is {response[-32:].hex()}"
print(f"{count} nodes, major {majors.pop()}; each kept its own PCR while all the others were extended")

"""managed_pytss.py TCTI: a tree of keys in one process with tpm2-pytss, as somebody writes it who never heard of slots:
nothing is flushed, sessions of every kind are used at once."""

import hashlib
import os
import sys

from tpm2_pytss import ESAPI
from tpm2_pytss.constants import ESYS_TR, TPM2_ALG, TPM2_RH, TPM2_SE, TPM2_ST, TPMA_OBJECT, TPMA_SESSION
from tpm2_pytss.types import (
    TPM2B_DIGEST,
    TPM2B_MAX_BUFFER,
    TPM2B_PUBLIC,
    TPMT_SIG_SCHEME,
    TPMT_SYM_DEF,
    TPMT_TK_HASHCHECK,
    TPMU_SYM_KEY_BITS,
    TPMU_SYM_MODE,
)

CHILDREN = 20
SIGNS = TPMA_OBJECT.SIGN_ENCRYPT | TPMA_OBJECT.USERWITHAUTH | TPMA_OBJECT.SENSITIVEDATAORIGIN
LARGE = 5000  # bytes: more than a command takes


def session_of(tpm, kind, salted_with):
    symmetric = TPMT_SYM_DEF(
        algorithm=TPM2_ALG.AES, keyBits=TPMU_SYM_KEY_BITS(aes=128), mode=TPMU_SYM_MODE(aes=TPM2_ALG.CFB)
    )
    return tpm.start_auth_session(
        tpm_key=salted_with, bind=ESYS_TR.NONE, session_type=kind, symmetric=symmetric, auth_hash=TPM2_ALG.SHA256
    )


def signed(tpm, key, digest, session=ESYS_TR.PASSWORD):
    ticket = TPMT_TK_HASHCHECK(tag=TPM2_ST.HASHCHECK, hierarchy=TPM2_RH.NULL)
    scheme = TPMT_SIG_SCHEME(scheme=TPM2_ALG.NULL)
    return tpm.sign(key, TPM2B_DIGEST(digest), scheme, ticket, session1=session)


with ESAPI(sys.argv[1]) as tpm:
    primary = tpm.create_primary(None, "ecc")[0]
    keys = []
    for _ in range(CHILDREN):
        private, public = tpm.create(primary, None, TPM2B_PUBLIC.parse("ecc:ecdsa-sha256", SIGNS))[:2]
        keys.append(tpm.load(primary, private, public))
    digest = os.urandom(32)
    for key in keys:
        tpm.verify_signature(key, TPM2B_DIGEST(digest), signed(tpm, key, digest))
    print(f"{CHILDREN} children signed, none was flushed")

    encrypted = session_of(tpm, TPM2_SE.HMAC, primary)
    both = TPMA_SESSION.CONTINUESESSION | TPMA_SESSION.ENCRYPT | TPMA_SESSION.DECRYPT
    tpm.trsess_set_attributes(encrypted, both)
    audited = session_of(tpm, TPM2_SE.HMAC, ESYS_TR.NONE)
    tpm.trsess_set_attributes(audited, TPMA_SESSION.CONTINUESESSION | TPMA_SESSION.AUDIT)
    policy = session_of(tpm, TPM2_SE.TRIAL, ESYS_TR.NONE)
    for key in keys:
        signed(tpm, key, digest, session=encrypted)
        tpm.get_random(16, session1=encrypted)
        tpm.get_random(16, session1=audited)
    tpm.policy_command_code(policy, 0x15D)
    assert len(bytes(tpm.policy_get_digest(policy))) == 32
    print("sessions that encrypt, audit and hold a policy were used between them")

    text = os.urandom(LARGE)
    sequence = tpm.hash_sequence_start(None, TPM2_ALG.SHA256)
    for at in range(0, LARGE, 1000):
        tpm.sequence_update(sequence, TPM2B_MAX_BUFFER(text[at : at + 1000]))
        signed(tpm, keys[at // 1000], digest)
    result = tpm.sequence_complete(sequence, None, ESYS_TR.NULL)[0]
    assert bytes(result) == hashlib.sha256(text).digest()
    print("a sequence went on between commands of other keys")

"""Encrypt, Decrypt and data keys: the state check, then the ciphertext.

Every operation takes a key that was found and permitted a moment ago; the state it was found in is
the state that counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from alibaba_edge.errors import InvalidParameterError
from kms_emulator.ciphertext import CiphertextBlob, open_blob, parse, seal
from kms_emulator.crypto.asymmetric import longest_plaintext, rsa_encrypt
from kms_emulator.errors import OperationUnsupportedError, UnreadableBlobError
from kms_emulator.keys import Key
from kms_emulator.specs import SPECS, Family
from kms_emulator.states import advance

Context = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A new ciphertext and the key version it is under."""

    blob: bytes
    version_id: str


@dataclass(frozen=True, slots=True)
class DataKey:
    """A fresh data key, in the clear and sealed."""

    plaintext: bytes = field(repr=False)
    sealed: Sealed


@dataclass(frozen=True, slots=True)
class Recipient:
    """A foreign RSA public key (SubjectPublicKeyInfo) of `bits`, and how to encrypt under it."""

    public: bytes
    bits: int
    algorithm: str


class CryptoOperations:
    """What a symmetric key does. Holds no state but its source of randomness."""

    def __init__(self, *, token_bytes: Callable[[int], bytes]) -> None:
        self._token_bytes = token_bytes

    def encrypt(
        self, key: Key, plaintext: bytes, *, context: Context, operation: str = "Encrypt"
    ) -> Sealed:
        """`operation`: the row of the state table."""
        advance(operation, key.state)
        _require_symmetric(key)
        blob = seal(
            key,
            key.primary,
            plaintext=plaintext,
            context=context,
            token_bytes=self._token_bytes,
        )
        return Sealed(blob, key.primary.id)

    def read_blob(self, blob: bytes) -> CiphertextBlob:
        """Raises InvalidParameterError when these bytes cannot be a CiphertextBlob."""
        try:
            return parse(blob)
        except UnreadableBlobError:
            raise InvalidParameterError("CiphertextBlob") from None

    def decrypt(
        self, key: Key, blob: CiphertextBlob, *, context: Context, operation: str = "Decrypt"
    ) -> bytes:
        """Under the version the blob names, primary or not, and only under that one."""
        advance(operation, key.state)
        version = key.version(blob.version_id)
        try:
            if version is None or SPECS[key.spec].family is not Family.SYMMETRIC:
                raise UnreadableBlobError
            return open_blob(key, version, blob=blob, context=context)
        except UnreadableBlobError:
            raise InvalidParameterError("CiphertextBlob") from None

    def generate_data_key(self, key: Key, *, size: int, context: Context) -> DataKey:
        """`size` random bytes."""
        plaintext = self._token_bytes(size)
        sealed = self.encrypt(key, plaintext, context=context, operation="GenerateDataKey")
        return DataKey(plaintext, sealed)

    async def export(self, data_key: bytes, recipient: Recipient) -> bytes:
        """A data key, readable for whoever has the recipient's private key."""
        if len(data_key) > longest_plaintext(recipient.bits, recipient.algorithm):
            raise InvalidParameterError("NumberOfBytes")
        return await asyncio.to_thread(rsa_encrypt, recipient.public, recipient.algorithm, data_key)


def _require_symmetric(key: Key) -> None:
    if SPECS[key.spec].family is not Family.SYMMETRIC:
        raise OperationUnsupportedError

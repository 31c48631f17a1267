"""Encrypt, Decrypt, GenerateDataKey: the state check, then the ciphertext.

Every operation takes a key that was found and permitted a moment ago; the state it was found in is
the state that counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kms_emulator.ciphertext import CiphertextBlob, open_blob, parse, seal
from kms_emulator.errors import InvalidParameterError, UnreadableBlobError
from kms_emulator.keys import Key, advance

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


class CryptoOperations:
    """What a key does. Holds no state but its source of randomness."""

    def __init__(self, *, token_bytes: Callable[[int], bytes]) -> None:
        self._token_bytes = token_bytes

    def encrypt(self, key: Key, plaintext: bytes, *, context: Context) -> Sealed:
        advance("Encrypt", key.state)
        return self._seal(key, plaintext, context)

    def read_blob(self, blob: bytes) -> CiphertextBlob:
        """Raises InvalidParameterError when these bytes cannot be a CiphertextBlob."""
        try:
            return parse(blob)
        except UnreadableBlobError:
            raise InvalidParameterError("CiphertextBlob") from None

    def decrypt(self, key: Key, blob: CiphertextBlob, *, context: Context) -> bytes:
        """Under the version the blob names, primary or not, and only under that one."""
        advance("Decrypt", key.state)
        version = key.version(blob.version_id)
        try:
            if version is None:
                raise UnreadableBlobError
            return open_blob(key, version, blob=blob, context=context)
        except UnreadableBlobError:
            raise InvalidParameterError("CiphertextBlob") from None

    def generate_data_key(self, key: Key, *, size: int, context: Context) -> DataKey:
        """`size` random bytes."""
        advance("GenerateDataKey", key.state)
        plaintext = self._token_bytes(size)
        return DataKey(plaintext, self._seal(key, plaintext, context))

    def _seal(self, key: Key, plaintext: bytes, context: Context) -> Sealed:
        blob = seal(
            key,
            key.primary,
            plaintext=plaintext,
            context=context,
            token_bytes=self._token_bytes,
        )
        return Sealed(blob, key.primary.id)

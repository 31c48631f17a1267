"""The CiphertextBlob: its bytes, and what is authenticated beside them.

    key version id   36 ASCII bytes, as in the cloud's own blobs; Decrypt finds the key by it
    format           1 byte, now 1
    nonce            12 bytes
    sealed           ciphertext, then the 16-byte tag

A 44-byte plaintext (a 32-byte DEK in base64) makes a blob of 109 bytes, 148 in base64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from struct import Struct

from alibaba_edge.aead import NONCE_BYTES, TAG_BYTES, aead_open, aead_seal, sm4_open, sm4_seal
from alibaba_edge.errors import UnopenableError
from kms_emulator.errors import UnreadableBlobError
from kms_emulator.keys import Key, KeyVersion, PrimaryKeyVersion
from kms_emulator.specs import SM4

_FORMAT = 1
_ID_BYTES = 36
_HEADER_BYTES = _ID_BYTES + 1
_SEALED_AT = _HEADER_BYTES + NONCE_BYTES
_SHORTEST = _SEALED_AT + TAG_BYTES
_LENGTH = Struct(">I")


@dataclass(frozen=True, slots=True)
class CiphertextBlob:
    """A parsed blob. Parsing proves lengths and format, nothing about who sealed it."""

    version_id: str
    nonce: bytes
    sealed: bytes


def parse(blob: bytes) -> CiphertextBlob:
    """Raises UnreadableBlobError for anything that cannot be a blob."""
    if len(blob) < _SHORTEST or blob[_ID_BYTES] != _FORMAT:
        raise UnreadableBlobError
    try:
        version_id = blob[:_ID_BYTES].decode("ascii")
    except UnicodeDecodeError:
        raise UnreadableBlobError from None
    return CiphertextBlob(version_id, blob[_HEADER_BYTES:_SEALED_AT], blob[_SEALED_AT:])


def seal(
    key: Key,
    version: PrimaryKeyVersion,
    *,
    plaintext: bytes,
    context: Mapping[str, str],
    token_bytes: Callable[[int], bytes],
) -> bytes:
    """A new blob under the key's primary version; an older version does not type-check here."""
    nonce = token_bytes(NONCE_BYTES)  # fresh for every blob: see crypto.aead
    encrypt = sm4_seal if key.spec == SM4 else aead_seal
    sealed = encrypt(
        version.material, nonce, plaintext, authenticated=_authenticated(key, version, context)
    )
    return version.id.encode("ascii") + bytes((_FORMAT,)) + nonce + sealed


def open_blob(
    key: Key, version: KeyVersion, *, blob: CiphertextBlob, context: Mapping[str, str]
) -> bytes:
    """The plaintext. Raises UnreadableBlobError when key, context or any bit differs."""
    authenticated = _authenticated(key, version, context)
    decrypt = sm4_open if key.spec == SM4 else aead_open
    try:
        return decrypt(version.material, blob.nonce, blob.sealed, authenticated=authenticated)
    except UnopenableError:
        raise UnreadableBlobError from None


def context_bytes(context: Mapping[str, str]) -> bytes:
    """An EncryptionContext as bytes that no other context has.

    Every key and value carries its length, so {"a": "bc"} and {"ab": "c"} differ; sorting makes the
    order of a JSON object irrelevant. An absent context is the empty one.
    """
    return b"".join(_prefixed(name) + _prefixed(context[name]) for name in sorted(context))


def _authenticated(key: Key, version: KeyVersion, context: Mapping[str, str]) -> bytes:
    """Binds a blob to its format, key, key version and context."""
    return b"".join(
        (bytes((_FORMAT,)), _prefixed(key.id), _prefixed(version.id), context_bytes(context))
    )


def _prefixed(text: str) -> bytes:
    data = text.encode()
    return _LENGTH.pack(len(data)) + data

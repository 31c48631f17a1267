"""Import tokens: all that is needed to unwrap key material later, sealed under a secret of the key.

    format       1 byte, now 1
    nonce        12 bytes
    sealed       expiry (8 bytes, seconds since 1970), algorithm (1 byte), PKCS #8, then the tag

Nothing of a token is stored: any number of them may be out at once, and any process reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from struct import Struct

from alibaba_edge.aead import NONCE_BYTES, TAG_BYTES, aead_open, aead_seal
from alibaba_edge.errors import UnopenableError
from kms_emulator.errors import ImportTokenInvalidError
from kms_emulator.keys import Key

ALGORITHMS = ("RSAES_PKCS1_V1_5", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")

_FORMAT = b"\x01"
_HEADER = Struct(">QB")
_SEALED_AT = len(_FORMAT) + NONCE_BYTES
_SHORTEST = _SEALED_AT + _HEADER.size + TAG_BYTES


@dataclass(frozen=True, slots=True)
class ImportToken:
    """`private` unwraps what was wrapped for this token."""

    algorithm: str
    expires_at: datetime
    private: bytes = field(repr=False)


def seal_token(key: Key, token: ImportToken, *, token_bytes: Callable[[int], bytes]) -> bytes:
    header = _HEADER.pack(int(token.expires_at.timestamp()), ALGORITHMS.index(token.algorithm))
    nonce = token_bytes(NONCE_BYTES)  # fresh for every token: see crypto.aead
    sealed = aead_seal(
        key.import_secret, nonce, header + token.private, authenticated=_authenticated(key)
    )
    return _FORMAT + nonce + sealed


def open_token(key: Key, token: bytes) -> ImportToken:
    """Raises ImportTokenInvalidError for anything but a token of this key."""
    if len(token) < _SHORTEST or token[:1] != _FORMAT:
        raise ImportTokenInvalidError
    nonce, sealed = token[len(_FORMAT) : _SEALED_AT], token[_SEALED_AT:]
    try:
        opened = aead_open(key.import_secret, nonce, sealed, authenticated=_authenticated(key))
    except UnopenableError:
        raise ImportTokenInvalidError from None
    expires, algorithm = _HEADER.unpack_from(opened)
    return ImportToken(
        ALGORITHMS[algorithm], datetime.fromtimestamp(expires, UTC), opened[_HEADER.size :]
    )


def _authenticated(key: Key) -> bytes:
    return _FORMAT + key.id.encode()

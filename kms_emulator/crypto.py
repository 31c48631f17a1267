"""The primitives. The only module here that touches `cryptography`."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kms_emulator.errors import UnopenableError

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16


def aead_seal(key: bytes, nonce: bytes, plaintext: bytes, *, authenticated: bytes) -> bytes:
    """AES-256-GCM: ciphertext followed by its 16-byte tag.

    The nonce must never repeat under one key. The caller draws 96 random bits for each message:
    after 2^32 messages under one key version the chance of any repeat is about 2^-32, the bound
    NIST SP 800-38D sets, and far beyond what a local emulator will seal.
    """
    return AESGCM(key).encrypt(nonce, plaintext, authenticated)


def aead_open(key: bytes, nonce: bytes, sealed: bytes, *, authenticated: bytes) -> bytes:
    """The plaintext. Raises UnopenableError."""
    try:
        return AESGCM(key).decrypt(nonce, sealed, authenticated)
    except InvalidTag:
        raise UnopenableError from None

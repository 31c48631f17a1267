"""Authenticated encryption: AES-GCM (128, 192 or 256 bits) and SM4-GCM."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import GCM

from alibaba_edge.errors import UnopenableError

NONCE_BYTES = 12
TAG_BYTES = 16


def aead_seal(key: bytes, nonce: bytes, plaintext: bytes, *, authenticated: bytes) -> bytes:
    """AES-GCM: ciphertext followed by its 16-byte tag.

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


def sm4_seal(key: bytes, nonce: bytes, plaintext: bytes, *, authenticated: bytes) -> bytes:
    """SM4-GCM, in the form and under the bounds of `aead_seal`."""
    sealer = Cipher(SM4(key), GCM(nonce)).encryptor()
    sealer.authenticate_additional_data(authenticated)
    ciphertext = sealer.update(plaintext) + sealer.finalize()
    return ciphertext + sealer.tag


def sm4_open(key: bytes, nonce: bytes, sealed: bytes, *, authenticated: bytes) -> bytes:
    """The plaintext. Raises UnopenableError."""
    ciphertext, tag = sealed[:-TAG_BYTES], sealed[-TAG_BYTES:]
    opener = Cipher(SM4(key), GCM(nonce, tag)).decryptor()
    opener.authenticate_additional_data(authenticated)
    try:
        return opener.update(ciphertext) + opener.finalize()
    except InvalidTag:
        raise UnopenableError from None

"""The primitives, on bytes: AES-GCM, AES-CBC, secretbox, and KMS v2's extended-nonce AES-GCM.

Error texts are those of Go's crypto packages and of k8s.io/apiserver storage/value/encrypt/aes,
because they reach the client inside a Status.
"""

import hmac
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from apiserver_shim.errors import TransformError

if TYPE_CHECKING:
    from nacl.secret import SecretBox

GcmCipher = AESGCM

KEY_SIZES = (16, 24, 32)
DEK_SIZE = 32
SEED_SIZE = 32
NONCE_SIZE = 12
IV_SIZE = 16
INFO_SIZE = 32
SECRETBOX_KEY_SIZE = 32
SECRETBOX_NONCE_SIZE = 24
_TAG_SIZE = 16
_BLOCK = 16
_TOO_SHORT = "the stored data was shorter than the required size"


def gcm(key: bytes) -> GcmCipher:
    """Return an AES-GCM cipher, whose key schedule is worth keeping for later values."""
    if len(key) not in KEY_SIZES:
        raise TransformError(f"crypto/aes: invalid key size {len(key)}")
    return AESGCM(key)


def seal_gcm(cipher: GcmCipher, data: bytes, authenticated_data: bytes, *, nonce: bytes) -> bytes:
    """Return nonce | ciphertext | tag. The nonce must be random and never used twice with a key."""
    return nonce + cipher.encrypt(nonce, data, authenticated_data)


def open_gcm(cipher: GcmCipher, sealed: bytes, authenticated_data: bytes) -> bytes:
    """Undo seal_gcm; raises TransformError."""
    if len(sealed) < NONCE_SIZE + _TAG_SIZE:
        raise TransformError(
            _TOO_SHORT if len(sealed) < NONCE_SIZE else "cipher: message authentication failed"
        )
    try:
        return cipher.decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], authenticated_data)
    except InvalidTag:
        raise TransformError("cipher: message authentication failed") from None


def seal_cbc(key: bytes, data: bytes, *, iv: bytes) -> bytes:
    """Return IV | ciphertext with PKCS#7 padding; nothing is authenticated."""
    padding = _BLOCK - len(data) % _BLOCK
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return iv + encryptor.update(data + bytes([padding]) * padding) + encryptor.finalize()


def open_cbc(key: bytes, sealed: bytes) -> bytes:
    """Undo seal_cbc; raises TransformError."""
    if len(sealed) < IV_SIZE:
        raise TransformError(_TOO_SHORT)
    if len(sealed) % _BLOCK:
        raise TransformError("the stored data is not a multiple of the block size")
    decryptor = Cipher(algorithms.AES(key), modes.CBC(sealed[:IV_SIZE])).decryptor()
    padded = decryptor.update(sealed[IV_SIZE:]) + decryptor.finalize()
    padding = padded[-1] if padded else 0
    if not 0 < padding <= len(padded):
        raise TransformError("invalid PKCS7 data (empty or not padded)")
    if padded[-padding:] != bytes([padding]) * padding:
        raise TransformError("invalid padding on input")
    return padded[:-padding]


def secretbox(key: bytes) -> "SecretBox":
    """Return an XSalsa20-Poly1305 cipher (NaCl's secretbox)."""
    from nacl.secret import SecretBox  # noqa: PLC0415 - libsodium, for the few that use it

    return SecretBox(key)


def seal_secretbox(cipher: "SecretBox", data: bytes, *, nonce: bytes) -> bytes:
    """Return nonce | tag | ciphertext; there is no authenticated data besides."""
    return bytes(cipher.encrypt(data, nonce))


def open_secretbox(cipher: "SecretBox", sealed: bytes) -> bytes:
    """Undo seal_secretbox; raises TransformError."""
    from nacl.exceptions import CryptoError  # noqa: PLC0415

    if len(sealed) < SECRETBOX_NONCE_SIZE + _TAG_SIZE:
        raise TransformError(_TOO_SHORT)
    try:
        return cipher.decrypt(sealed)
    except CryptoError:
        # Upstream's words for a tag that does not fit.
        raise TransformError("output array was not large enough for encryption") from None


def derive_dek(seed: bytes, info: bytes) -> bytes:
    """Derive one value's key from the seed: HKDF-Expand with SHA-256 (RFC 5869), no Extract."""
    if len(seed) < SEED_SIZE:
        raise TransformError(f"invalid seed length {len(seed)} used for key generation")
    return hmac.digest(seed, info + b"\x01", "sha256")


def seal_extended(
    seed: bytes, data: bytes, authenticated_data: bytes, *, info: bytes, nonce: bytes
) -> bytes:
    """Return info | nonce | ciphertext | tag under a key of its own; ``info`` must be random."""
    cipher = AESGCM(derive_dek(seed, info))
    return info + seal_gcm(cipher, data, authenticated_data, nonce=nonce)


def open_extended(seed: bytes, sealed: bytes, authenticated_data: bytes) -> bytes:
    """Undo seal_extended; raises TransformError."""
    if len(sealed) < INFO_SIZE:
        raise TransformError("the stored data is missing the required info prefix")
    cipher = AESGCM(derive_dek(seed, sealed[:INFO_SIZE]))
    return open_gcm(cipher, sealed[INFO_SIZE:], authenticated_data)

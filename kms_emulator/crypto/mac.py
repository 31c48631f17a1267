"""Message authentication codes (RFC 2104), by KMS's names."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "HMAC_SM3": hashes.SM3,
    "HMAC_SHA_224": hashes.SHA224,
    "HMAC_SHA_256": hashes.SHA256,
    "HMAC_SHA_384": hashes.SHA384,
    "HMAC_SHA_512": hashes.SHA512,
}


def generate_mac(key: bytes, algorithm: str, message: bytes) -> bytes:
    return _hmac(key, algorithm, message).finalize()


def verify_mac(key: bytes, algorithm: str, message: bytes, *, mac: bytes) -> bool:
    """In constant time."""
    try:
        _hmac(key, algorithm, message).verify(mac)
    except InvalidSignature:
        return False
    return True


def _hmac(key: bytes, algorithm: str, message: bytes) -> HMAC:
    made = HMAC(key, _HASHES[algorithm]())
    made.update(message)
    return made

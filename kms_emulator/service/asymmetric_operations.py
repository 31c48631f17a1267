"""What asymmetric and MAC keys do: the state, the usage and the algorithm, then the primitive.

Ciphertext and signatures are the standards' own (RFC 8017, X9.62), without an envelope, so callers
name the key version.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from alibaba_edge.errors import InvalidParameterError, UnopenableError
from kms_emulator.crypto.asymmetric import (
    DIGEST_BYTES,
    EC_SIGNATURES,
    RSA_PADDINGS,
    RSA_SIGNATURES,
    longest_plaintext,
    public_der,
    public_pem,
    rsa_decrypt,
    rsa_encrypt,
    sign,
    verify,
)
from kms_emulator.crypto.mac import generate_mac, verify_mac
from kms_emulator.errors import KeyVersionNotFoundError, OperationUnsupportedError
from kms_emulator.keys import Key
from kms_emulator.specs import ENCRYPT_DECRYPT, GENERATE_VERIFY_MAC, SIGN_VERIFY, SPECS, Family
from kms_emulator.states import advance

_NO_ALGORITHMS: Sequence[str] = ()
_ENCRYPTION: Mapping[Family, Sequence[str]] = {Family.RSA: RSA_PADDINGS}
_SIGNATURES: Mapping[Family, Sequence[str]] = {
    Family.RSA: RSA_SIGNATURES,
    Family.EC: EC_SIGNATURES,
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One version of an asymmetric key, and what to do with it."""

    key: Key
    version_id: str
    algorithm: str


@dataclass(frozen=True, slots=True)
class _Usable:
    """A choice that was checked. `private` is PKCS #8."""

    private: bytes = field(repr=False)
    bits: int
    algorithm: str


class AsymmetricOperations:
    """Stateless; the heavy half runs in threads."""

    async def encrypt(self, choice: Choice, plaintext: bytes) -> bytes:
        usable = _usable("AsymmetricEncrypt", choice, ENCRYPT_DECRYPT, _ENCRYPTION)
        if len(plaintext) > longest_plaintext(usable.bits, usable.algorithm):
            raise InvalidParameterError("Plaintext")
        return await asyncio.to_thread(
            lambda: rsa_encrypt(public_der(usable.private), usable.algorithm, plaintext)
        )

    async def decrypt(
        self, choice: Choice, ciphertext: bytes, *, operation: str = "AsymmetricDecrypt"
    ) -> bytes:
        """`operation`: the row of the state table."""
        usable = _usable(operation, choice, ENCRYPT_DECRYPT, _ENCRYPTION)
        try:
            return await asyncio.to_thread(
                rsa_decrypt, usable.private, usable.algorithm, ciphertext
            )
        except UnopenableError:
            raise InvalidParameterError("CiphertextBlob") from None

    async def sign(self, choice: Choice, digest: bytes) -> bytes:
        usable = _usable("AsymmetricSign", choice, SIGN_VERIFY, _SIGNATURES)
        _check_digest(digest)
        return await asyncio.to_thread(sign, usable.private, usable.algorithm, digest)

    async def verify(self, choice: Choice, digest: bytes, *, signature: bytes) -> bool:
        usable = _usable("AsymmetricVerify", choice, SIGN_VERIFY, _SIGNATURES)
        _check_digest(digest)
        return await asyncio.to_thread(
            lambda: verify(usable.private, usable.algorithm, digest, signature=signature)
        )

    async def public_key(self, key: Key, version_id: str) -> str:
        """PEM."""
        advance("GetPublicKey", key.state)
        if SPECS[key.spec].family not in {Family.RSA, Family.EC}:
            raise OperationUnsupportedError
        return await asyncio.to_thread(public_pem, _material(key, version_id))

    def generate_mac(self, key: Key, algorithm: str, message: bytes) -> bytes:
        return generate_mac(_mac_key("GenerateMac", key, algorithm), algorithm, message)

    def verify_mac(self, key: Key, algorithm: str, message: bytes, *, mac: bytes) -> bool:
        return verify_mac(_mac_key("VerifyMac", key, algorithm), algorithm, message, mac=mac)


def _usable(
    operation: str, choice: Choice, usage: str, algorithms: Mapping[Family, Sequence[str]]
) -> _Usable:
    key = choice.key
    advance(operation, key.state)
    spec = SPECS[key.spec]
    possible = algorithms.get(spec.family, _NO_ALGORITHMS)
    if key.usage != usage or not possible:
        raise OperationUnsupportedError
    if choice.algorithm not in possible:
        raise InvalidParameterError("Algorithm")
    return _Usable(_material(key, choice.version_id), spec.bits, choice.algorithm)


def _material(key: Key, version_id: str) -> bytes:
    version = key.version(version_id)
    if version is None:
        raise KeyVersionNotFoundError
    return version.material


def _check_digest(digest: bytes) -> None:
    if len(digest) != DIGEST_BYTES:
        raise InvalidParameterError("Digest")


def _mac_key(operation: str, key: Key, algorithm: str) -> bytes:
    advance(operation, key.state)
    if key.usage != GENERATE_VERIFY_MAC:
        raise OperationUnsupportedError
    if algorithm != key.spec:  # a MAC key is named after its algorithm
        raise InvalidParameterError("Algorithm")
    return key.primary.material

"""The primitives against published vectors, and against `cryptography` from the outside."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from hypothesis import given, settings
from hypothesis import strategies as st

from alibaba_edge.aead import aead_open, aead_seal, sm4_open, sm4_seal
from alibaba_edge.errors import UnopenableError
from kms_emulator.crypto.asymmetric import (
    longest_plaintext,
    new_ec_key,
    new_rsa_key,
    public_der,
    public_pem,
    rsa_decrypt,
    rsa_encrypt,
    rsa_public_bits,
    sign,
    verify,
)
from kms_emulator.crypto.mac import generate_mac, verify_mac

RSA = new_rsa_key(2048)
CURVES = {spec: new_ec_key(spec) for spec in ("EC_P256", "EC_P256K")}
DIGEST = hashlib.sha256(b"message").digest()
SIGNERS = [
    (RSA, "RSA_PSS_SHA_256"),
    (RSA, "RSA_PKCS1_SHA_256"),
    (CURVES["EC_P256"], "ECDSA_SHA_256"),
    (CURVES["EC_P256K"], "ECDSA_SHA_256"),
]


def test_sm4_gcm_as_in_rfc_8998() -> None:
    sealed = sm4_seal(
        bytes.fromhex("0123456789abcdeffedcba9876543210"),
        bytes.fromhex("00001234567800000000abcd"),
        b"".join(bytes([byte]) * 8 for byte in bytes.fromhex("aabbccddeeffeeaa")),
        authenticated=bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
    )
    assert sealed.hex() == (
        "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
        "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
        "83de3541e4c2b58177e065a9bf7b62ec"
    )


@pytest.mark.parametrize(
    ("sealer", "opener", "size"),
    [(aead_seal, aead_open, n) for n in (16, 24, 32)] + [(sm4_seal, sm4_open, 16)],
)
@given(plaintext=st.binary(max_size=64), bit=st.integers(0, 10_000))
def test_sealed_bytes_open_unless_a_bit_changed(
    sealer: object, opener: object, size: int, plaintext: bytes, bit: int
) -> None:
    assert callable(sealer)
    assert callable(opener)
    key, nonce = bytes(size), bytes(12)
    sealed = bytearray(sealer(key, nonce, plaintext, authenticated=b"a"))
    assert opener(key, nonce, bytes(sealed), authenticated=b"a") == plaintext
    sealed[bit // 8 % len(sealed)] ^= 1 << bit % 8
    with pytest.raises(UnopenableError):
        opener(key, nonce, bytes(sealed), authenticated=b"a")


def test_hmac_as_in_rfc_4231() -> None:
    mac = generate_mac(b"Jefe", "HMAC_SHA_256", b"what do ya want for nothing?")
    assert mac.hex() == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


@pytest.mark.parametrize(
    ("algorithm", "size"),
    [("SHA_224", 28), ("SHA_256", 32), ("SHA_384", 48), ("SHA_512", 64), ("SM3", 32)],
)
def test_a_mac_is_verified_to_the_last_bit(algorithm: str, size: int) -> None:
    name = f"HMAC_{algorithm}"
    mac = generate_mac(b"key", name, b"message")
    assert len(mac) == size
    assert verify_mac(b"key", name, b"message", mac=mac)
    assert not verify_mac(b"key", name, b"Message", mac=mac)
    assert not verify_mac(b"key", name, b"message", mac=mac[:-1])
    for bit in range(size * 8):
        changed = bytearray(mac)
        changed[bit // 8] ^= 1 << bit % 8
        assert not verify_mac(b"key", name, b"message", mac=bytes(changed))


@pytest.mark.parametrize("algorithm", ["RSAES_OAEP_SHA_256", "RSAES_OAEP_SHA_1"])
def test_anyone_may_encrypt_under_the_public_key(algorithm: str) -> None:
    sha = hashes.SHA1() if algorithm.endswith("_1") else hashes.SHA256()
    public = load_pem_public_key(public_pem(RSA).encode())
    assert isinstance(public, rsa.RSAPublicKey)
    oaep = padding.OAEP(padding.MGF1(sha), sha, None)
    longest = b"x" * longest_plaintext(2048, algorithm)
    assert rsa_decrypt(RSA, algorithm, public.encrypt(longest, oaep)) == longest
    assert rsa_decrypt(RSA, algorithm, rsa_encrypt(public_der(RSA), algorithm, longest)) == longest
    with pytest.raises(ValueError, match="ncryption failed"):
        rsa_encrypt(public_der(RSA), algorithm, longest + b"x")


def test_documented_longest_plaintexts() -> None:
    assert longest_plaintext(2048, "RSAES_OAEP_SHA_256") == 190
    assert longest_plaintext(2048, "RSAES_OAEP_SHA_1") == 214
    assert longest_plaintext(3072, "RSAES_OAEP_SHA_256") == 318
    assert longest_plaintext(3072, "RSAES_OAEP_SHA_1") == 342


@settings(deadline=None, max_examples=30)
@given(ciphertext=st.binary(max_size=300))
def test_arbitrary_bytes_do_not_decrypt(ciphertext: bytes) -> None:
    for key in (RSA, CURVES["EC_P256"]):
        with pytest.raises(UnopenableError):
            rsa_decrypt(key, "RSAES_OAEP_SHA_256", ciphertext)


@pytest.mark.parametrize(("key", "algorithm"), SIGNERS)
def test_anyone_may_verify_with_the_public_key(key: bytes, algorithm: str) -> None:
    public = load_pem_public_key(public_pem(key).encode())
    signature = sign(key, algorithm, DIGEST)
    if isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(signature, b"message", ec.ECDSA(hashes.SHA256()))
        return
    assert isinstance(public, rsa.RSAPublicKey)
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    scheme = pss if "PSS" in algorithm else padding.PKCS1v15()
    public.verify(signature, b"message", scheme, hashes.SHA256())
    with pytest.raises(InvalidSignature):
        public.verify(signature, b"Message", scheme, hashes.SHA256())


@pytest.mark.parametrize(("key", "algorithm"), SIGNERS)
@settings(deadline=None, max_examples=30)
@given(place=st.integers(0, 10_000), garbage=st.binary(max_size=300))
def test_a_changed_signature_or_digest_is_wrong(
    key: bytes, algorithm: str, place: int, garbage: bytes
) -> None:
    signature = bytearray(sign(key, algorithm, DIGEST))
    assert verify(key, algorithm, DIGEST, signature=bytes(signature))
    other = bytes([DIGEST[0] ^ 1, *DIGEST[1:]])
    assert not verify(key, algorithm, other, signature=bytes(signature))
    signature[place // 8 % len(signature)] ^= 1 << place % 8
    assert not verify(key, algorithm, DIGEST, signature=bytes(signature))
    assert not verify(key, algorithm, DIGEST, signature=garbage)


@given(data=st.binary(max_size=400))
def test_arbitrary_bytes_are_no_public_key(data: bytes) -> None:
    assert rsa_public_bits(data) is None


def test_only_rsa_keys_are_rsa_keys() -> None:
    assert rsa_public_bits(public_der(RSA)) == 2048
    assert rsa_public_bits(public_der(CURVES["EC_P256"])) is None

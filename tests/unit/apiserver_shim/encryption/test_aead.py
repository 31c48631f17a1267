"""The primitives against upstream's vectors, and what is refused."""

import pytest

from apiserver_shim.encryption import aead
from apiserver_shim.errors import TransformError

SEED = bytes(range(0x20))
INFO = bytes(range(0x40, 0x60))
NONCE = bytes(range(0x60, 0x6C))
KEY = b"/registry/secrets/default/app1"
PLAIN = bytes.fromhex("6b38730068656c6c6f")
GCM = bytes.fromhex("606162636465666768696a6b81e3e855d325ef031307812983a4fca4f78490fa33ef40e050")
EXTENDED = bytes.fromhex(
    "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b9499"
    "252264a987f086750c618e8dc6bb9fd6f33e2f5da06a4f"
)


def test_aes_gcm_has_upstreams_bytes() -> None:
    cipher = aead.gcm(SEED)
    assert aead.seal_gcm(cipher, PLAIN, KEY, nonce=NONCE) == GCM
    assert aead.open_gcm(cipher, GCM, KEY) == PLAIN


def test_the_derived_key_is_upstreams() -> None:
    expected = "bbbb40f2c542c2c58846dc609224829eae0a8b9a5d31f500caff2964dc6bf9de"
    assert aead.derive_dek(SEED, INFO).hex() == expected


def test_extended_nonce_gcm_has_upstreams_bytes() -> None:
    assert aead.seal_extended(SEED, PLAIN, KEY, info=INFO, nonce=NONCE) == EXTENDED
    assert aead.open_extended(SEED, EXTENDED, KEY) == PLAIN


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1000])
def test_cbc_opens_what_it_sealed(size: int) -> None:
    sealed = aead.seal_cbc(SEED, b"x" * size, iv=bytes(16))
    assert len(sealed) % 16 == 0
    assert aead.open_cbc(SEED, sealed) == b"x" * size


def test_gcm_refuses_another_key_path() -> None:
    with pytest.raises(TransformError, match=r"^cipher: message authentication failed$"):
        aead.open_gcm(aead.gcm(SEED), GCM, b"/registry/secrets/default/app2")


@pytest.mark.parametrize("at", range(len(EXTENDED)))
def test_every_flipped_bit_is_noticed(at: int) -> None:
    damaged = bytearray(EXTENDED)
    damaged[at] ^= 1
    with pytest.raises(TransformError, match=r"^cipher: message authentication failed$"):
        aead.open_extended(SEED, bytes(damaged), KEY)


@pytest.mark.parametrize("size", range(len(EXTENDED)))
def test_every_truncation_is_refused(size: int) -> None:
    with pytest.raises(TransformError):
        aead.open_extended(SEED, EXTENDED[:size], KEY)


@pytest.mark.parametrize(
    ("sealed", "message"),
    [
        (b"", "the stored data was shorter than the required size"),
        (b"x" * 15, "the stored data was shorter than the required size"),
        (b"x" * 17, "the stored data is not a multiple of the block size"),
        (b"x" * 16, "invalid PKCS7 data"),
    ],
)
def test_cbc_tells_what_is_wrong(sealed: bytes, message: str) -> None:
    with pytest.raises(TransformError, match=message):
        aead.open_cbc(SEED, sealed)


def test_short_seeds_and_odd_keys_are_refused() -> None:
    with pytest.raises(TransformError, match="invalid seed length 31 used for key generation"):
        aead.derive_dek(SEED[:31], INFO)
    with pytest.raises(TransformError, match="crypto/aes: invalid key size 31"):
        aead.gcm(SEED[:31])

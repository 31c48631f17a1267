"""RSA and elliptic curves, by KMS's names of algorithms; keys are DER bytes.

Everything here takes a millisecond or more, so the event loop calls it in a thread.
"""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from alibaba_edge.errors import UnopenableError

DIGEST_BYTES = 32
RSA_PADDINGS = ("RSAES_OAEP_SHA_256", "RSAES_OAEP_SHA_1")
RSA_SIGNATURES = ("RSA_PSS_SHA_256", "RSA_PKCS1_SHA_256")
EC_SIGNATURES = ("ECDSA_SHA_256",)

_EXPONENT = 65537
_CURVES: Mapping[str, ec.EllipticCurve] = {"EC_P256": ec.SECP256R1(), "EC_P256K": ec.SECP256K1()}
_SHA256 = Prehashed(hashes.SHA256())

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def new_rsa_key(bits: int) -> bytes:
    """PKCS #8. OpenSSL's own randomness makes it."""
    return _private_bytes(rsa.generate_private_key(_EXPONENT, bits))


def new_ec_key(spec: str) -> bytes:
    """PKCS #8, for EC_P256 and EC_P256K."""
    return _private_bytes(ec.generate_private_key(_CURVES[spec]))


def public_der(private: bytes) -> bytes:
    """SubjectPublicKeyInfo."""
    return _public_bytes(private, serialization.Encoding.DER)


def public_pem(private: bytes) -> str:
    return _public_bytes(private, serialization.Encoding.PEM).decode()


def rsa_public_bits(public: bytes) -> int | None:
    """The size of an RSA public key; None when the bytes are none."""
    try:
        return _load_rsa_public(public).key_size
    except ValueError:
        return None


def longest_plaintext(bits: int, algorithm: str) -> int:
    """RFC 8017, 7.1.1: what fits into one OAEP block, in bytes."""
    return bits // 8 - 2 * (20 if algorithm == "RSAES_OAEP_SHA_1" else 32) - 2


def rsa_encrypt(public: bytes, algorithm: str, plaintext: bytes) -> bytes:
    return _load_rsa_public(public).encrypt(plaintext, _encryption_padding(algorithm))


def rsa_decrypt(private: bytes, algorithm: str, ciphertext: bytes) -> bytes:
    """Raises UnopenableError."""
    key = _load(private)
    try:
        if isinstance(key, rsa.RSAPrivateKey):
            return key.decrypt(ciphertext, _encryption_padding(algorithm))
    except ValueError:
        pass
    raise UnopenableError


def sign(private: bytes, algorithm: str, digest: bytes) -> bytes:
    """Of a SHA-256 digest; ECDSA signatures are DER."""
    key = _load(private)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(digest, _signature_padding(algorithm), _SHA256)
    return key.sign(digest, ec.ECDSA(_SHA256))


def verify(private: bytes, algorithm: str, digest: bytes, *, signature: bytes) -> bool:
    key = _load(private)
    try:
        if isinstance(key, rsa.RSAPrivateKey):
            scheme = _signature_padding(algorithm)
            key.public_key().verify(signature, digest, scheme, _SHA256)
        else:
            key.public_key().verify(signature, digest, ec.ECDSA(_SHA256))
    except InvalidSignature:
        return False
    return True


def _load(private: bytes) -> PrivateKey:
    # We made these keys ourselves; checking their primes again takes longer than using them.
    key = serialization.load_der_private_key(private, None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
        raise TypeError("neither RSA nor an elliptic curve")
    return key


def _load_rsa_public(public: bytes) -> rsa.RSAPublicKey:
    """Raises ValueError."""
    try:
        key = serialization.load_der_public_key(public)
    except Exception as error:  # of many kinds: algorithms, curves and versions nobody knows
        raise ValueError("not a public key") from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("not an RSA key")  # noqa: TRY004 - the bytes are wrong, not their type
    return key


def _private_bytes(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _public_bytes(private: bytes, encoding: serialization.Encoding) -> bytes:
    public = _load(private).public_key()
    return public.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)


def _encryption_padding(algorithm: str) -> padding.AsymmetricPadding:
    if algorithm == "RSAES_PKCS1_V1_5":
        return padding.PKCS1v15()
    sha = hashes.SHA1() if algorithm == "RSAES_OAEP_SHA_1" else hashes.SHA256()  # noqa: S303
    return padding.OAEP(padding.MGF1(sha), sha, label=None)


def _signature_padding(algorithm: str) -> padding.AsymmetricPadding:
    if algorithm == "RSA_PSS_SHA_256":
        return padding.PSS(padding.MGF1(hashes.SHA256()), salt_length=DIGEST_BYTES)
    return padding.PKCS1v15()

"""JSON Web Tokens signed for ServiceAccounts (RFC 7515, 7517, 7518): ES256, or RS256 for RSA keys.

The one module here that signs. A key's id is upstream's: the hash of the public key's DER form.
"""

import base64
import binascii
import hashlib
import hmac
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

_SIDE = 32  # bytes of each half of an ES256 signature, and of a P-256 coordinate
_LONGEST = 16 * 1024
_SHA256 = hashes.SHA256()


class BadTokenError(Exception):
    """A token that this key did not sign."""


class SigningKey:
    """A private key, P-256 or RSA."""

    def __init__(self, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
        if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name != "secp256r1":
            raise ValueError(f"service account keys are P-256 or RSA, not {key.curve.name}")
        self._key = key
        public = key.public_key()
        der = public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.kid = _encode(hashlib.sha256(der).digest())
        self.algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"

    @classmethod
    def generate(cls) -> "SigningKey":
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def load(cls, pem: bytes) -> "SigningKey":
        """Read a private key in PEM; raises ValueError."""
        key = serialization.load_pem_private_key(pem, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise ValueError("service account keys are P-256 or RSA")  # noqa: TRY004 - a file's
        return cls(key)

    def sign(self, claims: dict[str, Any]) -> str:
        """Return the compact form of ``claims``, signed."""
        header = {"alg": self.algorithm, "kid": self.kid}
        signed = f"{_encode(orjson.dumps(header))}.{_encode(orjson.dumps(claims))}"
        if isinstance(self._key, rsa.RSAPrivateKey):
            signature = self._key.sign(signed.encode(), padding.PKCS1v15(), _SHA256)
        else:
            r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(_SHA256)))
            signature = r.to_bytes(_SIDE, "big") + s.to_bytes(_SIDE, "big")
        return f"{signed}.{_encode(signature)}"

    def verify(self, token: str) -> dict[str, Any]:
        """Return the claims of a token that this key signed; raises BadTokenError."""
        signed, _, signature = token.rpartition(".")
        header = _object(signed.partition(".")[0])
        kid = header.get("kid")
        if header.get("alg") != self.algorithm or (
            kid is not None and not hmac.compare_digest(str(kid).encode(), self.kid.encode())
        ):
            raise BadTokenError("unknown key or algorithm")
        raw = _decode(signature)
        try:
            if isinstance(self._key, rsa.RSAPrivateKey):
                public = self._key.public_key()
                public.verify(raw, signed.encode(), padding.PKCS1v15(), _SHA256)
            else:
                if len(raw) != 2 * _SIDE:
                    raise BadTokenError("signature of the wrong size")
                r, s = int.from_bytes(raw[:_SIDE], "big"), int.from_bytes(raw[_SIDE:], "big")
                der = encode_dss_signature(r, s)
                self._key.public_key().verify(der, signed.encode(), ec.ECDSA(_SHA256))
        except InvalidSignature:
            raise BadTokenError("wrong signature") from None
        return claims_of(token)

    def jwk(self) -> dict[str, str]:
        """Return the public key as a JSON Web Key."""
        found = {"use": "sig", "kid": self.kid, "alg": self.algorithm}
        if isinstance(self._key, rsa.RSAPrivateKey):
            numbers = self._key.public_key().public_numbers()
            size = (numbers.n.bit_length() + 7) // 8
            modulus = _encode(numbers.n.to_bytes(size, "big"))
            exponent = _encode(numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big"))
            return {**found, "kty": "RSA", "n": modulus, "e": exponent}
        point = self._key.public_key().public_numbers()
        x, y = (_encode(side.to_bytes(_SIDE, "big")) for side in (point.x, point.y))
        return {**found, "kty": "EC", "crv": "P-256", "x": x, "y": y}


def claims_of(token: str) -> dict[str, Any]:
    """Return what a token claims, unverified; raises BadTokenError."""
    parts = token.split(".")
    if len(parts) != 3 or len(token) > _LONGEST:
        raise BadTokenError("not a signed token")
    return _object(parts[1])


def _object(part: str) -> dict[str, Any]:
    try:
        found = orjson.loads(_decode(part))
    except orjson.JSONDecodeError:
        raise BadTokenError("not a signed token") from None
    if not isinstance(found, dict):
        raise BadTokenError("not a signed token")
    return found


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    """Read base64url in its one canonical form: a token has one spelling (RFC 4648, 3.5)."""
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadTokenError("not base64url") from None
    if _encode(decoded) != text:
        raise BadTokenError("not base64url")
    return decoded

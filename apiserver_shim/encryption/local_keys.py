"""Transformers with keys from the configuration file: ``aesgcm``, ``aescbc``, ``secretbox``."""

from collections.abc import Callable, Mapping, Sequence

from apiserver_shim.encryption import aead
from apiserver_shim.encryption.transformer import PrefixChain, Prefixed

TokenBytes = Callable[[int], bytes]


class AesGcm:
    """AES-GCM bound to the etcd key."""

    def __init__(self, key: bytes, *, token_bytes: TokenBytes) -> None:
        self._cipher = aead.gcm(key)
        self._token_bytes = token_bytes

    async def to_storage(self, data: bytes, authenticated_data: bytes) -> bytes:
        # A random 96-bit nonce: upstream asks operators to rotate the key every 200,000 writes.
        nonce = self._token_bytes(aead.NONCE_SIZE)
        return aead.seal_gcm(self._cipher, data, authenticated_data, nonce=nonce)

    async def from_storage(self, data: bytes, authenticated_data: bytes) -> tuple[bytes, bool]:
        return aead.open_gcm(self._cipher, data, authenticated_data), False


class AesCbc:
    """AES-CBC with PKCS#7, which authenticates nothing: a moved value opens."""

    def __init__(self, key: bytes, *, token_bytes: TokenBytes) -> None:
        self._key = key
        self._token_bytes = token_bytes

    async def to_storage(self, data: bytes, authenticated_data: bytes) -> bytes:  # noqa: ARG002
        return aead.seal_cbc(self._key, data, iv=self._token_bytes(aead.IV_SIZE))

    async def from_storage(
        self,
        data: bytes,
        authenticated_data: bytes,  # noqa: ARG002
    ) -> tuple[bytes, bool]:
        return aead.open_cbc(self._key, data), False


class Secretbox:
    """XSalsa20-Poly1305, not bound to the etcd key: a moved value opens."""

    def __init__(self, key: bytes, *, token_bytes: TokenBytes) -> None:
        self._cipher = aead.secretbox(key)
        self._token_bytes = token_bytes

    async def to_storage(self, data: bytes, authenticated_data: bytes) -> bytes:  # noqa: ARG002
        nonce = self._token_bytes(aead.SECRETBOX_NONCE_SIZE)
        return aead.seal_secretbox(self._cipher, data, nonce=nonce)

    async def from_storage(
        self,
        data: bytes,
        authenticated_data: bytes,  # noqa: ARG002
    ) -> tuple[bytes, bool]:
        return aead.open_secretbox(self._cipher, data), False


_CHAINS: Mapping[str, tuple[type[AesGcm] | type[AesCbc] | type[Secretbox], str]] = {
    "aesgcm": (AesGcm, "AES"),
    "aescbc": (AesCbc, "AES"),
    "secretbox": (Secretbox, "Secretbox"),
}


def key_chain(
    provider: str, keys: Sequence[tuple[str, bytes]], token_bytes: TokenBytes
) -> Prefixed:
    """Chain the keys of one provider, each known by ``NAME:``; the first writes."""
    make, family = _CHAINS[provider]
    links = [
        Prefixed(f"{name}:".encode(), make(secret, token_bytes=token_bytes))
        for name, secret in keys
    ]
    unmatched = f"no matching key was found for the provided {family} transformer"
    return Prefixed(f"k8s:enc:{provider}:v1:".encode(), PrefixChain(links, unmatched=unmatched))

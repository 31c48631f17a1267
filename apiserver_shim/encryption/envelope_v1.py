"""KMS v1: a fresh DEK for every write, wrapped by the plugin and stored before the value.

Layout after the prefix: length of the wrapped DEK as two bytes, the wrapped DEK, nonce, ciphertext,
tag (k8s.io/apiserver storage/value/encrypt/envelope).
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from apiserver_shim.encryption import aead
from apiserver_shim.encryption.single_flight import SingleFlight
from apiserver_shim.encryption.transformer import joined
from apiserver_shim.errors import TransformError
from apiserver_shim.metrics import EnvelopeMetrics, Metrics

TokenBytes = Callable[[int], bytes]

_LENGTH = 2
_LONGEST = 0xFFFF


class KeyWrapper(Protocol):
    """A KMS v1 plugin."""

    async def encrypt(self, plain: bytes) -> bytes:
        """Wrap a DEK; raises TransformError."""

    async def decrypt(self, cipher: bytes) -> bytes:
        """Unwrap a DEK; raises TransformError."""


class DekReader:
    """A DEK that opens stored values. It cannot seal: a DEK is written with only once."""

    __slots__ = ("_cipher", "_key")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._cipher = aead.gcm(key)

    def open(self, sealed: bytes, authenticated_data: bytes) -> tuple[bytes, bool]:
        """Open AES-GCM, else the AES-CBC of Kubernetes before 1.25, which is stale."""
        try:
            return aead.open_gcm(self._cipher, sealed, authenticated_data), False
        except TransformError as gcm_error:
            try:
                return aead.open_cbc(self._key, sealed), True
            except TransformError as cbc_error:
                messages = (gcm_error.message, cbc_error.message)
                raise TransformError(joined(messages)) from None


class EnvelopeV1:
    """Seals under fresh DEKs; keeps the last ``cache_size`` for reading, none if negative."""

    def __init__(
        self,
        wrapper: KeyWrapper,
        *,
        cache_size: int,
        token_bytes: TokenBytes,
        metrics: EnvelopeMetrics | None = None,
    ) -> None:
        self._wrapper = wrapper
        self._metrics = metrics or Metrics().envelope
        self._cache_size = cache_size
        self._token_bytes = token_bytes
        self._readers: OrderedDict[bytes, DekReader] = OrderedDict()
        self._unwrapping = SingleFlight[bytes, DekReader]()

    async def to_storage(self, data: bytes, authenticated_data: bytes) -> bytes:
        self._metrics.arrived("to_storage")
        with self._metrics.key_generations.time():
            dek = self._token_bytes(aead.DEK_SIZE)
        wrapped = await self._wrapper.encrypt(dek)
        if len(wrapped) > _LONGEST:
            raise TransformError(f"encrypted DEK is {len(wrapped)} bytes, more than {_LONGEST}")
        nonce = self._token_bytes(aead.NONCE_SIZE)
        sealed = aead.seal_gcm(aead.gcm(dek), data, authenticated_data, nonce=nonce)
        self._keep(wrapped, DekReader(dek))
        return len(wrapped).to_bytes(_LENGTH, "big") + wrapped + sealed

    async def from_storage(self, data: bytes, authenticated_data: bytes) -> tuple[bytes, bool]:
        self._metrics.arrived("from_storage")
        end = _LENGTH + int.from_bytes(data[:_LENGTH], "big")
        if len(data) < _LENGTH or len(data) < end:
            raise TransformError(
                "invalid data encountered by envelope transformer: "
                "failed to read uint16 length prefixed data"
            )
        wrapped = data[_LENGTH:end]
        reader = self._readers.get(wrapped)
        if reader is None:
            if self._cache_size > 0:
                self._metrics.cache_misses.inc()
            reader = await self._unwrapping.run(wrapped, lambda: self._unwrap(wrapped))
        else:
            self._readers.move_to_end(wrapped)
        return reader.open(data[end:], authenticated_data)

    async def _unwrap(self, wrapped: bytes) -> DekReader:
        reader = DekReader(await self._wrapper.decrypt(wrapped))
        self._keep(wrapped, reader)
        return reader

    def _keep(self, wrapped: bytes, reader: DekReader) -> None:
        if self._cache_size <= 0:
            return
        self._readers[wrapped] = reader
        self._readers.move_to_end(wrapped)
        while len(self._readers) > self._cache_size:
            self._readers.popitem(last=False)
        self._metrics.dek_cache_fill.set(len(self._readers) / self._cache_size)

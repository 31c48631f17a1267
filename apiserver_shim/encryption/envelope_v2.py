"""KMS v2: one seed, wrapped once by the plugin, from which every write derives a key of its own.

Upstream: k8s.io/apiserver storage/value/encrypt/envelope/kmsv2 and server/options/encryptionconfig.
"""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from google.protobuf.message import DecodeError as ProtobufError

from apiserver_shim.encryption import aead, seeds
from apiserver_shim.encryption.elapsed import Elapsed
from apiserver_shim.encryption.runtime import Runtime
from apiserver_shim.encryption.single_flight import SingleFlight
from apiserver_shim.encryption.transformer import joined
from apiserver_shim.errors import TransformError
from kubernetes_kms.v2_pb2 import EncryptedObject

WRITE_TTL = timedelta(minutes=3)
_POLL_HEALTHY = timedelta(seconds=60)
_POLL_UNHEALTHY = timedelta(seconds=10)
_NO_STATE = "got unexpected nil transformer"


class Status(NamedTuple):
    """A plugin's answer to Status."""

    version: str
    healthz: str
    key_id: str


class Wrapped(NamedTuple):
    """A plugin's answer to Encrypt."""

    ciphertext: bytes
    key_id: str
    annotations: Mapping[str, bytes]


class SourceWrapper(Protocol):
    """A KMS v2 plugin; every method raises TransformError."""

    async def status(self) -> Status:
        """Ask for version, health and the key_id in use."""

    async def encrypt(self, plaintext: bytes, *, uid: str) -> Wrapped:
        """Wrap a seed."""

    async def decrypt(self, wrapped: Wrapped, *, uid: str) -> bytes:
        """Unwrap a seed or a DEK."""


@dataclass(frozen=True, slots=True)
class _State:
    """What this process writes with, until ``expires`` unless Status answers again."""

    seed: bytes = field(repr=False)
    wrapped: Wrapped
    expires: datetime
    cache_key: bytes
    reader: seeds.SourceReader


class EnvelopeV2:
    """Seals with the seed in use, opens with any seed the plugin can unwrap.

    The Status poll follows the simulated clock: ``poll_if_due`` is called often in real time and
    decides by ``Elapsed``. When a jump of the clock finds the state expired while a poll is
    overdue, the write polls first: a process that lived through that time would have done so.
    """

    def __init__(self, name: str, wrapper: SourceWrapper, runtime: Runtime) -> None:
        self.name = name
        self._wrapper = wrapper
        self._now = runtime.now
        self._token_bytes = runtime.token_bytes
        self._versions = runtime.version.plugin_versions
        self._metrics = runtime.metrics.envelope
        self._since_poll = Elapsed(runtime.now, runtime.monotonic)
        self._poll_every: timedelta | None = None  # None: never polled
        self._polling = asyncio.Lock()
        self._state: _State | None = None
        self._version = ""
        self._cache = seeds.SourceCache(runtime.now)
        self._unwrapping = SingleFlight[bytes, seeds.SourceReader]()

    async def to_storage(self, data: bytes, authenticated_data: bytes) -> bytes:
        state = await self._writable_state()
        # Renewed on every write, so that the seed in use never drops out of the cache.
        self._keep(state.cache_key, state.reader)
        sealed = aead.seal_extended(
            state.seed,
            data,
            authenticated_data,
            info=self._token_bytes(aead.INFO_SIZE),
            nonce=self._token_bytes(aead.NONCE_SIZE),
        )
        self._metrics.key_id_used("to_storage", self.name, state.wrapped.key_id)
        obj = EncryptedObject(
            encrypted_data=sealed,
            key_id=state.wrapped.key_id,
            encrypted_dek_source=state.wrapped.ciphertext,
            annotations=state.wrapped.annotations,
            encrypted_dek_source_type=seeds.HKDF_SEED,
        )
        return obj.SerializeToString()

    async def from_storage(self, data: bytes, authenticated_data: bytes) -> tuple[bytes, bool]:
        try:
            obj = EncryptedObject.FromString(data)
        except ProtobufError:
            raise TransformError("proto: cannot parse invalid wire-format data") from None
        seeds.validate(obj)
        state = self._state
        if state is None:  # Reading needs a state too, to tell what is stale.
            raise TransformError(_NO_STATE)
        source_type = obj.encrypted_dek_source_type
        key = seeds.cache_key(source_type, obj.encrypted_dek_source, obj.key_id, obj.annotations)
        reader = self._cache.get(key)
        if reader is None:
            self._metrics.cache_misses.inc()
            wrapped = Wrapped(obj.encrypted_dek_source, obj.key_id, obj.annotations)
            reader = await self._unwrapping.run(
                key, lambda: self._unwrap(key, source_type, wrapped)
            )
        self._metrics.key_id_used("from_storage", self.name, obj.key_id)
        plaintext = reader.open(obj.encrypted_data, authenticated_data)
        stale = obj.key_id != state.wrapped.key_id or source_type != seeds.HKDF_SEED
        return plaintext, stale

    async def poll(self) -> None:
        """Ask Status now, and renew or replace the seed; raises TransformError when unhealthy.

        The expiry moves even if the plugin calls itself unhealthy, as long as it names a key_id:
        upstream does that too (kubernetes#138950).
        """
        async with self._polling:
            self._poll_every = _POLL_UNHEALTHY
            self._since_poll.restart()
            status = await self._wrapper.status()
            await self._judge(status)
            self._poll_every = _POLL_HEALTHY

    async def poll_if_due(self) -> None:
        """Poll if 60 s have passed on either clock, 10 s after a failure; never raises."""
        if self._polling.locked() or not self._poll_due():
            return
        try:
            await self.poll()
        except TransformError:
            return

    def _poll_due(self) -> bool:
        return self._poll_every is None or self._since_poll.reached(self._poll_every)

    async def _judge(self, status: Status) -> None:
        faults: list[str] = []
        if status.healthz != "ok":
            faults.append(f"got unexpected healthz status: {status.healthz}")
        if status.version not in self._versions:
            expected = self._versions[0]
            faults.append(f"expected KMSv2 API version {expected}, got {status.version}")
        elif self._version and status.version != self._version:
            faults.append(
                "KMSv2 API version should not change after the initial status response version "
                f"{self._version}, got {status.version}"
            )
        else:
            self._version = status.version
        try:
            seeds.validate_key_id(status.key_id)
        except TransformError as error:
            self._metrics.invalid_key_id(self.name, "too_long" if status.key_id else "empty")
            digest = seeds.key_id_hash(status.key_id)
            faults.append(f'got invalid KMSv2 KeyID hash "{digest}": {error.message}')
        else:
            self._metrics.key_id_of_status(self.name, status.key_id)
            faults += await self._renew(status.key_id)
        if faults:
            raise TransformError(
                f"kmsv2 Provider {self.name} is not healthy, error: {joined(faults)}"
            )

    async def _renew(self, key_id: str) -> list[str]:
        """Move the expiry of the state, or make a new one for a new key_id; return what failed."""
        expires = self._now() + WRITE_TTL  # before the call: the limit is an upper bound
        state = self._state
        if state is not None and state.wrapped.key_id == key_id:
            self._state = replace(state, expires=expires)
            return []
        uid = str(uuid.uuid4())
        with self._metrics.key_generations.time():
            seed = self._token_bytes(aead.SEED_SIZE)
        encrypt_key_id, failure = "", "<nil>"
        try:
            wrapped = await self._wrap(seed, uid)
            encrypt_key_id = wrapped.key_id
            seeds.validate_wrapped(wrapped.ciphertext, wrapped.key_id, wrapped.annotations)
        except TransformError as error:
            failure = error.message
        else:
            if encrypt_key_id == key_id:
                key = seeds.cache_key(seeds.HKDF_SEED, *wrapped)
                self._state = _State(seed, wrapped, expires, key, seeds.SeedReader(seed))
                return []
        hashes = [
            seeds.key_id_hash(one)
            for one in (key_id, encrypt_key_id, state.wrapped.key_id if state else "")
        ]
        return [_rotation_fault(uid, state, failure, hashes)]

    async def _wrap(self, seed: bytes, uid: str) -> Wrapped:
        try:
            return await self._wrapper.encrypt(seed, uid=uid)
        except TransformError as error:
            message = f"failed to encrypt DEK, error: {error.message}"
            raise TransformError(message, code=error.code) from None

    async def _writable_state(self) -> _State:
        state = self._state
        if state is not None and self._now() <= state.expires:
            return state
        if self._polling.locked():
            async with self._polling:  # the poll that this write would otherwise have made
                state = self._state
        elif self._poll_due():
            await self.poll_if_due()
            state = self._state
        if state is None:
            raise TransformError(_NO_STATE)
        now = self._now()
        if now > state.expires:
            raise TransformError(
                f'encryptedDEKSource with keyID hash "{seeds.key_id_hash(state.wrapped.key_id)}" '
                f"expired at {_rfc3339(state.expires)} (current time is {_rfc3339(now)})"
            )
        return state

    async def _unwrap(self, key: bytes, source_type: int, wrapped: Wrapped) -> seeds.SourceReader:
        try:
            plain = await self._wrapper.decrypt(wrapped, uid=str(uuid.uuid4()))
        except TransformError as error:
            message = f"failed to decrypt DEK, error: {error.message}"
            raise TransformError(message, code=error.code) from None
        reader = seeds.source_reader(source_type, plain)
        self._keep(key, reader)
        return reader

    def _keep(self, key: bytes, reader: seeds.SourceReader) -> None:
        before = len(self._cache)
        self._cache.put(key, reader)
        if len(self._cache) != before:
            self._metrics.cached_sources(self.name, len(self._cache))


def _rotation_fault(uid: str, state: _State | None, failure: str, hashes: Sequence[str]) -> str:
    of_status, of_encrypt, of_state = hashes
    return (
        f'failed to rotate DEK uid="{uid}", useSeed=true, '
        f"errState={'<nil>' if state else _NO_STATE}, errGen={failure}, "
        f'statusKeyIDHash="{of_status}", encryptKeyIDHash="{of_encrypt}", '
        f'stateKeyIDHash="{of_state}", '
        f"expirationTimestamp={_rfc3339(state.expires) if state else '0001-01-01T00:00:00Z'}"
    )


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""KMS v2's EncryptedObject, its rules, and the cache of unwrapped DEK sources."""

import hashlib
import re
import struct
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from apiserver_shim.encryption import aead
from apiserver_shim.errors import TransformError
from kubernetes_kms.v2_pb2 import EncryptedObject

AES_GCM_KEY = 0
HKDF_SEED = 1

_LONGEST = 1024  # of key_id and of the wrapped source, in bytes
_LARGEST_ANNOTATIONS = 32 * 1024
_TTL = timedelta(hours=24)
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")


def key_id_hash(key_id: str) -> str:
    """Return how errors and metrics name a key_id."""
    return "sha256:" + hashlib.sha256(key_id.encode()).hexdigest() if key_id else ""


def validate_key_id(key_id: str) -> None:
    """Refuse a key_id that is empty or too long."""
    if not key_id:
        raise TransformError("keyID is empty")
    size = len(key_id.encode())
    if size > _LONGEST:
        raise TransformError(f"keyID is {size} bytes, which exceeds the max size of {_LONGEST}")


def validate(obj: EncryptedObject) -> None:
    """Refuse what upstream refuses, on write as on read."""
    if obj.encrypted_dek_source_type not in {AES_GCM_KEY, HKDF_SEED}:
        raise TransformError(f"unknown encryptedDEKSourceType: {obj.encrypted_dek_source_type}")
    if not obj.encrypted_data:
        raise TransformError("encrypted data is empty")
    validate_wrapped(obj.encrypted_dek_source, obj.key_id, obj.annotations)


def validate_wrapped(source: bytes, key_id: str, annotations: Mapping[str, bytes]) -> None:
    """Refuse a plugin's answer that could not be stored."""
    if not source:
        raise TransformError(
            "failed to validate encrypted DEK source: encrypted DEK source is empty"
        )
    if len(source) > _LONGEST:
        raise TransformError(
            "failed to validate encrypted DEK source: encrypted DEK source is "
            f"{len(source)} bytes, which exceeds the max size of {_LONGEST}"
        )
    try:
        validate_key_id(key_id)
    except TransformError as error:
        raise TransformError(f"failed to validate key id: {error.message}") from None
    if annotations:
        _validate_annotations(annotations)


def _validate_annotations(annotations: Mapping[str, bytes]) -> None:
    total = 0
    for name, value in annotations.items():
        if (fault := _domain_fault(name)) is not None:
            raise TransformError(
                f'failed to validate annotations: annotations: Invalid value: "{name}": {fault}'
            )
        total += len(name.encode()) + len(value)
    if total > _LARGEST_ANNOTATIONS:
        raise TransformError(
            f"failed to validate annotations: total size of annotations is {total}, "
            f"which exceeds the max size of {_LARGEST_ANNOTATIONS}"
        )


def _domain_fault(name: str) -> str | None:
    labels = name.removesuffix(".").split(".")
    if not all(_LABEL.match(label) for label in labels):
        return (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "
            "'-' or '.', and must start and end with an alphanumeric character"
        )
    if len(labels) < 2:
        return "should be a domain with at least two segments separated by dots"
    return None


def cache_key(
    source_type: int, source: bytes, key_id: str, annotations: Mapping[str, bytes]
) -> bytes:
    """Identify a wrapped source by everything the plugin needs to open it, unambiguously."""
    parts = [struct.pack(">I", source_type), _sized(source), _sized(key_id.encode())]
    if annotations:
        parts.append(struct.pack(">I", len(annotations)))
        for name in sorted(annotations):
            parts += (_sized(name.encode()), _sized(annotations[name]))
    return hashlib.sha256(b"".join(parts)).digest()


def _sized(data: bytes) -> bytes:
    return struct.pack(">H", len(data)) + data


class SourceReader(Protocol):
    """What may be done with a DEK source read back from etcd: open, nothing else."""

    def open(self, sealed: bytes, authenticated_data: bytes) -> bytes:
        """Open a value; raises TransformError."""


class SeedReader:
    """Opens values whose keys derive from a seed."""

    __slots__ = ("_seed",)

    def __init__(self, seed: bytes) -> None:
        if len(seed) < aead.SEED_SIZE:
            raise TransformError(f"invalid seed length {len(seed)} used for key generation")
        self._seed = seed

    def open(self, sealed: bytes, authenticated_data: bytes) -> bytes:
        return aead.open_extended(self._seed, sealed, authenticated_data)


class KeyReader:
    """Opens values of Kubernetes 1.25 to 1.28, whose source is the key itself."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = aead.gcm(key)

    def open(self, sealed: bytes, authenticated_data: bytes) -> bytes:
        return aead.open_gcm(self._cipher, sealed, authenticated_data)


def source_reader(source_type: int, plain: bytes) -> SourceReader:
    """Return the reader for an unwrapped source."""
    return SeedReader(plain) if source_type == HKDF_SEED else KeyReader(plain)


@dataclass(slots=True)
class _Entry:
    reader: SourceReader
    expires: datetime


class SourceCache:
    """Readers by cache key. They expire after 24 hours, but answer until the next insertion.

    That is upstream's expiring cache: only an insertion cleans up. So while nothing is written, old
    seeds go on answering for as long as the process lives.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes) -> SourceReader | None:
        """Return a reader, expired or not."""
        entry = self._entries.get(key)
        return None if entry is None else entry.reader

    def put(self, key: bytes, reader: SourceReader) -> None:
        """Insert or renew a reader, and drop what has expired."""
        now = self._now()
        self._entries[key] = _Entry(reader, now + _TTL)
        self._entries.move_to_end(key)
        # Insertion order is expiry order, so the expired stand first.
        while (oldest := next(iter(self._entries.items())))[1].expires <= now:
            del self._entries[oldest[0]]

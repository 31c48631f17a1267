"""Objects in etcd: encode, seal, one transaction; and back (k8s.io/apiserver storage/etcd3)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from apiserver_shim.encryption.transformer import TransformerSet
from apiserver_shim.storage.etcd import EtcdClient

Object = dict[str, Any]
EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]


@dataclass(frozen=True, slots=True)
class Key:
    """Where an object lives; ``namespace`` is None for cluster-scoped ones."""

    resource: str
    namespace: str | None
    name: str

    def path(self, prefix: str) -> str:
        """Return the etcd key, such as ``/registry/secrets/default/app1``."""
        raise NotImplementedError


@dataclass(slots=True)
class StoredObject:
    """An object as read; ``raw`` is its decrypted stored encoding, ``revision`` its mod_revision."""

    obj: Object
    revision: int
    create_revision: int
    stale: bool
    raw: bytes = field(repr=False)


class Page(NamedTuple):
    """One page of a list at ``revision``; ``next_start`` (relative to the prefix) resumes it."""

    items: list[StoredObject]
    revision: int
    next_start: str | None
    remaining: int


class WatchEvent(NamedTuple):
    """A change; ``obj`` of a DELETED carries the delete's revision, a BOOKMARK has no objects."""

    type: EventType
    obj: Object | None
    prev: Object | None
    revision: int


class Store:
    """The objects of one logical cluster below one etcd prefix."""

    def __init__(self, etcd: EtcdClient, *, prefix: str, transformers: TransformerSet) -> None:
        raise NotImplementedError

    async def get(self, key: Key, *, revision: int = 0) -> StoredObject:
        """Read the newest version; raises NotFoundError.

        ``revision`` asks for an answer not older than it, else FutureRevisionError.
        """
        raise NotImplementedError

    async def create(self, key: Key, obj: Object) -> Object:
        """Store a new object; returns it with its resourceVersion; raises AlreadyExistsError."""
        raise NotImplementedError

    async def replace(self, key: Key, obj: Object, *, current: StoredObject) -> Object:
        """Store ``obj`` over ``current``; raises StaleWriteError when that is not the newest.

        Equal bytes that are not stale are not written: same resourceVersion.
        """
        raise NotImplementedError

    async def delete(self, key: Key, *, current: StoredObject) -> int:
        """Remove ``current``; returns the delete's revision; raises StaleWriteError."""
        raise NotImplementedError

    async def list(
        self,
        resource: str,
        namespace: str | None = None,
        *,
        limit: int = 0,
        start: str | None = None,
        revision: int = 0,
    ) -> Page:
        """Read a page, at exactly ``revision`` if given; raises CompactedError, FutureRevisionError."""
        raise NotImplementedError

    async def latest_revision(self, resource: str) -> int:
        """Return the store's newest revision."""
        raise NotImplementedError

    def watch(
        self,
        resource: str,
        namespace: str | None = None,
        *,
        revision: int,
        previous: bool = True,
    ) -> AsyncIterator[WatchEvent]:
        """Yield changes after ``revision`` until closed; raises CompactedError, TransformError.

        Reconnects by itself, losing and repeating nothing. ``previous`` also opens the old object
        of a MODIFIED, for selectors.
        """
        raise NotImplementedError

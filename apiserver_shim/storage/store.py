"""Objects in etcd: encode, seal, one transaction; and back (k8s.io/apiserver storage/etcd3)."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from apiserver_shim.encryption.transformer import TransformerSet
from apiserver_shim.errors import (
    AlreadyExistsError,
    CorruptWatchError,
    DecodeError,
    FutureRevisionError,
    NotFoundError,
    ReadableError,
    ShimError,
    StaleWriteError,
    StorageError,
    TransformError,
)
from apiserver_shim.kubernetes_version import KubernetesVersion
from apiserver_shim.storage import codec, corruption
from apiserver_shim.storage.etcd import EtcdClient, prefix_end
from apiserver_shim.storage.etcd_pb2 import Event, KeyValue
from apiserver_shim.storage.kinds import KINDS
from apiserver_shim.storage.leases import Leases
from apiserver_shim.storage.opening import open_all, open_most
from apiserver_shim.storage.shared_events import SharedEvents
from apiserver_shim.storage.watcher import Watcher

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
        name, namespace = self.name, self.namespace
        if not _is_segment(name) or not (namespace is None or _is_segment(namespace)):
            raise StorageError(f'invalid key: "{namespace or ""}/{name}"')
        if namespace is None:
            return f"{prefix}/{self.resource}/{name}"
        return f"{prefix}/{self.resource}/{namespace}/{name}"


@dataclass(slots=True)
class StoredObject:
    """An object as read; ``raw`` is its encoding, decrypted, and ``revision`` its mod_revision."""

    obj: Object
    revision: int
    create_revision: int
    stale: bool
    raw: bytes = field(repr=False)


Items = list[StoredObject]


class Page(NamedTuple):
    """One page of a list at ``revision``; ``next_start`` (relative to the prefix) resumes it."""

    items: Items
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

    def __init__(
        self,
        etcd: EtcdClient,
        *,
        prefix: str,
        transformers: TransformerSet,
        version: KubernetesVersion | None = None,
    ) -> None:
        """``version`` chooses the words for objects that cannot be read."""
        self._etcd = etcd
        self._leases = Leases(etcd)
        self._version = version or KubernetesVersion()
        self._tells_corrupt = self._version.allows_unsafe_deletion
        self._prefix = "/" + prefix.strip("/")
        self._transformers = transformers
        self._events = SharedEvents[Object]()

    async def get(self, key: Key, *, revision: int = 0) -> StoredObject:
        """Read the newest version; raises NotFoundError.

        ``revision`` asks for an answer not older than it, else FutureRevisionError.
        """
        read = await self._etcd.get(key.path(self._prefix).encode())
        if revision > read.revision:
            raise FutureRevisionError(revision, read.revision)
        if read.kv is None:
            raise NotFoundError(key)
        try:
            return await self._open(key.resource, read.kv)
        except (TransformError, DecodeError) as error:
            if not self._tells_corrupt:
                raise
            raise corruption.corrupt(key.path(""), error, read.kv.mod_revision) from None

    async def create(self, key: Key, obj: Object) -> Object:
        """Store a new object; returns it with its resourceVersion; raises AlreadyExistsError."""
        if obj["metadata"].get("resourceVersion"):
            raise StorageError("resourceVersion should not be set on objects to be created")
        etcd_key = key.path(self._prefix).encode()
        raw, stored = codec.as_stored(obj)
        transformer = self._transformers.for_resource(key.resource)
        value = await transformer.to_storage(raw, etcd_key)
        lease = await self._leases.for_resource(key.resource)
        written = await self._etcd.create(etcd_key, value, lease=lease)
        if not written.succeeded:
            raise AlreadyExistsError(key)
        return _at_revision(stored, written.revision)

    async def replace(self, key: Key, obj: Object, *, current: StoredObject) -> Object:
        """Store ``obj`` over ``current``; raises StaleWriteError when that is not the newest.

        Equal bytes that are not stale are not written: same resourceVersion.
        """
        raw, stored = codec.as_stored(obj)
        if raw == current.raw and not current.stale:
            return _at_revision(stored, current.revision)
        etcd_key = key.path(self._prefix).encode()
        transformer = self._transformers.for_resource(key.resource)
        value = await transformer.to_storage(raw, etcd_key)
        lease = await self._leases.for_resource(key.resource)
        written = await self._etcd.update(etcd_key, value, revision=current.revision, lease=lease)
        if not written.succeeded:
            raise StaleWriteError(key, await self._latest(key.resource, written.kv))
        return _at_revision(stored, written.revision)

    def rehearse(self, obj: Object) -> Object:
        """Return ``obj`` as a write of it would, with its own resourceVersion; writes nothing."""
        _, stored = codec.as_stored(obj)
        version = obj["metadata"].get("resourceVersion")
        return _at_revision(stored, int(version)) if version else stored

    async def delete(self, key: Key, *, current: StoredObject) -> int:
        """Remove ``current``; returns the delete's revision; raises StaleWriteError."""
        etcd_key = key.path(self._prefix).encode()
        deleted = await self._etcd.delete(etcd_key, revision=current.revision)
        if not deleted.succeeded:
            raise StaleWriteError(key, await self._latest(key.resource, deleted.kv))
        return deleted.revision

    async def delete_unreadable(self, key: Key) -> int:
        """Remove an object that cannot be opened or decoded; returns the delete's revision.

        Raises NotFoundError, and ReadableError if it can be read after all.
        """
        etcd_key = key.path(self._prefix).encode()
        kv = (await self._etcd.get(etcd_key)).kv
        while kv is not None:
            try:
                await self._open(key.resource, kv)
            except (TransformError, DecodeError):
                deleted = await self._etcd.delete(etcd_key, revision=kv.mod_revision)
                if deleted.succeeded:
                    return deleted.revision
                kv = deleted.kv  # it has changed, and is judged anew
            else:
                raise ReadableError(key)
        raise NotFoundError(key)

    async def list(
        self,
        resource: str,
        namespace: str | None = None,
        *,
        limit: int = 0,
        start: str | None = None,
        revision: int = 0,
    ) -> Page:
        """Read a page, at exactly ``revision`` if given.

        Raises CompactedError, FutureRevisionError; one object that cannot be opened fails it all.
        """
        _refuse_beyond_int64(revision)
        prefix = self._list_prefix(resource, namespace)
        first = prefix + start.encode() if start else prefix
        found = await self._etcd.list(first, prefix_end(prefix), limit=limit, revision=revision)
        kvs = found.kvs
        items = await self._open_page(resource, kvs)
        remaining = found.total - len(kvs)
        more = remaining > 0 and len(kvs) > 0
        next_start = kvs[-1].key[len(prefix) :].decode() + "\x00" if more else None
        return Page(items, revision or found.revision, next_start, remaining if more else 0)

    async def latest_revision(self, resource: str) -> int:
        """Return the store's newest revision."""
        return (await self._etcd.get(f"{self._prefix}/{resource}".encode())).revision

    async def watch(
        self,
        resource: str,
        namespace: str | None = None,
        *,
        revision: int,
        name: str | None = None,
        previous: bool = True,
    ) -> AsyncGenerator[WatchEvent]:
        """Yield changes after ``revision`` until closed; raises CompactedError, TransformError.

        Reconnects by itself, losing and repeating nothing. ``previous`` also opens the old object
        of a MODIFIED, for selectors. With ``name`` other objects are not opened, and are told as
        BOOKMARKs. Raises StorageUnavailableError if it cannot even begin.
        """
        _refuse_beyond_int64(revision + 1)
        prefix = self._list_prefix(resource, namespace)
        only = None if name is None else prefix + name.encode()
        watcher = Watcher(self._etcd, prefix, revision)
        async with aclosing(watcher.responses()) as responses:
            async for response in responses:
                if not response.events:
                    yield WatchEvent("BOOKMARK", None, None, response.header.revision)
                for event in response.events:
                    if only is not None and event.kv.key != only:
                        yield WatchEvent("BOOKMARK", None, None, event.kv.mod_revision)
                        continue
                    try:
                        yield await self._watch_event(resource, event, previous=previous)
                    except (TransformError, DecodeError) as error:
                        if not self._tells_corrupt or event.type != Event.DELETE:
                            raise
                        revision = event.kv.mod_revision
                        raise corruption.unreadable_delete(resource, error, revision) from None

    async def _watch_event(self, resource: str, event: Event, *, previous: bool) -> WatchEvent:
        kv = event.kv
        revision = kv.mod_revision
        if event.type == Event.DELETE:
            if not event.HasField("prev_kv"):
                key = kv.key.decode(errors="replace")
                raise CorruptWatchError(
                    f"etcd event received with PrevKv=nil (key={key!r}, "
                    f"modRevision={revision}, type=DELETE)"
                )
            prev = await self._open_shared(resource, revision, event.prev_kv)
            return WatchEvent("DELETED", _at_revision(prev, revision), prev, revision)
        obj = await self._open_shared(resource, revision, kv)
        if kv.create_revision == revision:
            return WatchEvent("ADDED", obj, None, revision)
        prev_obj = None
        if previous and event.HasField("prev_kv"):
            prev_obj = await self._open_shared(resource, revision, event.prev_kv)
        return WatchEvent("MODIFIED", obj, prev_obj, revision)

    async def _open_shared(self, resource: str, revision: int, kv: KeyValue) -> Object:
        transformer = self._transformers.for_resource(resource)
        found = self._events.find(revision, kv, transformer)
        if found is None:
            found = (await self._open(resource, kv)).obj
            self._events.keep(revision, kv, transformer, found)
        return found

    async def _open_page(self, resource: str, kvs: Sequence[KeyValue]) -> Items:
        transformer = self._transformers.for_resource(resource)
        if not self._tells_corrupt:
            opened = await open_all(kvs, transformer)
            return [
                self._stored(resource, kv, raw, stale)
                for kv, (raw, stale) in zip(kvs, opened, strict=True)
            ]
        most = corruption.MOST_FAILURES
        opened, unopened = await open_most(kvs, transformer, tolerate=most)
        failures: dict[int, ShimError] = dict(unopened)
        items = []
        for index, (kv, (raw, stale)) in enumerate(zip(kvs, opened, strict=True)):
            if index in failures or len(failures) > most:
                continue
            try:
                items.append(self._stored(resource, kv, raw, stale))
            except DecodeError as error:
                failures[index] = error
        if failures:
            told = self._version.minor >= 37
            raise corruption.unreadable_list(resource, kvs, failures, told=told)
        return items

    def _list_prefix(self, resource: str, namespace: str | None) -> bytes:
        if namespace is None:
            return f"{self._prefix}/{resource}/".encode()
        if not _is_segment(namespace):
            raise StorageError(f'invalid key: "{namespace}"')
        return f"{self._prefix}/{resource}/{namespace}/".encode()

    async def _latest(self, resource: str, kv: KeyValue | None) -> StoredObject | None:
        return None if kv is None else await self._open(resource, kv)

    async def _open(self, resource: str, kv: KeyValue) -> StoredObject:
        transformer = self._transformers.for_resource(resource)
        raw, stale = await transformer.from_storage(kv.value, kv.key)
        return self._stored(resource, kv, raw, stale)

    def _stored(self, resource: str, kv: KeyValue, raw: bytes, stale: bool) -> StoredObject:
        obj = codec.decode(raw, KINDS[resource])
        meta = obj["metadata"]
        name, namespace = meta.get("name", ""), meta.get("namespace")
        place = f"{namespace}/{name}" if namespace else name
        if f"{self._prefix}/{resource}/{place}".encode() != kv.key:
            # whoever believes its name would read, change and delete another object
            raise DecodeError(f'the object under this key is "{place}"')
        meta["resourceVersion"] = str(kv.mod_revision)
        return StoredObject(obj, kv.mod_revision, kv.create_revision, stale, raw)


def _refuse_beyond_int64(revision: int) -> None:
    if revision >= 1 << 63:
        raise FutureRevisionError(revision)


def _is_segment(name: str) -> bool:
    return bool(name) and name not in {".", ".."} and "/" not in name and "%" not in name


def _at_revision(obj: Object, revision: int) -> Object:
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}

"""Create, get, update and delete objects of any kind (k8s.io/apiserver registry/generic).

Every change of a stored object is a guaranteed update: read, change, write if nobody else did,
else again from what they wrote.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from apiserver_shim.errors import (
    AlreadyExistsError,
    NotFoundError,
    StaleWriteError,
    StorageError,
    TooLargeError,
)
from apiserver_shim.objects import managedfields, metadata
from apiserver_shim.objects.admission import NamespaceAdmission
from apiserver_shim.objects.decoding import Change
from apiserver_shim.objects.errors import MODIFIED, ConflictError, GenerateNameError, InvalidError
from apiserver_shim.objects.managedfields import Manager, Writer
from apiserver_shim.objects.running import Run, here
from apiserver_shim.objects.strategy import Strategy
from apiserver_shim.storage.store import Key, Store, StoredObject

Object = dict[str, Any]

Listener = Callable[[str, Object, bool], None]  # resource, object, whether it is gone

_GENERATE_NAME_TRIES = 8


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """What a delete asks for beyond the name; ``unread``: of what cannot be read."""

    uid: str | None = None
    resource_version: str | None = None
    dry_run: bool = False
    unread: bool = False


class Deleted(NamedTuple):
    """The object as last seen, and whether it is gone or only marked."""

    obj: Object
    gone: bool


class Registry:
    """The objects of one logical cluster, with their kinds' rules applied."""

    def __init__(
        self,
        store: Store,
        *,
        admission: NamespaceAdmission,
        now: Callable[[], datetime],
        token_bytes: Callable[[int], bytes],
    ) -> None:
        self.store = store
        self._admission = admission
        self._now = now
        self._token_bytes = token_bytes
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Tell ``listener`` of every write through this registry, once it is done."""
        self._listeners.append(listener)

    def _tell(self, resource: str, obj: Object, *, gone: bool = False) -> None:
        self._admission.observe(resource, obj)
        for listener in self._listeners:
            listener(resource, obj, gone)

    async def get(self, key: Key, *, revision: int = 0) -> Object:
        """Return the object, not older than ``revision``; raises NotFoundError."""
        return (await self.store.get(key, revision=revision)).obj

    async def create(
        self,
        strategy: Strategy,
        namespace: str | None,
        obj: Object,
        *,
        manager: Manager | None = None,
        dry_run: bool = False,
        run: Run = here,
    ) -> Object:
        """Stamp, validate and store a new object; returns it as stored.

        Its fields are ``manager``'s; without one its managedFields are stored as they are.
        """
        meta = obj["metadata"]
        if meta.get("resourceVersion"):
            raise StorageError("resourceVersion should not be set on objects to be created")
        named, base = bool(meta.get("name")), meta.get("generateName", "")
        if not named and base:
            meta["name"] = metadata.generated_name(base, self._token_bytes)
        if namespace is not None:
            await self._admission.admit_create(strategy.resource, namespace, meta.get("name", ""))
        await run(lambda: self._prepare_new(strategy, obj, manager))
        tries = 1 if named else _GENERATE_NAME_TRIES
        for last in (False,) * (tries - 1) + (True,):
            key = Key(strategy.resource, namespace, meta["name"])
            try:
                stored = await self._store_new(key, obj, dry_run=dry_run)
                if not dry_run:
                    self._tell(strategy.resource, stored)
                return stored
            except AlreadyExistsError as error:
                if named:
                    raise await self._explained(error, key) from None
                if last:
                    raise GenerateNameError(strategy.resource, meta["name"]) from None
                meta["name"] = metadata.generated_name(base, self._token_bytes)
        raise AssertionError

    def _prepare_new(self, strategy: Strategy, obj: Object, manager: Manager | None) -> None:
        meta = obj["metadata"]
        metadata.stamp_new(meta, self._now(), self._token_bytes)
        strategy.prepare_for_create(obj)
        if manager is not None:
            writer = Writer(manager, meta["creationTimestamp"])
            managedfields.track_create(
                obj, strategy.topology, writer, server_set=strategy.server_set
            )
        if errors := strategy.validate(obj):
            raise InvalidError(strategy.kind, meta.get("name", ""), errors, group=strategy.group)

    async def _store_new(self, key: Key, obj: Object, *, dry_run: bool) -> Object:
        if not dry_run:
            return await _fitting(obj, partial(self.store.create, key))
        rehearsed = self.store.rehearse(obj)
        try:
            await self.store.get(key)
        except NotFoundError:
            return rehearsed
        raise AlreadyExistsError(key)

    async def _explained(self, error: AlreadyExistsError, key: Key) -> AlreadyExistsError:
        """Say so when the object in the way is only waiting for its finalizers."""
        try:
            current = await self.store.get(key)
        except NotFoundError:
            return error
        if current.obj["metadata"].get("deletionTimestamp"):
            error.message = f"object is being deleted: {error.message}"
        return error

    async def update(  # noqa: PLR0913 - what, how, and on whose behalf
        self,
        strategy: Strategy,
        key: Key,
        change: Callable[[Object], Object],
        *,
        subresource: str = "",
        manager: Manager | None = None,
        dry_run: bool = False,
        run: Run = here,
    ) -> Object:
        """Store what ``change`` makes of the current object, as often as it takes.

        ``change`` must not touch its argument; a resourceVersion in its result is a condition.
        What it changes becomes ``manager``'s; without one it has seen to managedFields itself.
        """
        current = await self.store.get(key)
        while True:
            changed = partial(self._changed, strategy, current, change, subresource, manager)
            new = await run(changed)
            gone = bool(new["metadata"].get("deletionTimestamp")) and strategy.done(new)
            if dry_run:
                return self.store.rehearse(new)
            try:
                if gone:
                    revision = await self.store.delete(key, current=current)
                    new["metadata"]["resourceVersion"] = str(revision)
                    self._tell(strategy.resource, new, gone=True)
                    return new
                replace = partial(self.store.replace, key, current=current)
                stored = await _fitting(new, replace)
            except StaleWriteError as stale:
                current = _latest(stale, key)
                continue
            self._tell(strategy.resource, stored)
            return stored

    async def apply(  # noqa: PLR0913 - as update
        self,
        strategy: Strategy,
        key: Key,
        change: Change,
        *,
        subresource: str = "",
        admit_create: Callable[[], Awaitable[None]] | None = None,
        dry_run: bool = False,
        run: Run = here,
    ) -> tuple[Object, bool]:
        """Make the change of an apply, which also creates; returns (the object, whether new).

        ``admit_create`` may raise when there is nothing yet.
        """
        while True:
            try:
                found = await self.update(
                    strategy, key, change, subresource=subresource, dry_run=dry_run, run=run
                )
                return found, False
            except NotFoundError:
                if subresource:
                    raise
            if admit_create is not None:
                await admit_create()
            place = {"name": key.name} | ({"namespace": key.namespace} if key.namespace else {})
            new = await run(partial(change, {"metadata": place}))
            if uid := new["metadata"].get("uid"):
                detail = f"uid mismatch: the provided object specified uid {uid}, and no existing"
                raise ConflictError(strategy.resource, key.name, f"{detail} object was found")
            try:
                made = await self.create(strategy, key.namespace, new, dry_run=dry_run, run=run)
                return made, True
            except AlreadyExistsError:
                continue  # somebody was faster

    def _changed(
        self,
        strategy: Strategy,
        current: StoredObject,
        change: Change,
        subresource: str,
        manager: Manager | None,
    ) -> Object:
        old = current.obj
        new = change(old)
        # the parts set below must not be shared with the object as read
        new = {**new, "metadata": dict(new["metadata"])}
        meta, name = new["metadata"], old["metadata"]["name"]
        version = meta.get("resourceVersion")
        if version and version != old["metadata"]["resourceVersion"]:
            raise ConflictError(strategy.resource, name, MODIFIED)
        meta["resourceVersion"] = old["metadata"]["resourceVersion"]
        metadata.carry_over(meta, old["metadata"])
        strategy.prepare_for_update(new, old, subresource)
        if errors := strategy.validate_update(new, old):
            raise InvalidError(strategy.kind, name, errors, group=strategy.group)
        if manager is not None:
            writer = Writer(manager, metadata.timestamp(self._now()))
            managedfields.track_update(new, old, strategy.topology, writer)
        return new

    async def delete(self, strategy: Strategy, key: Key, options: DeleteOptions) -> Deleted:
        """Remove the object, or mark it while finalizers hold it."""
        return await self._delete(strategy, key, await self.store.get(key), options)

    async def delete_unread(self, key: Key, *, dry_run: bool = False) -> None:
        """Remove an object that cannot be read; raises ReadableError if it can."""
        if not dry_run:
            revision = await self.store.delete_unreadable(key)
            meta = {"name": key.name, "resourceVersion": str(revision), "deletionTimestamp": "-"}
            if key.namespace is not None:
                meta["namespace"] = key.namespace
            self._tell(key.resource, {"metadata": meta}, gone=True)

    async def delete_found(
        self, strategy: Strategy, found: StoredObject, options: DeleteOptions
    ) -> Deleted | None:
        """Delete an object that a list returned; None when it is already gone."""
        meta = found.obj["metadata"]
        key = Key(strategy.resource, meta.get("namespace"), meta["name"])
        try:
            return await self._delete(strategy, key, found, options)
        except NotFoundError:
            return None

    async def _delete(
        self, strategy: Strategy, key: Key, current: StoredObject, options: DeleteOptions
    ) -> Deleted:
        while True:
            _check_preconditions(strategy, current.obj["metadata"], options)
            strategy.check_delete(current.obj)
            marked = self._marked(strategy, current.obj)
            try:
                if strategy.done(current.obj):
                    if not options.dry_run:
                        revision = await self.store.delete(key, current=current)
                        marked["metadata"]["resourceVersion"] = str(revision)
                        self._tell(strategy.resource, marked, gone=True)
                    return Deleted(marked, gone=True)
                if not options.dry_run:
                    marked = await self.store.replace(key, marked, current=current)
                    self._tell(strategy.resource, marked)
                return Deleted(marked, gone=False)
            except StaleWriteError as stale:
                current = _latest(stale, key)

    def _marked(self, strategy: Strategy, obj: Object) -> Object:
        marked = {**obj, "metadata": dict(obj["metadata"])}
        meta = marked["metadata"]
        if not strategy.done(obj) and not meta.get("deletionTimestamp"):
            meta["deletionTimestamp"] = metadata.timestamp(self._now())
            meta["deletionGracePeriodSeconds"] = 0
            strategy.mark_deleting(marked)
        return marked


async def _fitting(obj: Object, store: Callable[[Object], Awaitable[Object]]) -> Object:
    """Store an object, and if it is too large for etcd, without its managedFields."""
    try:
        return await store(obj)
    except TooLargeError:
        if "managedFields" not in obj["metadata"]:
            raise
    meta = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
    return await store({**obj, "metadata": meta})


def _latest(stale: StaleWriteError, key: Key) -> StoredObject:
    if stale.latest is None:
        raise NotFoundError(key) from None
    latest: StoredObject = stale.latest
    return latest


def _check_preconditions(strategy: Strategy, meta: Object, options: DeleteOptions) -> None:
    uid, version = meta.get("uid", ""), meta.get("resourceVersion", "")
    if options.uid is not None and options.uid != uid:
        raise ConflictError(
            strategy.kind,
            meta["name"],
            f"the UID in the precondition ({options.uid}) does not match the UID in record "
            f"({uid}). The object might have been deleted and then recreated",
        )
    if options.resource_version is not None and options.resource_version != version:
        raise ConflictError(
            strategy.kind,
            meta["name"],
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match "
            f"the ResourceVersion in record ({version}). The object might have been modified",
        )

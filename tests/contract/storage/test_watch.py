"""Watches on a real etcd, through compaction, restarts and loss."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from apiserver_shim.encryption.transformer import Identity, TransformerSet
from apiserver_shim.errors import (
    CompactedError,
    FutureRevisionError,
    StorageUnavailableError,
    TransformError,
)
from apiserver_shim.storage.etcd import EtcdClient
from apiserver_shim.storage.store import Key, Store, WatchEvent
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from tests.contract.storage.conftest import EtcdProcess

MakeSecret = Callable[..., dict[str, Any]]

APP1 = Key("secrets", "default", "app1")


async def take(events: AsyncIterator[WatchEvent], count: int) -> list[WatchEvent]:
    found: list[WatchEvent] = []
    async with asyncio.timeout(PATIENCE):
        async for event in events:
            if event.type != "BOOKMARK":
                found.append(event)
            if len(found) == count:
                break
    return found


async def change(store: Store, obj: dict[str, Any]) -> int:
    replaced = await store.replace(APP1, obj, current=await store.get(APP1))
    return int(replaced["metadata"]["resourceVersion"])


@pytest.fixture
async def own_store(own_etcd: EtcdProcess) -> AsyncGenerator[Store]:
    client = EtcdClient([own_etcd.endpoint], timeout=2)
    yield Store(client, prefix="/registry", transformers=TransformerSet({}))
    await client.close()


async def test_changes_are_told_in_order(store: Store, secret: MakeSecret) -> None:
    start = await store.latest_revision("secrets")
    created = await store.create(APP1, secret(a="MQ=="))
    await change(store, secret(a="Mg=="))
    modified = await store.get(APP1)
    deleted_at = await store.delete(APP1, current=modified)
    async with aclosing(store.watch("secrets", revision=start)) as events:
        added, changed, deleted = await take(events, 3)
    assert added == ("ADDED", created, None, int(created["metadata"]["resourceVersion"]))
    assert changed == ("MODIFIED", modified.obj, created, modified.revision)
    assert (deleted.type, deleted.prev, deleted.revision) == ("DELETED", modified.obj, deleted_at)
    assert deleted.obj is not None
    assert deleted.obj["metadata"]["resourceVersion"] == str(deleted_at)
    assert deleted.obj["data"] == {"a": "Mg=="}


async def test_a_watch_begins_after_its_revision(store: Store, secret: MakeSecret) -> None:
    await store.create(APP1, secret(a="MQ=="))
    revision = await change(store, secret(a="Mg=="))
    async with aclosing(store.watch("secrets", revision=revision)) as events:
        following = asyncio.create_task(take(events, 1))
        await asyncio.sleep(0.2)
        assert not following.done()
        await change(store, secret(a="Mw=="))
        (event,) = await following
    assert event.obj is not None
    assert event.obj["data"] == {"a": "Mw=="}


async def test_a_namespace_is_watched_alone(store: Store, secret: MakeSecret) -> None:
    start = await store.latest_revision("secrets")
    for namespace in ("default-2", "default"):
        await store.create(Key("secrets", namespace, "app1"), secret("app1", namespace))
    async with aclosing(store.watch("secrets", "default", revision=start)) as events:
        (event,) = await take(events, 1)
    assert event.obj is not None
    assert event.obj["metadata"]["namespace"] == "default"


async def test_the_old_object_is_left_out_when_not_asked_for(
    store: Store, secret: MakeSecret
) -> None:
    await store.create(APP1, secret())
    revision = (await store.get(APP1)).revision
    await change(store, secret(a="MQ=="))
    async with aclosing(store.watch("secrets", revision=revision, previous=False)) as events:
        (event,) = await take(events, 1)
    assert (event.type, event.prev) == ("MODIFIED", None)


async def test_a_compacted_revision_cannot_be_watched(
    store: Store, etcd: EtcdClient, secret: MakeSecret
) -> None:
    await store.create(APP1, secret())
    old = (await store.get(APP1)).revision
    for number in ("MQ==", "Mg==", "Mw=="):
        await change(store, secret(a=number))
    await etcd.compact(await store.latest_revision("secrets"))
    with pytest.raises(CompactedError):
        await anext(store.watch("secrets", revision=old))


async def test_a_revision_that_has_not_happened_cannot_be_watched(store: Store) -> None:
    revision = await store.latest_revision("secrets")
    with pytest.raises(FutureRevisionError) as caught:
        await anext(store.watch("secrets", revision=revision + 1000))
    assert caught.value.current >= revision


async def test_an_unreadable_object_ends_the_watch(
    store: Store, etcd: EtcdClient, prefix: str
) -> None:
    start = await store.latest_revision("secrets")
    await etcd.create(f"{prefix}/secrets/default/bad".encode(), b"k8s:enc:kms:v1:gone:x")
    with pytest.raises(TransformError, match="identity transformer tried to read encrypted data"):
        await anext(store.watch("secrets", revision=start))


async def test_a_watch_survives_restarts_of_etcd_without_loss_or_repetition(
    own_etcd: EtcdProcess, own_store: Store, secret: MakeSecret
) -> None:
    await own_store.create(APP1, secret())
    start = (await own_store.get(APP1)).revision
    written: list[int] = []
    async with aclosing(own_store.watch("secrets", revision=start)) as events:
        following = asyncio.create_task(take(events, 30))
        for number in range(30):
            if number in {10, 20}:
                await own_etcd.stop()
                await own_etcd.start()
            written.append(await eventually_change(own_store, secret(a="MDAw" * (number + 1))))
        seen = [event.revision for event in await following]
    assert seen == written


async def eventually_change(store: Store, obj: dict[str, Any]) -> int:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await change(store, obj)
            except StorageUnavailableError:
                await asyncio.sleep(0.05)


async def test_a_watch_resumes_only_where_history_is_kept(
    own_etcd: EtcdProcess, own_store: Store, secret: MakeSecret
) -> None:
    await own_store.create(APP1, secret())
    start = (await own_store.get(APP1)).revision
    events = own_store.watch("secrets", revision=start)
    await change(own_store, secret(a="MQ=="))
    await take(events, 1)
    await own_etcd.stop()
    await own_etcd.start()
    # Written and compacted by another client before this watch is back.
    other = EtcdClient([own_etcd.endpoint])
    meanwhile = Store(other, prefix="/registry", transformers=TransformerSet({}))
    for number in ("Mg==", "Mw==", "NA=="):
        await eventually_change(meanwhile, secret(a=number))
    await other.compact(await meanwhile.latest_revision("secrets"))
    await other.close()
    with pytest.raises(CompactedError) as caught:
        await take(events, 1)
    assert caught.value.revision == start + 1


async def test_an_etcd_that_lost_its_past_ends_the_watch(
    own_etcd: EtcdProcess, own_store: Store, secret: MakeSecret
) -> None:
    await own_store.create(APP1, secret())
    for number in ("MQ==", "Mg==", "Mw=="):
        revision = await change(own_store, secret(a=number))
    events = own_store.watch("secrets", revision=revision - 1)
    await take(events, 1)
    following = asyncio.create_task(take(events, 1))
    await own_etcd.stop()
    own_etcd.forget()
    await own_etcd.start()
    with pytest.raises(CompactedError):
        await following


async def test_a_watch_does_not_begin_without_etcd(own_etcd: EtcdProcess, own_store: Store) -> None:
    await own_etcd.stop()
    with pytest.raises(StorageUnavailableError):
        await anext(own_store.watch("secrets", revision=1))


class CountingIdentity(Identity):
    """Stores plaintext, and counts what it is asked to open."""

    def __init__(self) -> None:
        self.opened = 0

    async def from_storage(self, data: bytes, authenticated_data: bytes) -> tuple[bytes, bool]:
        self.opened += 1
        return await super().from_storage(data, authenticated_data)


async def test_an_event_is_opened_once_however_many_watch(
    own_etcd: EtcdProcess, secret: MakeSecret
) -> None:
    counting = CountingIdentity()
    client = EtcdClient([own_etcd.endpoint])
    transformers = TransformerSet({"secrets": counting})
    store = Store(client, prefix="/shared", transformers=transformers)
    created = await store.create(APP1, secret(a="MQ=="))
    revision = int(created["metadata"]["resourceVersion"])
    changed_at = await change(store, secret(a="Mg=="))
    await store.delete(APP1, current=await store.get(APP1))
    before = counting.opened

    async def watch() -> list[WatchEvent]:
        async with aclosing(store.watch("secrets", revision=revision)) as events:
            return await take(events, 2)

    first, *others = [await watch() for _ in range(3)]
    assert all(other == first for other in others)
    # the new object of the change and its old one, and the deleted one: not the same event's
    assert counting.opened - before == 3

    # another configuration opens for itself
    transformers.swap({"secrets": CountingIdentity()})
    assert await watch() == first
    assert first[0].obj is not None
    assert first[0].obj["metadata"]["resourceVersion"] == str(changed_at)
    await client.close()

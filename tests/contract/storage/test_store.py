"""The store on a real etcd: what is written, what conflicts, what a page holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from apiserver_shim.encryption.transformer import TransformerSet
from apiserver_shim.errors import (
    AlreadyExistsError,
    CompactedError,
    FutureRevisionError,
    NotFoundError,
    ReadableError,
    StaleWriteError,
    StorageError,
    TooLargeError,
)
from apiserver_shim.storage import codec
from apiserver_shim.storage.etcd import EtcdClient
from apiserver_shim.storage.store import Key, Page, Store

MakeSecret = Callable[..., dict[str, Any]]

APP1 = Key("secrets", "default", "app1")


def names(page: Page) -> list[str]:
    return [item.obj["metadata"]["name"] for item in page.items]


async def create(store: Store, obj: dict[str, Any]) -> dict[str, Any]:
    meta = obj["metadata"]
    return await store.create(Key("secrets", meta["namespace"], meta["name"]), obj)


async def test_what_is_created_is_read_at_its_revision(store: Store, secret: MakeSecret) -> None:
    created = await store.create(APP1, secret())
    found = await store.get(APP1)
    assert found.obj == created
    assert created["metadata"]["resourceVersion"] == str(found.revision)
    assert found.create_revision == found.revision
    assert not found.stale
    assert await store.latest_revision("secrets") == found.revision


async def test_etcd_holds_the_encoding_under_the_full_key(
    store: Store, etcd: EtcdClient, prefix: str, secret: MakeSecret
) -> None:
    await store.create(APP1, secret())
    kv = (await etcd.get(f"{prefix}/secrets/default/app1".encode())).kv
    assert kv is not None
    assert kv.value == codec.encode(secret())


async def test_a_key_is_created_once(store: Store, secret: MakeSecret) -> None:
    outcomes = await asyncio.gather(
        *(store.create(APP1, secret()) for _ in range(8)), return_exceptions=True
    )
    failures = [one for one in outcomes if isinstance(one, BaseException)]
    assert len(failures) == 7
    assert all(isinstance(one, AlreadyExistsError) for one in failures)


async def test_a_resource_version_is_not_given_to_a_create(
    store: Store, secret: MakeSecret
) -> None:
    obj = secret()
    obj["metadata"]["resourceVersion"] = "1"
    with pytest.raises(StorageError, match="resourceVersion should not be set on objects to be"):
        await store.create(APP1, obj)


async def test_what_is_absent_is_not_found(store: Store) -> None:
    with pytest.raises(NotFoundError):
        await store.get(APP1)
    with pytest.raises(NotFoundError):
        await store.delete_unreadable(APP1)


async def test_a_get_may_ask_for_a_minimum_revision(store: Store, secret: MakeSecret) -> None:
    created = await store.create(APP1, secret())
    revision = int(created["metadata"]["resourceVersion"])
    assert (await store.get(APP1, revision=revision)).revision == revision
    with pytest.raises(FutureRevisionError) as caught:
        await store.get(APP1, revision=revision + 1000)
    assert caught.value.current >= revision


async def test_a_replace_needs_the_newest_version(store: Store, secret: MakeSecret) -> None:
    await store.create(APP1, secret())
    old = await store.get(APP1)
    replaced = await store.replace(APP1, secret(a="MQ=="), current=old)
    with pytest.raises(StaleWriteError) as caught:
        await store.replace(APP1, secret(a="Mg=="), current=old)
    assert caught.value.latest.obj == replaced
    assert (await store.get(APP1)).obj == replaced
    assert replaced["data"] == {"a": "MQ=="}


async def test_a_replace_or_delete_of_what_is_gone_says_so(
    store: Store, secret: MakeSecret
) -> None:
    await store.create(APP1, secret())
    old = await store.get(APP1)
    revision = await store.delete(APP1, current=old)
    assert revision > old.revision
    for attempt in (
        store.replace(APP1, secret(a="MQ=="), current=old),
        store.delete(APP1, current=old),
    ):
        with pytest.raises(StaleWriteError) as caught:
            await attempt
        assert caught.value.latest is None


async def test_an_equal_object_is_not_written_again(store: Store, secret: MakeSecret) -> None:
    await store.create(APP1, secret())
    current = await store.get(APP1)
    before = await store.latest_revision("secrets")
    assert await store.replace(APP1, current.obj, current=current) == current.obj
    assert await store.latest_revision("secrets") == before


async def test_a_delete_needs_the_newest_version(store: Store, secret: MakeSecret) -> None:
    await store.create(APP1, secret())
    old = await store.get(APP1)
    await store.replace(APP1, secret(a="MQ=="), current=old)
    with pytest.raises(StaleWriteError) as caught:
        await store.delete(APP1, current=old)
    assert caught.value.latest.obj["data"] == {"a": "MQ=="}


async def test_only_what_cannot_be_read_is_deleted_unread(
    store: Store, etcd: EtcdClient, prefix: str, secret: MakeSecret
) -> None:
    await store.create(APP1, secret())
    with pytest.raises(ReadableError):
        await store.delete_unreadable(APP1)
    await etcd.create(f"{prefix}/secrets/default/bad".encode(), b"k8s:enc:kms:v1:gone:x")
    await store.delete_unreadable(Key("secrets", "default", "bad"))
    assert names(await store.list("secrets")) == ["app1"]


async def test_a_list_is_in_order_and_keeps_namespaces_apart(
    store: Store, secret: MakeSecret
) -> None:
    for namespace, name in (("b", "y"), ("a", "x"), ("a-b", "z"), ("a", "w")):
        await create(store, secret(name, namespace))
    assert names(await store.list("secrets")) == ["z", "w", "x", "y"]
    assert names(await store.list("secrets", "a")) == ["w", "x"]
    assert names(await store.list("configmaps")) == []


async def test_stores_do_not_see_each_other(
    store: Store, etcd: EtcdClient, prefix: str, secret: MakeSecret
) -> None:
    other = Store(etcd, prefix=f"{prefix}-2", transformers=TransformerSet({}))
    await other.create(APP1, secret())
    assert names(await store.list("secrets")) == []
    with pytest.raises(NotFoundError):
        await store.get(APP1)


async def test_pages_are_of_one_moment(store: Store, secret: MakeSecret) -> None:
    for number in range(5):
        await create(store, secret(f"s{number}"))
    first = await store.list("secrets", limit=2)
    assert (names(first), first.remaining) == (["s0", "s1"], 3)
    assert first.next_start == "default/s1\x00"
    await store.delete(
        Key("secrets", "default", "s3"), current=await store.get(Key("secrets", "default", "s3"))
    )
    second = await store.list("secrets", limit=2, start=first.next_start, revision=first.revision)
    assert (names(second), second.remaining) == (["s2", "s3"], 1)
    assert second.revision == first.revision
    last = await store.list("secrets", limit=2, start=second.next_start, revision=first.revision)
    assert (names(last), last.next_start, last.remaining) == (["s4"], None, 0)


async def test_pages_of_a_namespace_resume_below_it(store: Store, secret: MakeSecret) -> None:
    for number in range(3):
        await create(store, secret(f"s{number}"))
    page = await store.list("secrets", "default", limit=1)
    assert page.next_start == "s0\x00"
    rest = await store.list("secrets", "default", start=page.next_start)
    assert names(rest) == ["s1", "s2"]


async def test_the_past_may_be_forgotten_and_the_future_is_unknown(
    store: Store, etcd: EtcdClient, secret: MakeSecret
) -> None:
    old = int((await store.create(APP1, secret()))["metadata"]["resourceVersion"])
    await create(store, secret("app2"))
    newest = await store.latest_revision("secrets")
    assert names(await store.list("secrets", revision=old)) == ["app1"]
    await etcd.compact(newest)
    with pytest.raises(CompactedError) as compacted:
        await store.list("secrets", revision=old)
    assert compacted.value.revision == old
    with pytest.raises(FutureRevisionError):
        await store.list("secrets", revision=newest + 1000)


@pytest.mark.parametrize("size", [1_600_000, 3_000_000])
async def test_what_etcd_does_not_take_is_too_large(
    store: Store, secret: MakeSecret, size: int
) -> None:
    with pytest.raises(TooLargeError, match=r"too large|larger than max"):
        await store.create(APP1, secret(a="AAAA" * (size // 3)))


async def test_a_revision_that_no_store_reaches_has_not_happened(store: Store) -> None:
    for revision in ((1 << 63) - 1, 1 << 63, 1 << 64):
        with pytest.raises(FutureRevisionError):
            await store.list("secrets", revision=revision)
        with pytest.raises(FutureRevisionError):
            await anext(store.watch("secrets", revision=revision))


async def test_lists_larger_than_grpcs_default_limit_arrive(
    store: Store, secret: MakeSecret
) -> None:
    for number in range(6):
        await create(store, secret(f"s{number}", a="AAAA" * 333_000))
    assert len((await store.list("secrets")).items) == 6


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a%2fb"])
async def test_names_cannot_lead_elsewhere(store: Store, name: str) -> None:
    with pytest.raises(StorageError, match="invalid key"):
        await store.get(Key("secrets", "default", name))
    with pytest.raises(StorageError, match="invalid key"):
        await store.list("secrets", name)


async def test_cluster_scoped_objects_have_no_namespace(
    store: Store, etcd: EtcdClient, prefix: str
) -> None:
    namespace = {
        "kind": "Namespace",
        "apiVersion": "v1",
        "metadata": {"name": "default"},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }
    await store.create(Key("namespaces", None, "default"), namespace)
    assert (await etcd.get(f"{prefix}/namespaces/default".encode())).kv is not None
    (item,) = (await store.list("namespaces")).items
    assert item.obj["status"] == {"phase": "Active"}


async def test_events_are_stored_under_a_lease(etcd: EtcdClient) -> None:
    store = Store(etcd, prefix="/leased", transformers=TransformerSet({}))
    leases = []
    for name in ("e1", "e2"):
        key = Key("events", "n", name)
        meta = {"name": name, "namespace": "n"}
        await store.create(key, {"kind": "Event", "apiVersion": "v1", "metadata": meta})
        kv = (await etcd.get(key.path("/leased").encode())).kv
        assert kv is not None
        leases.append(kv.lease)
    assert leases[0]
    assert leases[0] == leases[1]

"""Objects that cannot be read, as servers tell of them that may delete them unread."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

from apiserver_shim.encryption.transformer import TransformerSet
from apiserver_shim.errors import (
    CorruptObjectError,
    DecodeError,
    NotFoundError,
    ReadableError,
    StorageReadError,
    TransformError,
)
from apiserver_shim.kubernetes_version import KubernetesVersion
from apiserver_shim.storage.etcd import EtcdClient
from apiserver_shim.storage.store import Key, Store

MakeSecret = Callable[..., dict[str, Any]]

SEALED = b"k8s:enc:kms:v1:gone:x"
INNER = "identity transformer tried to read encrypted data"
NOT_TRANSFORMABLE = f"data from the storage is not transformable revision=0: {INNER}"


def corrupt(key: str, reason: str = NOT_TRANSFORMABLE) -> str:
    return (
        f"StorageError: corrupt object, Code: 7, Key: {key}, ResourceVersion: 0, "
        f"AdditionalErrorMsg: {reason}"
    )


def key(name: str) -> Key:
    return Key("secrets", "default", name)


@pytest.fixture
def telling(etcd: EtcdClient, prefix: str) -> Callable[[int], Store]:
    def make(minor: int) -> Store:
        version = KubernetesVersion(minor, unsafe_deletion=True)
        return Store(etcd, prefix=prefix, transformers=TransformerSet({}), version=version)

    return make


async def put(etcd: EtcdClient, prefix: str, name: str, value: bytes = SEALED) -> int:
    return (await etcd.create(f"{prefix}/secrets/default/{name}".encode(), value)).revision


async def test_a_get_names_the_key_below_the_prefix(
    etcd: EtcdClient, prefix: str, store: Store, telling: Callable[[int], Store]
) -> None:
    await put(etcd, prefix, "sealed")
    revision = await put(etcd, prefix, "garbled", b"k8s\0\xff")
    with pytest.raises(CorruptObjectError) as caught:
        await telling(37).get(key("sealed"))
    assert caught.value.message == corrupt("/secrets/default/sealed")
    with pytest.raises(CorruptObjectError) as caught:
        await telling(37).get(key("garbled"))
    assert f"object not decodable revision={revision}: " in caught.value.message
    # Without the switch, and before there was one, the inner words stand alone.
    with pytest.raises(TransformError) as plain:
        await store.get(key("sealed"))
    assert plain.value.message == INNER
    with pytest.raises(TransformError, match=f"^{INNER}"):
        await telling(31).get(key("sealed"))
    with pytest.raises(DecodeError):
        await store.get(key("garbled"))


@pytest.mark.parametrize("minor", [36, 37])
async def test_a_list_names_every_object_that_it_cannot_read(
    etcd: EtcdClient,
    prefix: str,
    telling: Callable[[int], Store],
    secret: MakeSecret,
    minor: int,
) -> None:
    store = telling(minor)
    await store.create(key("good"), secret("good"))
    await put(etcd, prefix, "bad-1")
    revision = await put(etcd, prefix, "bad-2", b"")
    with pytest.raises(StorageReadError) as caught:
        await store.list("secrets")
    error = caught.value
    paths = [f"{prefix}/secrets/default/bad-{number}" for number in (1, 2)]
    empty = f"object not decodable revision={revision}: empty data"
    messages = [corrupt(paths[0]), corrupt(paths[1], empty)]
    assert error.failures == tuple(zip(paths, messages, strict=True))
    assert (error.resource, error.truncated) == ("secrets", False)
    told = f": {messages[0]} (and 1 more)" if minor == 37 else ""
    assert error.message == f"failed to read one or more secrets from the storage{told}"


async def test_a_list_names_a_hundred_at_most(
    etcd: EtcdClient, prefix: str, telling: Callable[[int], Store]
) -> None:
    for number in range(120):
        await put(etcd, prefix, f"bad-{number:03}")
    with pytest.raises(StorageReadError) as caught:
        await telling(37).list("secrets")
    assert caught.value.truncated
    assert [path[-3:] for path, _ in caught.value.failures] == [f"{n:03}" for n in range(100)]


async def test_a_watch_ends_at_the_end_of_an_unreadable_object(
    etcd: EtcdClient, prefix: str, telling: Callable[[int], Store]
) -> None:
    store = telling(37)
    await put(etcd, prefix, "sealed")
    start = await store.latest_revision("secrets")
    await store.delete_unreadable(key("sealed"))
    async with aclosing(store.watch("secrets", revision=start)) as events:
        with pytest.raises(StorageReadError) as caught:
            await anext(events)
    assert caught.value.message == (
        f"saw a DELETED event, but object data is corrupt - {NOT_TRANSFORMABLE}"
    )


async def test_unread_deletion_judges_what_stands_there_now(
    etcd: EtcdClient,
    prefix: str,
    telling: Callable[[int], Store],
    secret: MakeSecret,
) -> None:
    store = telling(37)
    await store.create(key("good"), secret("good"))
    with pytest.raises(ReadableError):
        await store.delete_unreadable(key("good"))
    with pytest.raises(NotFoundError):
        await store.delete_unreadable(key("gone"))
    revision = await put(etcd, prefix, "sealed")
    assert await store.delete_unreadable(key("sealed")) > revision
    with pytest.raises(NotFoundError):
        await store.get(key("sealed"))
    # A finalizer would not hold it, for nobody can read that it is there.
    await put(etcd, prefix, "garbled", b"k8s\0\xff")
    await store.delete_unreadable(key("garbled"))
    assert [one.obj["metadata"]["name"] for one in (await store.list("secrets")).items] == ["good"]

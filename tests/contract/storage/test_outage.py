"""An etcd that is away, silent, or one of several."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from apiserver_shim.encryption.transformer import TransformerSet
from apiserver_shim.errors import StorageError, StorageUnavailableError
from apiserver_shim.storage.etcd import EtcdClient
from apiserver_shim.storage.store import Key, Store
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from tests.contract.storage.conftest import EtcdProcess, Until

MakeSecret = Callable[..., dict[str, Any]]

APP1 = Key("secrets", "default", "app1")


async def test_a_stopped_etcd_fails_fast_and_is_found_again(
    own_etcd: EtcdProcess, secret: MakeSecret, until: Until
) -> None:
    client = EtcdClient([own_etcd.endpoint])
    store = Store(client, prefix="/registry", transformers=TransformerSet({}))
    await store.create(APP1, secret())
    current = await store.get(APP1)
    await own_etcd.stop()
    attempts: list[Callable[[], Awaitable[object]]] = [
        lambda: store.get(APP1),
        lambda: store.create(APP1, secret()),
        lambda: store.replace(APP1, secret(a="MQ=="), current=current),
        lambda: store.delete(APP1, current=current),
        lambda: store.list("secrets"),
        lambda: store.latest_revision("secrets"),
    ]
    for attempt in attempts:
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(StorageUnavailableError):
                await attempt()
    await own_etcd.start()

    async def found() -> bool:
        try:
            return (await store.get(APP1)).obj == current.obj
        except StorageUnavailableError:
            return False

    await until(found)
    await client.close()


async def test_a_silent_etcd_times_out(own_etcd: EtcdProcess, until: Until) -> None:
    client = EtcdClient([own_etcd.endpoint], timeout=0.5)
    store = Store(client, prefix="/registry", transformers=TransformerSet({}))

    async def connected() -> bool:
        try:
            await store.latest_revision("secrets")
        except StorageUnavailableError:
            return False
        return True

    await until(connected)
    own_etcd.signal(signal.SIGSTOP)
    try:
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(StorageUnavailableError, match="etcdserver: request timed out"):
                await store.get(APP1)
    finally:
        own_etcd.signal(signal.SIGCONT)
    await client.close()


async def test_another_endpoint_takes_over(etcd_process: EtcdProcess, secret: MakeSecret) -> None:
    client = EtcdClient(["http://127.0.0.1:1", etcd_process.endpoint])
    store = Store(client, prefix="/takeover", transformers=TransformerSet({}))
    # A write that never left the first endpoint may go to the second.
    await store.create(APP1, secret())
    assert (await store.get(APP1)).obj["data"] == secret()["data"]
    await client.close()


async def test_a_client_needs_an_endpoint() -> None:
    with pytest.raises(StorageError):
        EtcdClient([])

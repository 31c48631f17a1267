"""Three real etcd members: leaders die under load, and nothing is lost or told twice."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from apiserver_shim.encryption.live import LiveEncryption
from apiserver_shim.encryption.runtime import Runtime
from apiserver_shim.encryption.transformer import TransformerSet
from apiserver_shim.errors import StaleWriteError, StorageUnavailableError
from apiserver_shim.storage.etcd import EtcdClient
from apiserver_shim.storage.store import Key, Store
from tests.contract.storage.conftest import EtcdProcess, make_secret
from tests.contract.storage.test_live import kms
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from tests.contract.storage.conftest import ThirdPartyPlugin, Time

COUNTER = Key("secrets", "default", "counter")


@pytest.fixture
async def members(tmp_path: Path) -> AsyncIterator[list[EtcdProcess]]:
    members = [EtcdProcess(tmp_path / str(number)) for number in range(3)]
    together = ",".join(f"{member.name}={member.peer}" for member in members)
    await asyncio.gather(*(member.start(together) for member in members))
    yield members
    await asyncio.gather(*(member.stop() for member in members))


def counted(number: int) -> dict[str, Any]:
    obj = make_secret("counter")
    obj["metadata"]["labels"] = {"count": str(number)}
    return obj


def count_of(obj: dict[str, Any]) -> int:
    return int(obj["metadata"]["labels"]["count"])


async def increment(store: Store, times: int) -> None:
    """Add one, ``times`` times; a write without an answer is looked up before the next."""
    done = 0
    while done < times:
        try:
            current = await store.get(COUNTER)
            await store.replace(COUNTER, counted(count_of(current.obj) + 1), current=current)
        except StaleWriteError:
            continue
        except StorageUnavailableError:
            await asyncio.sleep(0.05)
            continue
        done += 1


async def follow(store: Store, revision: int, seen: list[tuple[int, int]]) -> None:
    async with aclosing(store.watch("secrets", revision=revision)) as events:
        async for event in events:
            if event.obj is not None:
                seen.append((event.revision, count_of(event.obj)))  # noqa: PERF401 - as it happens


async def leader_of(members: list[EtcdProcess]) -> EtcdProcess:
    for member in members:
        if await member.leads():
            return member
    raise AssertionError("no member leads")


async def settled(store: Store, seen: list[tuple[int, int]]) -> int:
    """Wait until the watch has told the last change; return the counter."""
    last = await store.get(COUNTER)
    async with asyncio.timeout(PATIENCE):
        while not seen or seen[-1][0] < last.revision:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return count_of(last.obj)


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_leader_that_dies_under_load_costs_no_event_and_no_write(
    members: list[EtcdProcess], blow: signal.Signals
) -> None:
    endpoints = [member.endpoint for member in members]
    writing, watching = EtcdClient(endpoints, timeout=2), EtcdClient(endpoints[::-1], timeout=2)
    store = Store(writing, prefix="/registry", transformers=TransformerSet({}))
    other = Store(watching, prefix="/registry", transformers=TransformerSet({}))
    await store.create(COUNTER, counted(0))
    start = (await store.get(COUNTER)).revision
    seen: list[tuple[int, int]] = []
    watch = asyncio.create_task(follow(other, start, seen))
    load = asyncio.gather(*(increment(store, 60) for _ in range(4)))
    async with asyncio.timeout(PATIENCE):
        while not seen:  # noqa: ASYNC110 - a watch that never connected has nothing to resume
            await asyncio.sleep(0.01)
    leader = await leader_of(members)
    leader.signal(blow)
    await load  # writes recover
    if blow is signal.SIGSTOP:
        leader.signal(signal.SIGCONT)
    total = await settled(store, seen)
    watch.cancel()
    # A write whose answer was lost may count besides the 240 that were confirmed.
    assert total >= 240
    assert [count for _, count in seen] == list(range(1, total + 1))
    revisions = [revision for revision, _ in seen]
    assert revisions == sorted(set(revisions))
    assert (writing.resets, watching.resets) == (0, 0)
    await writing.close()
    await watching.close()


async def test_two_servers_on_one_etcd_agree(
    etcd_process: EtcdProcess,
    prefix: str,
    plugin: ThirdPartyPlugin,
    time: Time,
    tmp_path: Path,
) -> None:
    """Each with its own connection, seed and cache; what one writes, the other reads and tells."""
    path = tmp_path / "encryption.yaml"
    path.write_text(kms(plugin.endpoint, "v2"))
    servers = []
    for _ in range(2):
        live = LiveEncryption(path, Runtime(time.now), reload_interval=None)
        await live.start()
        etcd = EtcdClient([etcd_process.endpoint])
        servers.append((live, etcd, Store(etcd, prefix=prefix, transformers=live.transformers)))
    stores = [store for _, _, store in servers]
    await stores[0].create(COUNTER, counted(0))
    start = (await stores[1].get(COUNTER)).revision
    told: list[list[tuple[int, int]]] = [[], []]
    watches = [
        asyncio.create_task(follow(store, start, seen))
        for store, seen in zip(stores, told, strict=True)
    ]
    await asyncio.gather(*(increment(store, 50) for store in stores for _ in range(2)))
    for store, seen in zip(stores, told, strict=True):
        assert await settled(store, seen) == 200
    assert told[0] == told[1]
    assert [count for _, count in told[0]] == list(range(1, 201))
    assert (await stores[0].list("secrets")).items == (await stores[1].list("secrets")).items
    for watch in watches:
        watch.cancel()
    for live, etcd, _ in servers:
        await live.stop()
        await etcd.close()

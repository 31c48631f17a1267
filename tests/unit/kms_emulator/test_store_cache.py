"""The read cache must never serve what a finished write has replaced."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from kms_emulator.errors import StaleWriteError
from kms_emulator.keys import Key, KeyState, PrimaryKeyVersion, Scope
from kms_emulator.store import MemoryKeyStore
from kms_emulator.store_cache import CachingKeyStore

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SCOPE = Scope("1", "cn-hangzhou")
KEY = Key(
    scope=SCOPE,
    id="k1",
    created_at=NOW,
    primary=PrimaryKeyVersion("v1", NOW, bytes(32)),
    creator="1",
)
DISABLED = replace(KEY, state=KeyState.DISABLED, revision=2)


class SlowStore(MemoryKeyStore):
    """A real store whose reads return what they saw only when told to, and which counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.deliver = asyncio.Event()
        self.deliver.set()
        self.commit = asyncio.Event()
        self.commit.set()
        self.committed = asyncio.Event()

    async def get(self, scope: Scope, key_id: str) -> Key | None:
        self.reads += 1
        seen = await super().get(scope, key_id)
        await self.deliver.wait()
        return seen

    async def replace(self, key: Key) -> None:
        await self.commit.wait()
        await super().replace(key)
        self.committed.set()


@pytest.fixture
async def inner() -> SlowStore:
    store = SlowStore()
    await store.add(KEY)
    return store


async def test_a_key_is_read_once(inner: SlowStore) -> None:
    cache = CachingKeyStore(inner)
    for _ in range(3):
        assert await cache.get(SCOPE, "k1") == KEY
    assert inner.reads == 1


async def test_what_does_not_exist_is_asked_for_again(inner: SlowStore) -> None:
    cache = CachingKeyStore(inner)
    assert await cache.get(SCOPE, "k2") is None
    await cache.add(replace(KEY, id="k2", primary=replace(KEY.primary, id="v2")))
    assert await cache.get(SCOPE, "k2") is not None


async def test_a_read_that_a_write_overtook_is_not_kept(inner: SlowStore) -> None:
    cache = CachingKeyStore(inner)
    inner.deliver.clear()
    reading = asyncio.create_task(cache.get(SCOPE, "k1"))
    await asyncio.sleep(0)
    await cache.replace(DISABLED)
    inner.deliver.set()
    assert await reading == KEY  # it began before the write did
    assert await cache.get(SCOPE, "k1") == DISABLED


async def test_a_read_during_a_write_is_not_kept_even_if_the_writer_gave_up(
    inner: SlowStore,
) -> None:
    cache = CachingKeyStore(inner)
    inner.commit.clear()
    writing = asyncio.create_task(cache.replace(DISABLED))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await cache.get(SCOPE, "k1") == KEY
    inner.commit.set()
    await inner.committed.wait()
    await asyncio.sleep(0)
    assert await cache.get(SCOPE, "k1") == DISABLED


async def test_a_failed_write_forgets_too(inner: SlowStore) -> None:
    cache = CachingKeyStore(inner)
    await cache.get(SCOPE, "k1")
    await inner.replace(DISABLED)
    with pytest.raises(StaleWriteError):
        await cache.replace(DISABLED)
    assert await cache.get(SCOPE, "k1") == DISABLED


async def test_looking_for_keys_to_erase_keeps_the_memory(inner: SlowStore) -> None:
    cache = CachingKeyStore(inner)
    await cache.get(SCOPE, "k1")
    assert await cache.erase_due(NOW) == 0
    await cache.get(SCOPE, "k1")
    assert inner.reads == 1


async def test_ten_thousand_keys_in_turn_are_all_remembered() -> None:
    inner = SlowStore()
    names = [f"k{number}" for number in range(10_000)]
    for name in names:
        await inner.add(replace(KEY, id=name, primary=replace(KEY.primary, id=name)))
    cache = CachingKeyStore(inner)
    for _ in range(2):
        for name in names:
            await cache.get(SCOPE, name)
    assert inner.reads == len(names)

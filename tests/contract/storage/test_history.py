"""Clients at random on one store: what the watch tells is what happened, at every revision."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

from apiserver_shim.encryption.transformer import TransformerSet
from apiserver_shim.errors import AlreadyExistsError, NotFoundError, StaleWriteError
from apiserver_shim.storage.etcd import EtcdClient
from apiserver_shim.storage.store import Key, Store, StoredObject, WatchEvent
from tests.patience import PATIENCE

MakeSecret = Callable[..., dict[str, Any]]

NAMES = ("a", "b", "c", "d")
CLIENTS, STEPS = 4, 60

State = dict[str, dict[str, Any]]


class Client:
    """Does what chance says, and remembers which of its writes were confirmed."""

    def __init__(self, store: Store, secret: MakeSecret, chance: random.Random) -> None:
        self._store = store
        self._secret = secret
        self._chance = chance
        self._old: dict[str, StoredObject] = {}
        self.confirmed: list[tuple[str, int]] = []

    async def run(self) -> None:
        for _ in range(STEPS):
            name = self._chance.choice(NAMES)
            act = self._chance.choice((self._create, self._replace, self._delete, self._remember))
            try:
                await act(name, Key("secrets", "default", name))
            except AlreadyExistsError:
                assert act == self._create
            except NotFoundError:
                assert act != self._create
            except StaleWriteError as error:
                stale = self._old.pop(name)
                if error.latest is not None:
                    assert error.latest.revision > stale.revision  # noqa: PT017 - one of many

    def _value(self) -> str:
        return "QUFB" * self._chance.randint(0, 3)

    async def _create(self, name: str, key: Key) -> None:
        created = await self._store.create(key, self._secret(name, data=self._value()))
        self.confirmed.append(("ADDED", int(created["metadata"]["resourceVersion"])))

    async def _remember(self, name: str, key: Key) -> None:
        self._old[name] = await self._store.get(key)

    async def _current(self, name: str, key: Key) -> StoredObject:
        """What was remembered, fresh or stale, else what is there."""
        if name not in self._old:
            await self._remember(name, key)
        return self._old[name]

    async def _replace(self, name: str, key: Key) -> None:
        current = await self._current(name, key)
        obj = self._secret(name, data=self._value())
        written = await self._store.replace(key, obj, current=current)
        revision = int(written["metadata"]["resourceVersion"])
        if revision != current.revision:
            self.confirmed.append(("MODIFIED", revision))
            del self._old[name]

    async def _delete(self, name: str, key: Key) -> None:
        current = await self._current(name, key)
        revision = await self._store.delete(key, current=current)
        self.confirmed.append(("DELETED", revision))
        del self._old[name]


def replay(events: list[WatchEvent], revision: int) -> State:
    state: State = {}
    for event in events:
        if event.revision > revision:
            break
        assert event.obj is not None
        name = event.obj["metadata"]["name"]
        assert (name in state) == (event.type != "ADDED")
        assert event.prev is None or event.prev == state[name]
        if event.type == "DELETED":
            del state[name]
        else:
            state[name] = event.obj
    return state


@pytest.mark.parametrize("seed", range(5))
async def test_watch_lists_and_answers_tell_one_history(
    etcd: EtcdClient, prefix: str, secret: MakeSecret, seed: int
) -> None:
    store = Store(etcd, prefix=prefix, transformers=TransformerSet({}))
    begin = await store.latest_revision("secrets")
    clients = [Client(store, secret, random.Random(seed * 100 + n)) for n in range(CLIENTS)]
    events: list[WatchEvent] = []

    async def follow() -> None:
        async with aclosing(store.watch("secrets", revision=begin)) as told:
            async for event in told:
                if event.type != "BOOKMARK":
                    events.append(event)  # noqa: PERF401 - as it happens

    watching = asyncio.create_task(follow())
    await asyncio.gather(*(client.run() for client in clients))
    confirmed = sorted(
        ((kind, revision) for client in clients for kind, revision in client.confirmed),
        key=lambda one: one[1],
    )
    async with asyncio.timeout(PATIENCE):
        while len(events) < len(confirmed):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    watching.cancel()
    # Every confirmed write was told once, as what it was and in its place, and nothing else.
    assert [(event.type, event.revision) for event in events] == confirmed
    assert len(confirmed) > STEPS // 2
    for revision in [begin, *(event.revision for event in events)]:
        page = await store.list("secrets", revision=revision)
        listed = {item.obj["metadata"]["name"]: item.obj for item in page.items}
        assert listed == replay(events, revision)
    # A watch from the middle tells the rest.
    middle = events[len(events) // 2]
    async with aclosing(store.watch("secrets", revision=middle.revision)) as told:
        again = [await anext(told) for _ in events[len(events) // 2 + 1 :]]
    assert again == events[len(events) // 2 + 1 :]

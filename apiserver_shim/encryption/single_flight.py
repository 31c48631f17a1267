"""One running call a key, however many wait for its answer."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """Joins concurrent calls with one key; a caller that gives up does not end it for others."""

    def __init__(self) -> None:
        self._running: dict[K, asyncio.Task[V]] = {}

    async def run(self, key: K, call: Callable[[], Awaitable[V]]) -> V:
        """Return what ``call`` returns, or what the call already running for ``key`` does."""
        task = self._running.get(key)
        if task is None:
            task = asyncio.create_task(_await(call))
            self._running[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(task)

    def _forget(self, key: K, task: asyncio.Task[V]) -> None:
        del self._running[key]
        if not task.cancelled():
            task.exception()  # nobody may be left to ask for it


async def _await(call: Callable[[], Awaitable[V]]) -> V:
    return await call()

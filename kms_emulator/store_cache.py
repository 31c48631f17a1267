"""A read cache round a store that has no other writer: SQLite in one process.

Encrypt and Decrypt then touch no SQL. A store that several processes share (PostgreSQL) is used
bare, and reads its database every time.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from kms_emulator.keys import Alias, Key, Page, Scope
from kms_emulator.store import KeyStore

T = TypeVar("T")

_CAPACITY = 40_000


class CachingKeyStore:
    """KeyStore that remembers single lookups, and forgets all of them at every write.

    Writes are rare (an operator's hand) and lookups are not (every Secret), so the simplest rule
    that cannot serve a stale key is the right one.
    """

    def __init__(self, inner: KeyStore) -> None:
        self._inner = inner
        self._found: OrderedDict[Hashable, Any] = OrderedDict()
        self._changes = 0
        self._writes: set[asyncio.Task[Any]] = set()

    async def get(self, scope: Scope, key_id: str) -> Key | None:
        return await self._look(("key", scope, key_id), lambda: self._inner.get(scope, key_id))

    async def find_version(self, scope: Scope, version_id: str) -> Key | None:
        place = ("version", scope, version_id)
        return await self._look(place, lambda: self._inner.find_version(scope, version_id))

    async def alias(self, scope: Scope, name: str) -> Alias | None:
        return await self._look(("alias", scope, name), lambda: self._inner.alias(scope, name))

    async def list_keys(self, scope: Scope, *, offset: int, limit: int) -> Page[Key]:
        return await self._inner.list_keys(scope, offset=offset, limit=limit)

    async def list_aliases(
        self, scope: Scope, *, key_id: str | None = None, offset: int, limit: int
    ) -> Page[Alias]:
        return await self._inner.list_aliases(scope, key_id=key_id, offset=offset, limit=limit)

    async def shared_by(self, region: str, version_id: str) -> tuple[Key, ...]:
        return await self._inner.shared_by(region, version_id)

    async def changing_by(self, now: datetime) -> tuple[Key, ...]:
        return await self._inner.changing_by(now)

    async def scopes(self) -> tuple[Scope, ...]:
        return await self._inner.scopes()

    async def add(self, key: Key) -> None:
        await self._write(self._inner.add(key))

    async def replace(self, key: Key) -> None:
        await self._write(self._inner.replace(key))

    async def erase_due(self, now: datetime) -> int:
        return await self._write(self._inner.erase_due(now))

    async def add_alias(self, alias: Alias) -> None:
        await self._write(self._inner.add_alias(alias))

    async def replace_alias(self, alias: Alias) -> None:
        await self._write(self._inner.replace_alias(alias))

    async def remove_alias(self, alias: Alias) -> None:
        await self._write(self._inner.remove_alias(alias))

    async def close(self) -> None:
        await self._inner.close()

    async def _look(self, place: Hashable, load: Callable[[], Awaitable[T | None]]) -> T | None:
        known: T | None = self._found.get(place)
        if known is not None:
            self._found.move_to_end(place)
            return known
        changes = self._changes
        found = await load()
        # What was read while a write ended may be the value before it; what is read before that
        # is cleared when it ends.
        if found is not None and changes == self._changes:
            self._found[place] = found
            if len(self._found) > _CAPACITY:
                self._found.popitem(last=False)
        return found

    async def _write(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a write to its end even if the caller gives up, so that nothing stale is kept."""
        task = asyncio.get_running_loop().create_task(self._settle(work))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return await asyncio.shield(task)

    async def _settle(self, work: Coroutine[Any, Any, T]) -> T:
        result: T | None = None
        try:
            result = await work
            return result
        finally:
            if result != 0:  # an erase_due that found nothing changed nothing
                self._changes += 1
                self._found.clear()


if TYPE_CHECKING:
    _: type[KeyStore] = CachingKeyStore

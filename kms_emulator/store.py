"""Where keys live: a small protocol, and a store in memory that is a real one.

Rules (states, windows, names) stand above this line; a store only finds, writes conditionally and
forgets. Nothing in the protocol promises a cache: a store shared by several processes reads its
database every time.
"""

from __future__ import annotations

from bisect import insort
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from kms_emulator.errors import AliasExistsError, KeyExistsError, KeyNotFoundError, StaleWriteError
from kms_emulator.keys import Alias, Key, Page, Scope


class KeyStore(Protocol):
    """Everything the KMS remembers. Writes are durable when they return."""

    async def get(self, scope: Scope, key_id: str) -> Key | None: ...

    async def find_version(self, scope: Scope, version_id: str) -> Key | None:
        """The key that has this version."""

    async def shared_by(self, region: str, version_id: str) -> tuple[Key, ...]:
        """The keys of any account that have this version and a policy of their own."""

    async def list_keys(self, scope: Scope, *, offset: int, limit: int) -> Page[Key]:
        """Oldest first."""

    async def scopes(self) -> tuple[Scope, ...]:
        """Wherever there is a key, in order."""

    async def add(self, key: Key) -> None:
        """Raises KeyExistsError when the id is taken."""

    async def replace(self, key: Key) -> None:
        """Write over revision `key.revision - 1`. Raises StaleWriteError if that is not stored."""

    async def erase_due(self, now: datetime) -> int:
        """Forget keys past their deletion date, material and aliases too. Returns how many."""

    async def changing_by(self, now: datetime) -> tuple[Key, ...]:
        """The keys that time has changed, or will have by then (`Key.changes_at`)."""

    async def alias(self, scope: Scope, name: str) -> Alias | None: ...

    async def list_aliases(
        self, scope: Scope, *, key_id: str | None = None, offset: int, limit: int
    ) -> Page[Alias]:
        """By name; those of one key, or all."""

    async def add_alias(self, alias: Alias) -> None:
        """Raises AliasExistsError, or KeyNotFoundError when the key is gone by now."""

    async def replace_alias(self, alias: Alias) -> None:
        """Point an existing name elsewhere. Raises StaleWriteError when there is no such name."""

    async def remove_alias(self, alias: Alias) -> None:
        """Raises StaleWriteError when there is no such name."""

    async def close(self) -> None: ...


class MemoryKeyStore:
    """A world that ends with the process. Single-threaded: the event loop is its lock."""

    def __init__(self) -> None:
        self._keys: dict[tuple[Scope, str], Key] = {}
        self._versions: dict[tuple[Scope, str], str] = {}
        self._order: dict[Scope, list[tuple[datetime, str]]] = {}
        self._aliases: dict[Scope, dict[str, Alias]] = {}
        self._due: dict[tuple[Scope, str], datetime] = {}
        self._changing: dict[tuple[Scope, str], datetime] = {}

    async def get(self, scope: Scope, key_id: str) -> Key | None:
        return self._keys.get((scope, key_id))

    async def find_version(self, scope: Scope, version_id: str) -> Key | None:
        key_id = self._versions.get((scope, version_id))
        return self._keys.get((scope, key_id)) if key_id else None

    async def shared_by(self, region: str, version_id: str) -> tuple[Key, ...]:
        found = [await self.find_version(s, version_id) for s in self._order if s.region == region]
        return tuple(key for key in found if key and key.policy)

    async def list_keys(self, scope: Scope, *, offset: int, limit: int) -> Page[Key]:
        order = self._order.get(scope, [])
        items = tuple(self._keys[scope, key_id] for _, key_id in order[offset : offset + limit])
        return Page(items, len(order))

    async def scopes(self) -> tuple[Scope, ...]:
        return tuple(sorted(scope for scope, order in self._order.items() if order))

    async def add(self, key: Key) -> None:
        if (key.scope, key.id) in self._keys:
            raise KeyExistsError
        insort(self._order.setdefault(key.scope, []), (key.created_at, key.id))
        self._put(key)

    async def replace(self, key: Key) -> None:
        stored = self._keys.get((key.scope, key.id))
        if stored is None or stored.revision != key.revision - 1:
            raise StaleWriteError
        self._put(key)

    async def erase_due(self, now: datetime) -> int:
        due = [place for place, delete_at in self._due.items() if delete_at <= now]
        for place in due:
            self._forget(self._keys[place])
        return len(due)

    async def changing_by(self, now: datetime) -> tuple[Key, ...]:
        return tuple(self._keys[place] for place, at in self._changing.items() if at <= now)

    async def alias(self, scope: Scope, name: str) -> Alias | None:
        return self._aliases.get(scope, {}).get(name)

    async def list_aliases(
        self, scope: Scope, *, key_id: str | None = None, offset: int, limit: int
    ) -> Page[Alias]:
        found = sorted(
            (a for a in self._aliases.get(scope, {}).values() if key_id in (None, a.key_id)),
            key=lambda alias: alias.name,
        )
        return Page(tuple(found[offset : offset + limit]), len(found))

    async def add_alias(self, alias: Alias) -> None:
        names = self._aliases.setdefault(alias.scope, {})
        if alias.name in names:
            raise AliasExistsError
        self._require_key(alias)
        names[alias.name] = alias

    async def replace_alias(self, alias: Alias) -> None:
        names = self._aliases.get(alias.scope, {})
        if alias.name not in names:
            raise StaleWriteError
        self._require_key(alias)
        names[alias.name] = alias

    async def remove_alias(self, alias: Alias) -> None:
        if self._aliases.get(alias.scope, {}).pop(alias.name, None) is None:
            raise StaleWriteError

    async def close(self) -> None:
        """Nothing to give back."""

    def _require_key(self, alias: Alias) -> None:
        if (alias.scope, alias.key_id) not in self._keys:
            raise KeyNotFoundError

    def _put(self, key: Key) -> None:
        place = (key.scope, key.id)
        self._keys[place] = key
        for version in key.versions:
            self._versions[key.scope, version.id] = key.id
        for dates, at in ((self._due, key.delete_at), (self._changing, key.changes_at)):
            if at is None:
                dates.pop(place, None)
            else:
                dates[place] = at

    def _forget(self, key: Key) -> None:
        place = (key.scope, key.id)
        del self._keys[place], self._due[place]
        self._changing.pop(place, None)
        self._order[key.scope].remove((key.created_at, key.id))
        for version in key.versions:
            del self._versions[key.scope, version.id]
        names = self._aliases.get(key.scope, {})
        for name in [alias.name for alias in names.values() if alias.key_id == key.id]:
            del names[name]


if TYPE_CHECKING:
    _: KeyStore = MemoryKeyStore()

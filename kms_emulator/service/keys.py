"""Keys: create, find by any of their names, list, and move through their states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from kms_emulator.crypto import KEY_BYTES
from kms_emulator.errors import (
    AliasNotFoundError,
    AliasUnsupportedError,
    KeyNotFoundError,
    KeyVersionNotFoundError,
    StaleWriteError,
)
from kms_emulator.keys import (
    Key,
    KeyVersion,
    Page,
    PrimaryKeyVersion,
    Scope,
    advance,
)
from kms_emulator.ports import Clock
from kms_emulator.store import KeyStore

ALIAS_PREFIX = "alias/"


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a caller may choose about a key."""

    description: str = ""
    protection_level: str = "SOFTWARE"


class Keys:
    """The keys of every account and region, on the simulated clock."""

    def __init__(self, store: KeyStore, *, now: Clock, token_bytes: Callable[[int], bytes]) -> None:
        self._store = store
        self._now = now
        self._token_bytes = token_bytes

    async def create(self, scope: Scope, new: NewKey) -> Key:
        now = self._now()
        key = Key(
            scope=scope,
            id=self._uuid(),
            created_at=now,
            primary=PrimaryKeyVersion(self._uuid(), now, self._token_bytes(KEY_BYTES)),
            creator=scope.account_id,
            description=new.description,
            protection_level=new.protection_level,
        )
        await self._store.add(key)
        return key

    async def find(self, scope: Scope, key_id: str, *, alias: bool = True) -> Key:
        """By key id, ARN, or (where the operation takes one) alias.

        Raises KeyNotFoundError, AliasNotFoundError, AliasUnsupportedError. An ARN of another
        account or region finds nothing: default keys have no key policy to share them with.
        """
        if key_id.startswith(ALIAS_PREFIX):
            if not alias:
                raise AliasUnsupportedError
            named = await self._store.alias(scope, key_id)
            if named is None:
                raise AliasNotFoundError
            key_id = named.key_id
        else:
            key_id = key_id.removeprefix(f"acs:kms:{scope.region}:{scope.account_id}:key/")
        return await self._living(await self._store.get(scope, key_id))

    async def find_version(self, scope: Scope, version_id: str) -> Key:
        """The key a ciphertext names by its key version. Raises KeyNotFoundError."""
        return await self._living(await self._store.find_version(scope, version_id))

    async def list(self, scope: Scope, *, page: int, size: int) -> Page[Key]:
        """Oldest first; `page` counts from 1."""
        await self.erase_due()
        return await self._store.list_keys(scope, offset=(page - 1) * size, limit=size)

    async def enable(self, key: Key) -> None:
        await self._change(key, lambda k: replace(k, state=advance("EnableKey", k.state)))

    async def disable(self, key: Key) -> None:
        await self._change(key, lambda k: replace(k, state=advance("DisableKey", k.state)))

    async def schedule_deletion(self, key: Key, *, days: int) -> None:
        """After `days` on the simulated clock the key and all it ever sealed are lost."""
        delete_at = self._now() + timedelta(days=days)

        def schedule(current: Key) -> Key:
            state = advance("ScheduleKeyDeletion", current.state)
            return replace(current, state=state, delete_at=delete_at)

        await self._change(key, schedule)

    async def cancel_deletion(self, key: Key) -> None:
        def cancel(current: Key) -> Key:
            state = advance("CancelKeyDeletion", current.state)
            return replace(current, state=state, delete_at=None)

        await self._change(key, cancel)

    async def describe_as(self, key: Key, description: str) -> None:
        def describe(current: Key) -> Key:
            advance("UpdateKeyDescription", current.state)
            return replace(current, description=description)

        await self._change(key, describe)

    def version(self, key: Key, version_id: str) -> KeyVersion:
        version = key.version(version_id)
        if version is None:
            raise KeyVersionNotFoundError
        return version

    async def erase_due(self) -> int:
        """Forget, material and all, every key whose deletion date has passed."""
        return await self._store.erase_due(self._now())

    async def _living(self, key: Key | None) -> Key:
        if key is None:
            raise KeyNotFoundError
        if key.gone(self._now()):
            await self.erase_due()
            raise KeyNotFoundError
        return key

    async def _change(self, key: Key, change: Callable[[Key], Key]) -> None:
        """Apply `change` to the stored key, again if someone else wrote in between."""
        while True:
            changed = replace(change(key), revision=key.revision + 1)
            try:
                await self._store.replace(changed)
            except StaleWriteError:
                key = await self._living(await self._store.get(key.scope, key.id))
            else:
                return

    def _uuid(self) -> str:
        return str(UUID(bytes=self._token_bytes(16), version=4))

"""Aliases: names that can be pointed at another key without touching either."""

from __future__ import annotations

from dataclasses import replace

from kms_emulator.errors import (
    AliasAlreadyExistsError,
    AliasExistsError,
    AliasNotFoundError,
    StaleWriteError,
)
from kms_emulator.keys import Alias, Key, Page, Scope
from kms_emulator.service.keys import Keys
from kms_emulator.service.limits import ResourceLimits
from kms_emulator.states import advance
from kms_emulator.store import KeyStore


class Aliases:
    """The aliases of every account and region."""

    def __init__(self, store: KeyStore, keys: Keys, limits: ResourceLimits) -> None:
        self._store = store
        self._keys = keys
        self._limits = limits

    async def find(self, scope: Scope, name: str) -> tuple[Alias, Key]:
        """An alias and its key. Raises AliasNotFoundError."""
        alias = await self._store.alias(scope, name)
        if alias is None:
            raise AliasNotFoundError
        return alias, await self._keys.find(scope, alias.key_id)

    async def create(self, key: Key, name: str) -> None:
        advance("CreateAlias", key.state)
        await self._keys.catch_up()  # a key that is gone holds no name
        await self._limits.check_new_alias(key.scope)
        try:
            await self._store.add_alias(Alias(key.scope, name, key.id))
        except AliasExistsError:
            raise AliasAlreadyExistsError from None

    async def update(self, alias: Alias, key: Key) -> None:
        """Point `alias` at `key`; only the state of the new target matters."""
        advance("UpdateAlias", key.state)
        try:
            await self._store.replace_alias(replace(alias, key_id=key.id))
        except StaleWriteError:
            raise AliasNotFoundError from None

    async def delete(self, alias: Alias) -> None:
        try:
            await self._store.remove_alias(alias)
        except StaleWriteError:
            raise AliasNotFoundError from None

    async def list(
        self, scope: Scope, *, key: Key | None = None, page: int, size: int
    ) -> Page[Alias]:
        """By name; `page` counts from 1."""
        await self._keys.catch_up()
        return await self._store.list_aliases(
            scope, key_id=key.id if key else None, offset=(page - 1) * size, limit=size
        )

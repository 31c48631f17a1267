"""How much an account may have in a region: the fixed numbers of the page "Limits"."""

from __future__ import annotations

from kms_emulator.errors import LimitExceededError
from kms_emulator.keys import Scope
from kms_emulator.store import KeyStore

MOST_KEYS = 200
MOST_ALIASES = 300
MOST_VERSIONS = 10_000


class ResourceLimits:
    """Asked before something is made; each check raises LimitExceededError."""

    def __init__(self, store: KeyStore, *, enforced: bool) -> None:
        self._store = store
        self._enforced = enforced

    async def check_new_key(self, scope: Scope) -> None:
        if self._enforced:
            keys = await self._store.list_keys(scope, offset=0, limit=0)
            _check(keys.total, MOST_KEYS)
            await self.check_new_version(scope)

    async def check_new_alias(self, scope: Scope) -> None:
        if self._enforced:
            aliases = await self._store.list_aliases(scope, offset=0, limit=0)
            _check(aliases.total, MOST_ALIASES)

    async def check_new_version(self, scope: Scope) -> None:
        if self._enforced:
            keys = await self._store.list_keys(scope, offset=0, limit=MOST_KEYS)
            _check(sum(len(key.versions) for key in keys.items), MOST_VERSIONS)


def _check(number: int, most: int) -> None:
    if number >= most:
        raise LimitExceededError

"""Keys: create, find by any of their names, list, and move through their states.

Time changes keys too: a deletion date passes, a rotation falls due, imported material expires. A
key is brought up to date when it is looked at, and `catch_up` does it for those nobody looks at.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from alibaba_edge.ports import Clock
from kms_emulator.crypto.asymmetric import new_ec_key, new_rsa_key
from kms_emulator.errors import (
    AliasNotFoundError,
    AliasUnsupportedError,
    DeletionProtectedError,
    KeyNotFoundError,
    KeyVersionNotFoundError,
    StaleWriteError,
)
from kms_emulator.keys import (
    ORIGIN_EXTERNAL,
    Key,
    KeyState,
    KeyVersion,
    Page,
    PrimaryKeyVersion,
    Scope,
)
from kms_emulator.service.filters import AliasNames, Filters, names_by_key, passes
from kms_emulator.service.limits import ResourceLimits
from kms_emulator.service.new_key import NewKey
from kms_emulator.specs import SPECS, Family
from kms_emulator.states import advance
from kms_emulator.store import KeyStore

ALIAS_PREFIX = "alias/"

_ARN_PREFIX = "acs:kms:"
_SECRET_BYTES = 32
_PAGE = 500
_ALL = 2**31 - 1
# What one jump of the clock may bring to one key at a time: 19 years of weekly rotations.
_MOST_CHANGES_AT_ONCE = 1000
_INSTANCE_ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


class Keys:
    """The keys of every account and region, on the simulated clock."""

    def __init__(
        self,
        store: KeyStore,
        limits: ResourceLimits,
        *,
        now: Clock,
        token_bytes: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._limits = limits
        self._now = now
        self._token_bytes = token_bytes

    async def create(self, scope: Scope, new: NewKey) -> Key:
        """Raises the errors of NewKey.settled, and LimitExceededError."""
        new = new.settled()
        await self._limits.check_new_key(scope)
        external = new.origin == ORIGIN_EXTERNAL
        now = self._now()
        key = Key(
            scope=scope,
            id=self._instance_key_id(scope.region) if new.instance_id else self._uuid(),
            created_at=now,
            primary=PrimaryKeyVersion(
                self._uuid(), now, b"" if external else await self._new_material(new.spec)
            ),
            creator=scope.account_id,
            state=KeyState.PENDING_IMPORT if external else KeyState.ENABLED,
            description=new.description,
            spec=new.spec,
            usage=new.usage,
            origin=new.origin,
            protection_level=new.protection_level,
            instance_id=new.instance_id,
            tags=new.tags,
            policy=new.policy,
            rotation_interval=new.rotation_interval,
            import_secret=self._token_bytes(_SECRET_BYTES) if external else b"",
        )
        await self._store.add(key)
        return key

    async def find(self, scope: Scope, key_id: str, *, alias: bool = True) -> Key:
        """By key id, ARN, or (where the operation takes one) alias.

        The ARN of another account's key finds it if it has a key policy to let strangers in, which
        the caller then has to ask. Raises KeyNotFoundError, AliasNotFoundError,
        AliasUnsupportedError.
        """
        if key_id.startswith(ALIAS_PREFIX):
            if not alias:
                raise AliasUnsupportedError
            named = await self._store.alias(scope, key_id)
            if named is None:
                raise AliasNotFoundError
            key_id = named.key_id
        elif key_id.startswith(_ARN_PREFIX):
            region, _, rest = key_id.removeprefix(_ARN_PREFIX).partition(":")
            account_id, _, name = rest.partition(":key/")
            if region != scope.region:
                raise KeyNotFoundError
            if account_id != scope.account_id:
                return await self._shared(Scope(account_id, region), name)
            key_id = name
        return await self._living(await self._store.get(scope, key_id))

    async def find_version(self, scope: Scope, version_id: str) -> Key:
        """The key a ciphertext names by its key version, of this account or shared with it.

        Raises KeyNotFoundError.
        """
        key = await self._store.find_version(scope, version_id)
        if key is None:
            shared = await self._store.shared_by(scope.region, version_id)
            key = shared[0] if shared else None
        return await self._living(key)

    async def list(self, scope: Scope, *, filters: Filters, page: int, size: int) -> Page[Key]:
        """Oldest first; `page` counts from 1."""
        await self.catch_up()
        start = (page - 1) * size
        if not filters:
            return await self._store.list_keys(scope, offset=start, limit=size)
        names: AliasNames = {}
        if "AliasName" in filters:
            aliases = await self._store.list_aliases(scope, offset=0, limit=_ALL)
            names = names_by_key(aliases.items)
        found = [key async for key in self.all(scope) if passes(key, filters, names)]
        return Page(tuple(found[start : start + size]), len(found))

    async def all(self, scope: Scope) -> AsyncIterator[Key]:
        """Every key of an account in a region, oldest first."""
        offset = 0
        while True:
            page = await self._store.list_keys(scope, offset=offset, limit=_PAGE)
            for key in page.items:
                yield key
            offset += _PAGE
            if offset >= page.total:
                return

    async def enable(self, key: Key) -> None:
        await self.change(
            key, lambda k: self._back(replace(k, state=advance("EnableKey", k.state)))
        )

    async def disable(self, key: Key) -> None:
        await self.change(key, lambda k: replace(k, state=advance("DisableKey", k.state)))

    async def schedule_deletion(self, key: Key, *, days: int) -> None:
        """After `days` on the simulated clock the key and all it ever sealed are lost."""
        delete_at = self._now() + timedelta(days=days)

        def schedule(current: Key) -> Key:
            state = advance("ScheduleKeyDeletion", current.state)
            if current.deletion_protected:
                raise DeletionProtectedError
            return replace(current, state=state, delete_at=delete_at)

        await self.change(key, schedule)

    async def cancel_deletion(self, key: Key) -> None:
        def cancel(current: Key) -> Key:
            state = advance("CancelKeyDeletion", current.state)
            if not current.primary.material:
                state = KeyState.PENDING_IMPORT
            return self._back(replace(current, state=state, delete_at=None))

        await self.change(key, cancel)

    async def protect_from_deletion(self, key: Key, *, protect: bool, description: str) -> None:
        def set_protection(current: Key) -> Key:
            advance("SetDeletionProtection", current.state)
            return replace(
                current,
                deletion_protected=protect,
                deletion_protection_description=description if protect else "",
            )

        await self.change(key, set_protection)

    async def describe_as(self, key: Key, description: str) -> None:
        def describe(current: Key) -> Key:
            advance("UpdateKeyDescription", current.state)
            return replace(current, description=description)

        await self.change(key, describe)

    async def set_policy(self, key: Key, policy: str) -> None:
        await self.change(key, lambda current: replace(current, policy=policy))

    def version(self, key: Key, version_id: str) -> KeyVersion:
        version = key.version(version_id)
        if version is None:
            raise KeyVersionNotFoundError
        return version

    async def change(self, key: Key, change: Callable[[Key], Key]) -> Key:
        """Apply `change` to the stored key, again if someone else wrote in between."""
        while True:
            changed = replace(change(key), revision=key.revision + 1)
            try:
                await self._store.replace(changed)
            except StaleWriteError:
                key = await self._living(await self._store.get(key.scope, key.id))
            else:
                return changed

    async def catch_up(self) -> None:
        """Erase keys past their deletion date, material and all; rotate and expire what is due."""
        now = self._now()
        await self._store.erase_due(now)
        for key in await self._store.changing_by(now):
            try:
                await self._living(key)
            except KeyNotFoundError:
                continue

    async def by_state(self) -> Counter[str]:
        """How many keys of all accounts are in each state."""
        states: Counter[str] = Counter()
        for scope in await self._store.scopes():
            async for key in self.all(scope):
                states[key.state.value] += 1
        return states

    def rotated(self, key: Key, at: datetime) -> Key:
        """Symmetric only: with a new primary version that was made `at` this time."""
        material = self._token_bytes(SPECS[key.spec].bits // 8)
        return key.with_primary(PrimaryKeyVersion(self._uuid(), at, material))

    async def with_new_version(self, key: Key) -> PrimaryKeyVersion:
        """A new version for this key, which does not have it yet. Raises LimitExceededError."""
        await self._limits.check_new_version(key.scope)
        return PrimaryKeyVersion(self._uuid(), self._now(), await self._new_material(key.spec))

    async def _shared(self, scope: Scope, key_id: str) -> Key:
        key = await self._living(await self._store.get(scope, key_id))
        if not key.policy:
            raise KeyNotFoundError
        return key

    async def _living(self, key: Key | None) -> Key:
        if key is None:
            raise KeyNotFoundError
        changes_at = key.changes_at
        if key.delete_at is None and changes_at is None:
            return key  # whatever the time is
        now = self._now()
        if key.gone(now):
            await self._store.erase_due(now)
            raise KeyNotFoundError
        if changes_at is not None and changes_at <= now:
            return await self.change(key, self._up_to_date)
        return key

    def _up_to_date(self, key: Key) -> Key:
        """With all that time has done to it since."""
        now = self._now()
        for _ in range(_MOST_CHANGES_AT_ONCE):
            at = key.changes_at
            if at is None or at > now:
                break
            expired = key.material_expires_at is not None
            key = key.without_material() if expired else self.rotated(key, at)
        return key

    def _back(self, key: Key) -> Key:
        """Enabled again; a rotation that fell due in the meantime happens now."""
        now, due_at = self._now(), key.rotates_at
        overdue = key.state is KeyState.ENABLED and due_at is not None and due_at <= now
        return self.rotated(key, now) if overdue else key

    async def _new_material(self, name: str) -> bytes:
        spec = SPECS[name]
        if spec.family is Family.RSA:
            return await asyncio.to_thread(new_rsa_key, spec.bits)
        if spec.family is Family.EC:
            return await asyncio.to_thread(new_ec_key, name)
        return self._token_bytes(spec.bits // 8)

    def _uuid(self) -> str:
        return str(UUID(bytes=self._token_bytes(16), version=4))

    def _instance_key_id(self, region: str) -> str:
        """`key-` and three letters of the region, as keys of KMS instances are named."""
        tag = region.partition("-")[2].replace("-", "")[:3]
        letters = (_INSTANCE_ID_ALPHABET[byte % 36] for byte in self._token_bytes(18))
        return f"key-{tag}{''.join(letters)}"

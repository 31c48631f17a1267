"""Accounts, their access keys and the STS sessions of their roles: the gateway's Identify.

Role sessions expire by the simulated clock. A session that was forgotten after its expiry is
unknown, as an access key that never was. What RAM changes of a user's key counts at the next call.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from acksim.account.database import Database
from acksim.account.ram.generations import Generations
from acksim.account.ram.identifiers import new_access_key
from acksim.account.ram.roles import authorize_container_service
from acksim.account.ram.tables import ram_users
from acksim.account.tables import access_keys, accounts, sts_sessions
from alibaba_edge.ports import AccessKey, Caller, root_caller


@dataclass(frozen=True, slots=True)
class RootKey:
    """An account and the access key of its owner."""

    account_id: str
    access_key_id: str
    access_key_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Known:
    """`generation`: of the account, while which the key is what it is. None: for ever."""

    key: AccessKey
    generation: int | None


class Credentials:
    """Who an access key id belongs to. Keys that were found are kept in memory."""

    def __init__(
        self, database: Database, generations: Generations, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._generations = generations
        self._now = now
        self._known: dict[str, _Known] = {}

    async def access_key(self, access_key_id: str) -> AccessKey | None:
        known = self._known.get(access_key_id)
        if known is not None and known.generation is None:
            return known.key
        if known is not None:
            generation = await self._generations.current(known.key.caller.account_id)
            if known.generation == generation:
                return known.key
        key = await self._load(access_key_id)
        if key is None:
            self._known.pop(access_key_id, None)
            return None
        return await self._keep(key)

    async def ensure_account(self, root: RootKey, name: str, *, authorized: bool = True) -> None:
        """Makes the account and its root key unless they are there.

        A new one has the role by which Container Service uses its keys, if it is `authorized`.
        """
        now = self._now()

        def work(connection: Connection) -> None:
            made = connection.execute(
                self._database.insert(accounts)
                .values(id=root.account_id, name=name, created=now.timestamp())
                .on_conflict_do_nothing()
                .returning(accounts.c.id)
            ).first()
            if made is not None and authorized:
                authorize_container_service(connection, root.account_id, now)
            connection.execute(
                self._database.insert(access_keys)
                .values(
                    id=root.access_key_id,
                    account_id=root.account_id,
                    secret=root.access_key_secret,
                    active=True,
                    created=now.timestamp(),
                )
                .on_conflict_do_nothing()
            )

        await self._generations.change(root.account_id, work)

    async def new_account(self, name: str, *, authorized: bool = True) -> RootKey:
        """A fresh account of its own, with the access key of its owner; see ensure_account."""
        account_id = "1" + "".join(secrets.choice("0123456789") for _ in range(15))
        root = RootKey(account_id, *new_access_key())
        await self.ensure_account(root, name, authorized=authorized)
        return root

    async def _keep(self, key: AccessKey) -> AccessKey | None:
        """A user's key is read once more, for it may have changed before its account was known."""
        if key.expires_at is not None:
            self._forget_expired(self._now())
        if key.caller.kind != "ram-user":
            self._known[key.access_key_id] = _Known(key, None)
            return key
        generation = await self._generations.current(key.caller.account_id)
        current = await self._load(key.access_key_id)
        if current is not None:
            self._known[key.access_key_id] = _Known(current, generation)
        return current

    def _forget_expired(self, moment: datetime) -> None:
        gone = [
            name
            for name, known in self._known.items()
            if known.key.expires_at and known.key.expires_at < moment
        ]
        for name in gone:
            del self._known[name]

    async def _load(self, access_key_id: str) -> AccessKey | None:
        if access_key_id.startswith("STS."):
            query: Any = select(sts_sessions).where(sts_sessions.c.access_key_id == access_key_id)
        else:
            owned = access_keys.outerjoin(ram_users, ram_users.c.id == access_keys.c.user_id)
            columns = (access_keys, ram_users.c.name.label("user_name"))
            query = select(*columns).select_from(owned).where(access_keys.c.id == access_key_id)
        row = await self._database.run(lambda connection: connection.execute(query).first())
        if row is None:
            return None
        return _session_key(row) if access_key_id.startswith("STS.") else _long_lived_key(row)


def _long_lived_key(row: Any) -> AccessKey:
    if row.user_id is None:
        caller = root_caller(row.account_id, row.id)
    else:
        caller = Caller(
            account_id=row.account_id,
            access_key_id=row.id,
            kind="ram-user",
            principal_id=row.user_id,
            user_name=row.user_name,
            arn=f"acs:ram::{row.account_id}:user/{row.user_name}",
        )
    return AccessKey(row.id, row.secret, caller, active=row.active)


def _session_key(row: Any) -> AccessKey:
    role = row.role_name.lower()
    caller = Caller(
        account_id=row.account_id,
        access_key_id=row.access_key_id,
        kind="assumed-role",
        principal_id=f"{row.role_id}:{row.session_name}",
        user_name=f"{role}:{row.session_name}",
        arn=f"acs:sts::{row.account_id}:assumed-role/{role}/{row.session_name}",
        session_created=datetime.fromtimestamp(row.created, UTC),
    )
    return AccessKey(
        access_key_id=row.access_key_id,
        secret=row.secret,
        security_token=row.security_token,
        expires_at=datetime.fromtimestamp(row.expires, UTC),
        active=True,
        caller=caller,
    )

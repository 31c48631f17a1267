"""Accounts, their access keys and the STS sessions of their roles: the gateway's Identify.

Role sessions expire by the simulated clock. A session that was forgotten after its expiry is
unknown, as an access key that never was.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, select

from kms_emulator.ports import AccessKey, Caller, root_caller
from sim.account.database import Database
from sim.account.tables import access_keys, accounts, sts_sessions

MANAGED_SECURITY_ROLE = "AliyunCSManagedSecurityRole"
SESSION_LIFETIME = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class RootKey:
    """An account and the access key of its owner."""

    account_id: str
    access_key_id: str
    access_key_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RoleSession:
    """Temporary credentials of an assumed role."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str = field(repr=False)
    expiration: datetime


class Credentials:
    """Who an access key id belongs to. Found keys are kept in memory, being few and unchanging."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self._known: dict[str, AccessKey] = {}

    async def access_key(self, access_key_id: str) -> AccessKey | None:
        known = self._known.get(access_key_id)
        if known is None:
            known = await self._load(access_key_id)
            if known is not None:
                self._known[access_key_id] = known
        return known

    async def ensure_account(self, root: RootKey, name: str) -> None:
        """Makes the account and its root key unless they are there."""
        created = self._now().timestamp()

        def work(connection: Connection) -> None:
            connection.execute(
                self._database.insert(accounts)
                .values(id=root.account_id, name=name, created=created)
                .on_conflict_do_nothing()
            )
            connection.execute(
                self._database.insert(access_keys)
                .values(
                    id=root.access_key_id,
                    account_id=root.account_id,
                    secret=root.access_key_secret,
                    active=True,
                    created=created,
                )
                .on_conflict_do_nothing()
            )

        await self._database.run(work)

    async def new_account(self, name: str) -> RootKey:
        """A fresh account of its own, with the access key of its owner."""
        account_id = "1" + "".join(secrets.choice("0123456789") for _ in range(15))
        root = RootKey(account_id, "LTAI5t" + secrets.token_hex(9), secrets.token_hex(15))
        await self.ensure_account(root, name)
        return root

    async def assume_service_role(
        self, account_id: str, role_name: str, session_name: str
    ) -> RoleSession:
        """Temporary credentials for a service that the role trusts."""
        created = self._now()
        session = RoleSession(
            "STS." + secrets.token_hex(12),
            secrets.token_hex(20),
            secrets.token_urlsafe(96),
            created + SESSION_LIFETIME,
        )

        def work(connection: Connection) -> None:
            connection.execute(
                delete(sts_sessions).where(sts_sessions.c.expires < created.timestamp() - 86400)
            )
            connection.execute(
                sts_sessions.insert().values(
                    access_key_id=session.access_key_id,
                    account_id=account_id,
                    secret=session.access_key_secret,
                    security_token=session.security_token,
                    role_name=role_name,
                    role_id=role_id(account_id, role_name),
                    session_name=session_name,
                    created=created.timestamp(),
                    expires=session.expiration.timestamp(),
                )
            )

        await self._database.run(work)
        self._forget_expired(created)
        return session

    def _forget_expired(self, moment: datetime) -> None:
        gone = [
            name for name, key in self._known.items() if key.expires_at and key.expires_at < moment
        ]
        for name in gone:
            del self._known[name]

    async def _load(self, access_key_id: str) -> AccessKey | None:
        table = sts_sessions if access_key_id.startswith("STS.") else access_keys
        column = table.c.access_key_id if table is sts_sessions else table.c.id

        def work(connection: Connection) -> Any:
            return connection.execute(select(table).where(column == access_key_id)).first()

        row = await self._database.run(work)
        if row is None:
            return None
        return _session_key(row) if table is sts_sessions else _root_key(row)


def role_id(account_id: str, role_name: str) -> str:
    """A stable role id: 18 digits that start with 3, as Alibaba Cloud's do."""
    digest = sum(ord(character) * 31**index for index, character in enumerate(role_name))
    return "3" + f"{(int(account_id) * 1_000_003 + digest) % 10**17:017d}"


def _root_key(row: Any) -> AccessKey:
    return AccessKey(
        access_key_id=row.id,
        secret=row.secret,
        security_token=None,
        expires_at=None,
        active=row.active,
        caller=root_caller(row.account_id, row.id),
    )


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

"""Keys in a SQL database: SQLAlchemy Core, threads for all blocking work.

Every lookup is one statement, so that it sees one state of the database. In SQLite `secure_delete`
and a truncated log make erased key material unreadable in the file too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from alibaba_edge.sql.engine import POSTGRESQL_CONNECTIONS
from alibaba_edge.sql.migration import bring_to_head
from kms_emulator.errors import AliasExistsError, KeyExistsError, KeyNotFoundError, StaleWriteError
from kms_emulator.keys import Alias, Key, Page, Scope
from kms_emulator.sql_tables import (
    SCHEMA,
    alias_row,
    aliases,
    key_from_rows,
    key_row,
    key_versions,
    keys,
    version_rows,
)
from kms_emulator.store import KeyStore

T = TypeVar("T")


class SqlKeyStore:
    """KeyStore over one engine. Reads the database every time; see store_cache for SQLite."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        threads = 1 if self._is_sqlite else POSTGRESQL_CONNECTIONS
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="kms-store")
        # A statement that is alone needs no transaction round it.
        self._reader = engine.execution_options(
            **{} if self._is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        )
        bring_to_head(engine, SCHEMA)

    async def get(self, scope: Scope, key_id: str) -> Key | None:
        place = {"account": scope.account_id, "region": scope.region, "wanted": key_id}
        return await self._read(lambda connection: _one(connection, scope, _BY_ID, place))

    async def find_version(self, scope: Scope, version_id: str) -> Key | None:
        place = {"account": scope.account_id, "region": scope.region, "wanted": version_id}
        return await self._read(lambda connection: _one(connection, scope, _BY_VERSION, place))

    async def list_keys(self, scope: Scope, *, offset: int, limit: int) -> Page[Key]:
        mine = _within(keys, scope)
        count = sa.select(sa.func.count()).select_from(keys).where(*mine)
        page = sa.select(keys.c.key_id).where(*mine).order_by(keys.c.created_at, keys.c.key_id)
        chosen = page.offset(offset).limit(limit).subquery()
        wanted = _WHOLE_KEYS.where(*mine, keys.c.key_id.in_(sa.select(chosen.c.key_id))).order_by(
            keys.c.created_at, keys.c.key_id, key_versions.c.position
        )

        def read(connection: Connection) -> Page[Key]:
            total = connection.scalar(count)
            rows = connection.execute(wanted).all()
            whole = (list(group) for _, group in groupby(rows, key=lambda row: row.key_id))
            return Page(tuple(key_from_rows(scope, group) for group in whole), total or 0)

        return await self._read(read)

    async def scopes(self) -> tuple[Scope, ...]:
        query = sa.select(keys.c.account_id, keys.c.region).distinct()
        rows = await self._read(lambda connection: connection.execute(query).all())
        return tuple(sorted(Scope(*row) for row in rows))

    async def add(self, key: Key) -> None:
        def write(connection: Connection) -> None:
            try:
                connection.execute(keys.insert().values(key_row(key)))
            except IntegrityError:
                raise KeyExistsError from None
            connection.execute(key_versions.insert(), version_rows(key))

        await self._write(write)

    async def replace(self, key: Key) -> None:
        def write(connection: Connection) -> None:
            stored = keys.update().where(
                *_within(keys, key.scope),
                keys.c.key_id == key.id,
                keys.c.revision == key.revision - 1,
            )
            if connection.execute(stored.values(key_row(key))).rowcount != 1:
                raise StaleWriteError
            connection.execute(key_versions.delete().where(*_of_key(key_versions, key)))
            connection.execute(key_versions.insert(), version_rows(key))

        await self._write(write)

    async def erase_due(self, now: datetime) -> int:
        def write(connection: Connection) -> int:
            # Versions and aliases go with their key: ON DELETE CASCADE.
            return connection.execute(keys.delete().where(keys.c.delete_at <= now)).rowcount

        erased = await self._write(write)
        if erased and self._is_sqlite:
            await self._read(_truncate_log)
        return erased

    async def shared_by(self, region: str, version_id: str) -> tuple[Key, ...]:
        owners = sa.select(key_versions.c.account_id, key_versions.c.key_id).where(
            key_versions.c.region == region, key_versions.c.version_id == version_id
        )
        return await self._whole_keys(
            keys.c.region == region,
            keys.c.policy != "",
            sa.tuple_(keys.c.account_id, keys.c.key_id).in_(owners),
        )

    async def changing_by(self, now: datetime) -> tuple[Key, ...]:
        return await self._whole_keys(keys.c.changes_at <= now)

    async def _whole_keys(self, *where: sa.ColumnElement[bool]) -> tuple[Key, ...]:
        owner = (keys.c.account_id, keys.c.region, keys.c.key_id)
        wanted = _WHOLE_KEYS.where(*where).order_by(*owner, key_versions.c.position)
        rows = await self._read(lambda connection: connection.execute(wanted).all())
        whole = groupby(rows, key=lambda row: (row.account_id, row.region, row.key_id))
        return tuple(key_from_rows(Scope(*place[:2]), list(group)) for place, group in whole)

    async def alias(self, scope: Scope, name: str) -> Alias | None:
        wanted = sa.select(aliases).where(*_within(aliases, scope), aliases.c.name == name)
        row = await self._read(lambda connection: connection.execute(wanted).one_or_none())
        return Alias(scope, row.name, row.key_id) if row else None

    async def list_aliases(
        self, scope: Scope, *, key_id: str | None = None, offset: int, limit: int
    ) -> Page[Alias]:
        where = [*_within(aliases, scope)]
        if key_id is not None:
            where.append(aliases.c.key_id == key_id)

        def read(connection: Connection) -> Page[Alias]:
            total = connection.scalar(sa.select(sa.func.count()).select_from(aliases).where(*where))
            page = sa.select(aliases).where(*where).order_by(aliases.c.name)
            rows = connection.execute(page.offset(offset).limit(limit))
            return Page(tuple(Alias(scope, row.name, row.key_id) for row in rows), total or 0)

        return await self._read(read)

    async def add_alias(self, alias: Alias) -> None:
        def write(connection: Connection) -> None:
            _require_key(connection, alias)
            try:
                connection.execute(aliases.insert().values(alias_row(alias)))
            except IntegrityError:
                raise AliasExistsError from None

        await self._write(write)

    async def replace_alias(self, alias: Alias) -> None:
        def write(connection: Connection) -> None:
            _require_key(connection, alias)
            named = aliases.update().where(
                *_within(aliases, alias.scope), aliases.c.name == alias.name
            )
            if connection.execute(named.values(key_id=alias.key_id)).rowcount != 1:
                raise StaleWriteError

        await self._write(write)

    async def remove_alias(self, alias: Alias) -> None:
        named = aliases.delete().where(*_within(aliases, alias.scope), aliases.c.name == alias.name)

        def write(connection: Connection) -> None:
            if connection.execute(named).rowcount != 1:
                raise StaleWriteError

        await self._write(write)

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.dispose()

    async def _read(self, work: Callable[[Connection], T]) -> T:
        def run() -> T:
            try:
                with self._reader.connect() as connection:
                    return work(connection)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
            # The database was restarted since; all connections of the pool are new now.
            with self._reader.connect() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)

    async def _write(self, work: Callable[[Connection], T]) -> T:
        """`work` in one transaction, which is committed when this returns."""

        def run() -> T:
            with self._engine.begin() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)


def _truncate_log(connection: Connection) -> None:
    connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _within(table: sa.Table, scope: Scope) -> tuple[sa.ColumnElement[bool], ...]:
    return (table.c.account_id == scope.account_id, table.c.region == scope.region)


def _of_key(table: sa.Table, key: Key) -> tuple[sa.ColumnElement[bool], ...]:
    return (*_within(table, key.scope), table.c.key_id == key.id)


def _require_key(connection: Connection, alias: Alias) -> None:
    """Locks it against deletion where databases have more than one writer."""
    owner = sa.select(keys.c.key_id).where(
        *_within(keys, alias.scope), keys.c.key_id == alias.key_id
    )
    if connection.scalar(owner.with_for_update(read=True, key_share=True)) is None:
        raise KeyNotFoundError


_WHOLE_KEYS = sa.select(
    keys,
    key_versions.c.version_id,
    key_versions.c.created_at.label("version_created_at"),
    key_versions.c.material,
).join_from(keys, key_versions)
_HERE = (
    keys.c.account_id == sa.bindparam("account"),
    keys.c.region == sa.bindparam("region"),
)
_BY_ID = _WHOLE_KEYS.where(*_HERE, keys.c.key_id == sa.bindparam("wanted")).order_by(
    key_versions.c.position
)
_BY_VERSION = _WHOLE_KEYS.where(
    *_HERE,
    keys.c.key_id
    == sa.select(key_versions.c.key_id)
    .where(
        key_versions.c.account_id == sa.bindparam("account"),
        key_versions.c.region == sa.bindparam("region"),
        key_versions.c.version_id == sa.bindparam("wanted"),
    )
    .correlate(None)
    .scalar_subquery(),
).order_by(key_versions.c.position)


def _one(
    connection: Connection, scope: Scope, query: sa.Select[Any], place: dict[str, str]
) -> Key | None:
    rows = connection.execute(query, place).all()
    return key_from_rows(scope, rows) if rows else None


if TYPE_CHECKING:
    _: type[KeyStore] = SqlKeyStore

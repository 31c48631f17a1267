"""Keys in a SQL database: SQLAlchemy Core, one thread for all blocking work.

SQLite runs in WAL mode with synchronous=NORMAL: what was acknowledged survives a killed process
(a power cut may take the last commits). `secure_delete` and a truncated log make erased key
material unreadable in the file too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import IntegrityError

from kms_emulator.errors import AliasExistsError, KeyNotFoundError, StaleWriteError
from kms_emulator.keys import Alias, Key, Page, Scope
from kms_emulator.sql_tables import (
    alias_row,
    aliases,
    key_from_rows,
    key_row,
    key_versions,
    keys,
    metadata,
    version_rows,
)
from kms_emulator.store import KeyStore

T = TypeVar("T")


class SqlKeyStore:
    """KeyStore over one engine. Reads the database every time; see store_cache for SQLite."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kms-store")
        metadata.create_all(engine)

    async def get(self, scope: Scope, key_id: str) -> Key | None:
        return await self._run(lambda connection: _read_key(connection, scope, key_id))

    async def find_version(self, scope: Scope, version_id: str) -> Key | None:
        def find(connection: Connection) -> Key | None:
            owner = sa.select(key_versions.c.key_id).where(
                *_within(key_versions, scope), key_versions.c.version_id == version_id
            )
            key_id = connection.scalar(owner)
            return _read_key(connection, scope, key_id) if key_id else None

        return await self._run(find)

    async def list_keys(self, scope: Scope, *, offset: int, limit: int) -> Page[Key]:
        def read(connection: Connection) -> Page[Key]:
            mine = _within(keys, scope)
            total = connection.scalar(sa.select(sa.func.count()).select_from(keys).where(*mine))
            page = sa.select(keys.c.key_id).where(*mine).order_by(keys.c.created_at, keys.c.key_id)
            ids = connection.scalars(page.offset(offset).limit(limit)).all()
            found = (_read_key(connection, scope, key_id) for key_id in ids)
            return Page(tuple(key for key in found if key), total or 0)

        return await self._run(read)

    async def add(self, key: Key) -> None:
        def write(connection: Connection) -> None:
            connection.execute(keys.insert().values(key_row(key)))
            connection.execute(key_versions.insert(), version_rows(key))

        await self._run(write)

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

        await self._run(write)

    async def erase_due(self, now: datetime) -> int:
        def write(connection: Connection) -> int:
            # Versions and aliases go with their key: ON DELETE CASCADE.
            return connection.execute(keys.delete().where(keys.c.delete_at <= now)).rowcount

        erased = await self._run(write)
        if erased and self._engine.dialect.name == "sqlite":
            await self._run(_truncate_log, transaction=False)
        return erased

    async def alias(self, scope: Scope, name: str) -> Alias | None:
        wanted = sa.select(aliases).where(*_within(aliases, scope), aliases.c.name == name)
        row = await self._run(lambda connection: connection.execute(wanted).one_or_none())
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

        return await self._run(read)

    async def add_alias(self, alias: Alias) -> None:
        def write(connection: Connection) -> None:
            _require_key(connection, alias)
            try:
                connection.execute(aliases.insert().values(alias_row(alias)))
            except IntegrityError:
                raise AliasExistsError from None

        await self._run(write)

    async def replace_alias(self, alias: Alias) -> None:
        def write(connection: Connection) -> None:
            _require_key(connection, alias)
            named = aliases.update().where(
                *_within(aliases, alias.scope), aliases.c.name == alias.name
            )
            if connection.execute(named.values(key_id=alias.key_id)).rowcount != 1:
                raise StaleWriteError

        await self._run(write)

    async def remove_alias(self, alias: Alias) -> None:
        named = aliases.delete().where(*_within(aliases, alias.scope), aliases.c.name == alias.name)

        def write(connection: Connection) -> None:
            if connection.execute(named).rowcount != 1:
                raise StaleWriteError

        await self._run(write)

    async def close(self) -> None:
        await asyncio.to_thread(self._thread.shutdown)
        self._engine.dispose()

    async def _run(self, work: Callable[[Connection], T], *, transaction: bool = True) -> T:
        """`work` in the store's thread, in one transaction that is committed when this returns."""

        def run() -> T:
            if not transaction:
                with self._engine.connect() as connection:
                    return work(connection)
            with self._engine.begin() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)


def open_sqlite(path: Path) -> Engine:
    """An engine over a file that only its owner can read, made if need be."""
    path.touch(mode=0o600)
    path.chmod(0o600)  # also one that was there before; SQLite gives -wal and -shm the same mode
    engine = sa.create_engine(
        f"sqlite:///{path}",
        poolclass=sa.pool.StaticPool,  # one connection: the store has one thread
        connect_args={"check_same_thread": False},
    )
    sa.event.listen(engine, "connect", _configure_sqlite)
    return engine


def _configure_sqlite(connection: Any, _record: object) -> None:
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "secure_delete=ON",
        "busy_timeout=5000",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _truncate_log(connection: Connection) -> None:
    connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _within(table: sa.Table, scope: Scope) -> tuple[sa.ColumnElement[bool], ...]:
    return (table.c.account_id == scope.account_id, table.c.region == scope.region)


def _of_key(table: sa.Table, key: Key) -> tuple[sa.ColumnElement[bool], ...]:
    return (*_within(table, key.scope), table.c.key_id == key.id)


def _require_key(connection: Connection, alias: Alias) -> None:
    owner = sa.select(keys.c.key_id).where(
        *_within(keys, alias.scope), keys.c.key_id == alias.key_id
    )
    if connection.scalar(owner) is None:
        raise KeyNotFoundError


def _read_key(connection: Connection, scope: Scope, key_id: str) -> Key | None:
    wanted = sa.select(keys).where(*_within(keys, scope), keys.c.key_id == key_id)
    row = connection.execute(wanted).one_or_none()
    if row is None:
        return None
    versions = connection.execute(
        sa.select(key_versions)
        .where(*_within(key_versions, scope), key_versions.c.key_id == key_id)
        .order_by(key_versions.c.position)
    ).all()
    return key_from_rows(scope, row, versions)


if TYPE_CHECKING:
    _: type[KeyStore] = SqlKeyStore

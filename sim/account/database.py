"""The account's tables, and the one thread that touches them.

A commit is in the hands of the operating system (SQLite) or of the server (PostgreSQL) before it
is acknowledged, so that a killed process loses nothing that it answered for.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Dialect,
    Float,
    Index,
    Insert,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)
from sqlalchemy.dialects import postgresql, sqlite

from kms_emulator.migration import Schema, bring_to_head
from kms_emulator.sql_engine import open_engine

T = TypeVar("T")

metadata = MetaData()

accounts = Table(
    "accounts",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("created", Float, nullable=False),
)

access_keys = Table(
    "access_keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account_id", String(16), nullable=False, index=True),
    Column("secret", String(64), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created", Float, nullable=False),
)

sts_sessions = Table(
    "sts_sessions",
    metadata,
    Column("access_key_id", String(64), primary_key=True),
    Column("account_id", String(16), nullable=False),
    Column("secret", String(64), nullable=False),
    Column("security_token", String(256), nullable=False),
    Column("role_name", String(64), nullable=False),
    Column("role_id", String(32), nullable=False),
    Column("session_name", String(64), nullable=False),
    Column("created", Float, nullable=False),
    Column("expires", Float, nullable=False, index=True),
)

events = Table(
    "events",
    metadata,
    Column(
        "sequence",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    Column("account_id", String(16), nullable=False),
    Column("time", Float, nullable=False),
    Column("service", String(32), nullable=False),
    Column("name", String(64), nullable=False),
    Column("user_name", String(160), nullable=False),
    Column("resource_name", String(256), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("events_by_account", "account_id", "time"),
)

usage = Table(
    "usage",
    metadata,
    Column("account_id", String(16), primary_key=True),
    Column("region", String(32), primary_key=True),
    Column("hour", Integer, primary_key=True),
    Column("item", String(32), primary_key=True),
    Column("action", String(64), primary_key=True),
    Column("caller", String(160), primary_key=True),
    Column("key_id", String(64), primary_key=True),
    Column("calls", BigInteger, nullable=False),
)

clusters = Table(
    "clusters",
    metadata,
    Column("id", String(33), primary_key=True),
    Column("account_id", String(16), nullable=False, index=True),
    Column("region", String(32), nullable=False),
    Column("name", String(63), nullable=False),
    Column("key_id", String(64), nullable=True),
    Column("kms_version", String(2), nullable=False),
    Column("incarnation", Integer, nullable=False),
    Column("created", Float, nullable=False),
)


hosting = Table(
    "hosting",
    metadata,
    Column("account_id", String(16), primary_key=True),
    Column("region", String(32), primary_key=True),
    Column("month", Integer, primary_key=True),  # 202601
    Column("item", String(32), primary_key=True),
    Column("key_id", String(64), primary_key=True),
    Column("days", BigInteger, nullable=False),  # each of one key version
)

meters = Table(
    "meters",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("day", Integer, nullable=False),  # the first one not counted yet, as days since 1970
)

SCHEMA = Schema(
    metadata,
    revisions=Path(__file__).parent / "revisions",
    head="0002",
    version_table="account_schema_version",
    oldest_table="accounts",
)


class Database:
    """The tables behind one worker thread; `run` is the only way to them."""

    def __init__(self, location: str | Path) -> None:
        """A `postgresql://` URL, which several processes may share, or a file."""
        self._engine = open_engine(location)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="account-database")
        bring_to_head(self._engine, SCHEMA)

    async def run(self, work: Callable[[Connection], T]) -> T:
        """`work` in one transaction; it is committed when this returns."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._in_one, work)

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An insert that can say what to do on a conflict."""
        if self._engine.dialect.name == "sqlite":
            return sqlite.insert(table)
        return postgresql.insert(table)

    def prepared(self, statement: Insert, columns: Sequence[str]) -> str:
        """The insert in its driver's own words, which takes its values in the order of `columns`.

        For the one path where every microsecond counts.
        """
        dialect: Dialect = (
            sqlite.dialect(paramstyle="qmark")
            if self._engine.dialect.name == "sqlite"
            else postgresql.psycopg.dialect(paramstyle="format")  # type: ignore[no-untyped-call]
        )
        compiled = statement.compile(dialect=dialect, column_keys=columns)
        if tuple(compiled.positiontup or ()) != tuple(columns):
            raise ValueError(f"the table has its columns in another order than {columns}")
        return str(compiled)

    def _in_one(self, work: Callable[[Connection], T]) -> T:
        with self._engine.begin() as connection:
            return work(connection)

    def close(self) -> None:
        self._thread.shutdown(wait=True)
        self._engine.dispose()

"""The account's tables, and the one thread that touches them.

SQLite in write-ahead mode: a commit is in the operating system's hands before it is
acknowledged, so that a killed process loses nothing that it answered for.
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    event,
)

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
    Column("sequence", Integer, primary_key=True, autoincrement=True),
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
    Column("calls", Integer, nullable=False),
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


class Database:
    """The tables behind one worker thread; `run` is the only way to them."""

    def __init__(self, path: Path) -> None:
        # Credentials live here: the file must never exist with a wider mode than its owner's.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._engine = _engine(path)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="account-database")
        metadata.create_all(self._engine)

    async def run(self, work: Callable[[Connection], T]) -> T:
        """`work` in one transaction; it is committed when this returns."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._in_one, work)

    def _in_one(self, work: Callable[[Connection], T]) -> T:
        with self._engine.begin() as connection:
            return work(connection)

    def close(self) -> None:
        self._thread.shutdown(wait=True)
        self._engine.dispose()


def _engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA busy_timeout=10000")

    return engine

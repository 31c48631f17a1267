"""Engines: PostgreSQL by its URL, or a private SQLite file.

SQLite runs in WAL mode with synchronous=NORMAL: what was acknowledged survives a killed process
(a power cut may take the last commits). PostgreSQL keeps what its own settings say, by default
everything.
"""

from __future__ import annotations

import random
import sqlite3
import time
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from alibaba_edge.errors import DatabaseBusyError

WAIT_SECONDS = 30
"""For whoever else uses the same SQLite file, such as another start that upgrades it."""

POSTGRESQL_CONNECTIONS = 8
"""Of one store in one process; a commit that waits for the disk keeps nobody else waiting."""

_POSTGRESQL_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")


def open_engine(location: str | Path) -> Engine:
    """`postgresql://user@host/database`, or the path of a file."""
    scheme, separator, rest = str(location).partition("://")
    if separator and scheme in _POSTGRESQL_SCHEMES:
        return _open_postgresql(f"postgresql+psycopg://{rest}")
    return open_sqlite(Path(location))


def open_sqlite(path: Path) -> Engine:
    """An engine over a file that only its owner can read, made if need be.

    Its first connection raises DatabaseBusyError when somebody holds the file for long.
    """
    path.touch(mode=0o600)
    path.chmod(0o600)  # also one that was there before; SQLite gives -wal and -shm the same mode
    engine = sa.create_engine(
        f"sqlite:///{path}",
        poolclass=sa.pool.StaticPool,  # one connection: a store has one thread
        connect_args={"check_same_thread": False},
        hide_parameters=True,  # they are key material and credentials
    )
    sa.event.listen(engine, "connect", partial(_configure_sqlite, path))
    return engine


def _open_postgresql(url: str) -> Engine:
    return sa.create_engine(
        url,
        pool_size=POSTGRESQL_CONNECTIONS,
        max_overflow=0,
        pool_reset_on_return="rollback",
        connect_args={"connect_timeout": 10, "application_name": "acksim"},
        hide_parameters=True,
        execution_options={"preserve_rowcount": True},  # of inserts too, as SQLite's does
    )


def _configure_sqlite(path: Path, connection: sqlite3.Connection, _record: object) -> None:
    connection.execute(f"PRAGMA busy_timeout={WAIT_SECONDS * 1000}").close()
    _switch_to_wal(path, connection)
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _switch_to_wal(path: Path, connection: sqlite3.Connection) -> None:
    """Waits for whoever else opens or writes a new file at this moment.

    SQLite's busy timeout does not cover the switch: two that wait for each other would wait for
    ever, so it refuses the one at once, in the hope that it tries again.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise
            if time.monotonic() > deadline:
                raise DatabaseBusyError(
                    f"{path} was locked by another program for {WAIT_SECONDS} s: end what has it "
                    "open, such as an sqlite3 shell in a transaction or a backup, and start again"
                ) from error
        else:
            return
        time.sleep(random.uniform(0.002, 0.02))  # noqa: S311 - apart from the other, not secret

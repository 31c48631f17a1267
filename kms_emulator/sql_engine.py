"""Engines: PostgreSQL by its URL, or a private SQLite file.

SQLite runs in WAL mode with synchronous=NORMAL: what was acknowledged survives a killed process
(a power cut may take the last commits). PostgreSQL keeps what its own settings say, by default
everything.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

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
    """An engine over a file that only its owner can read, made if need be."""
    path.touch(mode=0o600)
    path.chmod(0o600)  # also one that was there before; SQLite gives -wal and -shm the same mode
    engine = sa.create_engine(
        f"sqlite:///{path}",
        poolclass=sa.pool.StaticPool,  # one connection: a store has one thread
        connect_args={"check_same_thread": False},
        hide_parameters=True,  # they are key material and credentials
    )
    sa.event.listen(engine, "connect", _configure_sqlite)
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


def _configure_sqlite(connection: Any, _record: object) -> None:
    for pragma in (
        "busy_timeout=10000",  # first: what follows may meet another process's lock
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "secure_delete=ON",
    ):
        connection.execute(f"PRAGMA {pragma}").close()

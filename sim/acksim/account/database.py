"""The account's database, and the one thread that touches it.

A commit is in the hands of the operating system (SQLite) or of the server (PostgreSQL) before it
is acknowledged, so that a killed process loses nothing that it answered for.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Dialect, Engine, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite

from acksim.account import cluster_tables  # noqa: F401 - so that its tables are in `metadata`
from acksim.account.billing import tables as billing_tables  # noqa: F401 - likewise
from acksim.account.ram import tables as ram_tables  # noqa: F401 - likewise
from acksim.account.tables import metadata
from alibaba_edge.sql.engine import open_engine
from alibaba_edge.sql.migration import Schema, bring_to_head

T = TypeVar("T")

SCHEMA = Schema(
    metadata,
    revisions=Path(__file__).parent / "revisions",
    head="0006",
    version_table="account_schema_version",
    oldest_table="accounts",
)


class Database:
    """The tables behind one worker thread; `run` is the way to them.

    `run_short` is for the one write that every call waits for. To SQLite that is a copy into
    memory, a fraction of what handing it to another thread costs; so it happens where it is asked
    for, on a connection of its own. A server is waited for on the worker thread. `read` is for
    searches, which keep nothing else waiting.
    """

    def __init__(self, location: str | Path) -> None:
        """A `postgresql://` URL, which several processes may share, or a file."""
        self._engine = open_engine(location)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="account-database")
        self._reading_engine = open_engine(location)
        self._reading_thread = ThreadPoolExecutor(1, thread_name_prefix="account-reader")
        bring_to_head(self._engine, SCHEMA)
        in_process = self._engine.dialect.name == "sqlite"
        self._short = open_engine(location).connect() if in_process else None

    @property
    def shared(self) -> bool:
        """Whether other processes may change what is in it."""
        return self._engine.dialect.name != "sqlite"

    async def run(self, work: Callable[[Connection], T]) -> T:
        """`work` in one transaction; it is committed when this returns."""
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, _in_one, self._engine, work
        )

    async def read(self, work: Callable[[Connection], T]) -> T:
        """`work` beside whatever is written meanwhile; it sees all that was committed before."""
        return await asyncio.get_running_loop().run_in_executor(
            self._reading_thread, _in_one, self._reading_engine, work
        )

    async def run_short(self, work: Callable[[Connection], T]) -> T:
        """As `run`, for work of well under a millisecond."""
        if self._short is None:
            return await self.run(work)
        with self._short.begin():
            return work(self._short)

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

    def close(self) -> None:
        for thread, engine in (
            (self._reading_thread, self._reading_engine),
            (self._thread, self._engine),
        ):
            thread.shutdown(wait=True)
            engine.dispose()
        if self._short is not None:
            self._short.close()
            self._short.engine.dispose()


def _in_one(engine: Engine, work: Callable[[Connection], T]) -> T:
    with engine.begin() as connection:
        return work(connection)

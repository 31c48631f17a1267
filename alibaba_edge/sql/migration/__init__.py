"""Brings a database's tables to what this version of the program expects, at its start.

A new database gets the tables as they are now; one that an older version left goes through the
revisions between (Alembic, which is imported only then). Several processes may start at once:
one does the work, alone, and the others find it done.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from alibaba_edge.errors import NewerSchemaError

_FIRST = "0001"
_UNNUMBERED = ""  # the first tables, from before their version was written down


@dataclass(frozen=True, slots=True)
class Schema:
    """Tables and their history. `revisions` is a folder of Alembic scripts that ends at `head`."""

    tables: sa.MetaData
    revisions: Path
    head: str
    version_table: str
    oldest_table: str


def bring_to_head(engine: Engine, schema: Schema) -> None:
    """Raises NewerSchemaError for a database that a later version of the program has used."""
    with engine.connect() as connection:
        if _version(connection, schema) == schema.head:
            return
    with _alone(engine, schema) as connection:
        version = _version(connection, schema)
        if version == schema.head:
            return
        if version is None:
            schema.tables.create_all(connection)
            _write_version(connection, schema, schema.head)
        elif version > schema.head:
            raise NewerSchemaError(version, schema.head)
        else:
            if version == _UNNUMBERED:
                _write_version(connection, schema, _FIRST)
            upgrade(connection, schema, to=schema.head)


def upgrade(connection: Connection, schema: Schema, *, to: str) -> None:
    """Runs the revisions up to `to`, in the connection's transaction."""
    from alembic import command  # noqa: PLC0415 - half a second that most starts do not need
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(schema.revisions).replace("%", "%%"))
    config.attributes.update(connection=connection, version_table=schema.version_table)
    command.upgrade(config, to)


def _version(connection: Connection, schema: Schema) -> str | None:
    """The revision of the database; None when it has none of the tables."""
    inspector = sa.inspect(connection)
    if inspector.has_table(schema.version_table):
        return connection.scalar(sa.select(_versions(schema).c.version_num))
    return _UNNUMBERED if inspector.has_table(schema.oldest_table) else None


def _write_version(connection: Connection, schema: Schema, version: str) -> None:
    versions = _versions(schema)
    versions.create(connection, checkfirst=True)
    connection.execute(versions.insert().values(version_num=version))


def _versions(schema: Schema) -> sa.Table:
    """As Alembic makes it."""
    column = sa.Column("version_num", sa.String(32), nullable=False)
    key = sa.PrimaryKeyConstraint("version_num", name=f"{schema.version_table}_pkc")
    return sa.Table(schema.version_table, sa.MetaData(), column, key)


@contextmanager
def _alone(engine: Engine, schema: Schema) -> Iterator[Connection]:
    """One transaction that no other process shares, committed at the end."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            # A table that is rebuilt must not take its dependants along.
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.exec_driver_sql("BEGIN EXCLUSIVE")
        else:
            lock = crc32(schema.version_table.encode())
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock)))
        try:
            yield connection
            connection.commit()
        finally:
            connection.rollback()
            if engine.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA foreign_keys=ON")

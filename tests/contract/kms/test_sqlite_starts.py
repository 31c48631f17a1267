"""Several starts may meet on one new SQLite file: each waits for the other and goes on."""

import multiprocessing
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
import sqlalchemy as sa

from acksim.account.database import SCHEMA as ACCOUNT
from alibaba_edge.errors import DatabaseBusyError
from alibaba_edge.sql import engine as sql_engine
from alibaba_edge.sql.engine import WAIT_SECONDS, open_engine
from alibaba_edge.sql.migration import bring_to_head
from kms_emulator.sql_tables import SCHEMA as KMS

STARTS, FILES = 4, 25
SCHEMAS = {"kms": KMS, "account": ACCOUNT}

# What another start may be doing. SQLite refuses the switch to WAL beside the first and the last
# at once, whatever the busy timeout.
HOLDS = {
    "about to write": ("BEGIN IMMEDIATE",),
    "writing alone": ("BEGIN EXCLUSIVE",),
    "reading": ("CREATE TABLE t (x)", "BEGIN", "SELECT * FROM t"),
    "writing": ("CREATE TABLE t (x)", "BEGIN", "INSERT INTO t VALUES (1)"),
}


def other(path: Path, *statements: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for statement in statements:
        connection.execute(statement).fetchall()
    return connection


@pytest.mark.parametrize("hold", HOLDS)
def test_a_start_waits_for_whoever_holds_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hold: str
) -> None:
    path = tmp_path / "a.db"
    holder = other(path, *HOLDS[hold])
    refused = other(path, "PRAGMA busy_timeout=0")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        refused.execute("PRAGMA journal_mode=WAL")
    refused.close()
    engine = open_engine(path)
    waiting = threading.Event()
    sleep = time.sleep

    def told(seconds: float) -> None:
        waiting.set()
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", told)
    with ThreadPoolExecutor(1) as thread:
        start = thread.submit(bring_to_head, engine, KMS)
        waiting.wait(0.5)  # those that SQLite itself waits for are seen by nobody
        assert not start.done()
        holder.execute("COMMIT")
        start.result()
    with engine.connect() as connection:
        assert connection.scalar(sa.text("PRAGMA journal_mode")) == "wal"
    engine.dispose()
    holder.close()


def test_whoever_never_lets_go_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_engine, "WAIT_SECONDS", 0)
    path = tmp_path / "a.db"
    holder = other(path, "BEGIN IMMEDIATE")
    engine = open_engine(path)
    with pytest.raises(DatabaseBusyError, match=r"a\.db was locked by another program"):
        engine.connect()
    engine.dispose()
    holder.close()


def start(folder: Path, schema: str, together: Barrier) -> None:
    for number in range(FILES):
        engine = open_engine(folder / f"{number}.db")
        together.wait(WAIT_SECONDS)
        bring_to_head(engine, SCHEMAS[schema])
        engine.dispose()


@pytest.mark.parametrize("schema", SCHEMAS)
def test_many_processes_start_at_once_on_many_new_files(tmp_path: Path, schema: str) -> None:
    """So often that each way of meeting comes up."""
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(STARTS)
    starts = [
        context.Process(target=start, args=(tmp_path, schema, together), daemon=True)
        for _ in range(STARTS)
    ]
    for process in starts:
        process.start()
    for process in starts:
        process.join()
    assert [process.exitcode for process in starts] == [0] * STARTS
    for number in range(FILES):
        connection = sqlite3.connect(tmp_path / f"{number}.db")
        count = f"SELECT count(*) FROM {SCHEMAS[schema].version_table}"
        assert connection.execute(count).fetchone() == (1,)
        connection.close()

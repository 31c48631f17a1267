"""`python -m kms_emulator` as a process: what it prints, and what a killed one remembers."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.patience import PATIENCE


@contextmanager
def emulator(database: Path) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    command = [sys.executable, "-m", "kms_emulator", "--port", "0", "--auth", "off"]
    command += ["--database", str(database)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        printed = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", printed)
        assert found, printed
        try:
            with httpx.Client(base_url=found[0], trust_env=False) as client:
                yield process, client
        finally:
            process.kill()


def call(client: httpx.Client, action: str, **parameters: str) -> dict[str, Any]:
    query = {"Action": action, "Version": "2016-01-20", **parameters}
    answer = client.post("/", params=query).raise_for_status()
    body: dict[str, Any] = answer.json()
    return body


def test_a_killed_process_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    database = tmp_path / "kms.db"
    with emulator(database) as (process, client):
        created = client.post("/?Action=CreateKey&Version=2016-01-20").json()
        key_id = created["KeyMetadata"]["KeyId"]
        blob = call(client, "Encrypt", KeyId=key_id, Plaintext="aGVsbG8=")["CiphertextBlob"]
        for number in range(50):
            call(client, "CreateAlias", KeyId=key_id, AliasName=f"alias/a{number}")
        process.send_signal(signal.SIGKILL)
    with emulator(database) as (_, client):
        assert call(client, "Decrypt", CiphertextBlob=blob)["Plaintext"] == "aGVsbG8="
        assert call(client, "ListAliases")["TotalCount"] == 50


def test_a_polite_end_leaves_one_file(tmp_path: Path) -> None:
    database = tmp_path / "kms.db"
    with emulator(database) as (process, client):
        call(client, "CreateKey")
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
    assert [entry.name for entry in tmp_path.iterdir()] == ["kms.db"]

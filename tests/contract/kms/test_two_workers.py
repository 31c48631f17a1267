"""Two processes on one PostgreSQL: what one changes, the other knows at the next request."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest


class Worker:
    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def call(self, action: str, **parameters: str) -> httpx.Response:
        query = {"Action": action, "Version": "2016-01-20", **parameters}
        return self._client.post("/", params=query)

    def code(self, action: str, **parameters: str) -> str:
        return str(self.call(action, **parameters).json().get("Code", "OK"))


@contextmanager
def worker(database: str) -> Iterator[Worker]:
    command = [sys.executable, "-m", "kms_emulator", "--port", "0", "--auth", "off"]
    with subprocess.Popen(
        [*command, "--database", database], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert found
        try:
            with httpx.Client(base_url=found[0], trust_env=False) as client:
                yield Worker(client)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def workers(postgresql: Callable[[], str]) -> Iterator[tuple[Worker, Worker]]:
    database = postgresql()
    with ExitStack() as stack:
        yield stack.enter_context(worker(database)), stack.enter_context(worker(database))


def test_a_key_disabled_at_one_is_refused_at_the_other(workers: tuple[Worker, Worker]) -> None:
    here, there = workers
    key_id = here.call("CreateKey").json()["KeyMetadata"]["KeyId"]
    sealed = there.call("Encrypt", KeyId=key_id, Plaintext="aGk=").json()["CiphertextBlob"]
    for _ in range(3):  # each has used it, so each could have kept it
        assert here.code("DisableKey", KeyId=key_id) == "OK"
        assert there.code("Encrypt", KeyId=key_id, Plaintext="aGk=") == "Rejected.Disabled"
        assert there.code("Decrypt", CiphertextBlob=sealed) == "Rejected.Disabled"
        assert there.code("EnableKey", KeyId=key_id) == "OK"
        assert here.code("Decrypt", CiphertextBlob=sealed) == "OK"


def test_an_alias_moved_at_one_is_moved_at_the_other(workers: tuple[Worker, Worker]) -> None:
    here, there = workers
    first, second = (
        here.call("CreateKey").json()["KeyMetadata"]["KeyId"],
        there.call("CreateKey").json()["KeyMetadata"]["KeyId"],
    )
    here.call("CreateAlias", AliasName="alias/moving", KeyId=first)
    assert there.call("DescribeKey", KeyId="alias/moving").json()["KeyMetadata"]["KeyId"] == first
    there.call("UpdateAlias", AliasName="alias/moving", KeyId=second)
    assert here.call("DescribeKey", KeyId="alias/moving").json()["KeyMetadata"]["KeyId"] == second
    here.call("DeleteAlias", AliasName="alias/moving")
    assert there.code("DescribeKey", KeyId="alias/moving") == "Forbidden.AliasNotFound"


def test_no_text_breaks_the_database(workers: tuple[Worker, Worker]) -> None:
    """PostgreSQL is pickier than SQLite: it takes no NUL, and no text longer than its column."""
    here, _ = workers
    key_id = here.call("CreateKey").json()["KeyMetadata"]["KeyId"]
    for text in ("\0", "a\0b"):
        assert here.code("UpdateKeyDescription", KeyId=key_id, Description=text) == (
            "ParseRequestParameterException"
        )
        assert here.code("DescribeKey", KeyId=text) == "ParseRequestParameterException"
    for text in ("\ud7ff\U0010ffff", "x" * 8192, "'; DROP TABLE kms_keys; --"):
        assert here.code("UpdateKeyDescription", KeyId=key_id, Description=text) == "OK"
        assert here.code("DescribeKey", KeyId=text) == "Forbidden.KeyNotFound"

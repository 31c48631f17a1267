"""Two emulators on one PostgreSQL share credentials, trail, usage and clusters."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kms_emulator.ports import ROOT_CALLER, CallRecord
from sim.account.billing import Billing
from sim.account.credentials import Credentials
from sim.account.database import Database
from sim.account.ledger import Ledger
from sim.account.trail import Trail
from sim.kms import Kms, KmsRefusedError
from sim.listeners import free_port

ACCOUNT = ROOT_CALLER.account_id
ENCRYPT = CallRecord(
    request_id="r-1",
    time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    product="Kms",
    version="2016-01-20",
    action="Encrypt",
    access="Read",
    caller=ROOT_CALLER,
    region="cn-hangzhou",
    source_ip="127.0.0.1",
    user_agent="test",
    host="127.0.0.1:8700",
    parameters={"KeyId": "key-1"},
    http_status=200,
    billable="CryptographicCalls",
    key_id="key-1",
)


def now() -> datetime:
    return datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
async def both(postgresql: Callable[[], str]) -> AsyncIterator[tuple[Database, Database]]:
    url = postgresql()
    pair = Database(url), Database(url)
    yield pair
    for database in pair:
        database.close()


async def test_calls_counted_at_both_are_all_counted(both: tuple[Database, Database]) -> None:
    """Many keys in opposite orders: two writers that lock rows as they come would block."""
    ledgers = [Ledger(database) for database in both]
    orders = [range(100), range(99, -1, -1)]
    await asyncio.gather(
        *(
            ledger.record(replace(ENCRYPT, key_id=f"key-{number}"))
            for _ in range(5)
            for ledger, order in zip(ledgers, orders, strict=True)
            for number in order
        )
    )
    for database in both:
        assert (await Billing(database).bill(ACCOUNT)).calls == 1000
        assert len(await Trail(database).lookup(ACCOUNT, limit=2000)) == 1000


async def test_an_account_made_at_one_calls_at_the_other(both: tuple[Database, Database]) -> None:
    here, there = (Credentials(database, now) for database in both)
    root = await here.new_account("shop")
    session = await here.assume_service_role(root.account_id, "role", "session")
    for access_key_id in (root.access_key_id, session.access_key_id):
        found = await there.access_key(access_key_id)
        assert found is not None
        assert found.caller.account_id == root.account_id


async def test_what_a_client_makes_up_fits_the_columns(both: tuple[Database, Database]) -> None:
    odd = "\0é" * 300
    await Ledger(both[0]).record(replace(ENCRYPT, action=odd, resource_name=odd, billable=None))
    (event,) = await Trail(both[1]).lookup(ACCOUNT, limit=5)
    assert event["eventName"] == odd


@contextmanager
def emulator(data_dir: Path, database: str) -> Iterator[dict[str, Any]]:
    """The whole emulator as a process, without API server: its etcd is never asked."""
    names = ("ACKSIM_PORT", "ACKSIM_TLS_PORT", "ACKSIM_CONTROL_PORT")
    ports = {name: str(free_port()) for name in names}
    command = [sys.executable, "-m", "sim", "serve", "emulator", "--etcd", "http://127.0.0.1:9"]
    process = subprocess.Popen(
        [*command, "--data-dir", str(data_dir)],
        env={**os.environ, **ports, "ACKSIM_DATABASE": database},
        stdin=subprocess.DEVNULL,
    )
    try:
        yield {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def get(url: str) -> Any:
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)


def wait_until_ready(url: str) -> None:
    while True:
        try:
            urllib.request.urlopen(url + "/healthz").close()
        except OSError:
            time.sleep(0.05)
        else:
            return


def test_two_emulators_that_start_at_once(postgresql: Callable[[], str], tmp_path: Path) -> None:
    database = postgresql()
    with ExitStack() as stack:
        one, two = (stack.enter_context(emulator(tmp_path / name, database)) for name in ("1", "2"))
        for worker in (one, two):
            wait_until_ready(worker["ACKSIM_CONTROL_PORT"])
        here, there = (Kms.of_root(worker["ACKSIM_PORT"]) for worker in (one, two))
        key_id = here.describe_key("alias/acksim")["KeyId"]
        clusters = [get(worker["ACKSIM_CONTROL_PORT"] + "/_sim/clusters") for worker in (one, two)]
        assert clusters[0] == clusters[1]
        assert [cluster["key_id"] for cluster in clusters[0]] == [key_id]
        here.call("DisableKey", KeyId=key_id)
        with pytest.raises(KmsRefusedError, match=r"Rejected\.Disabled"):
            there.call("Encrypt", KeyId=key_id, Plaintext="aGk=")
        there.call("EnableKey", KeyId=key_id)
        here.call("Encrypt", KeyId=key_id, Plaintext="aGk=")
        trail = get(two["ACKSIM_CONTROL_PORT"] + "/_sim/trail?name=Encrypt")
        assert [event["errorCode"] for event in trail] == ["", "Rejected.Disabled"]
        assert get(two["ACKSIM_CONTROL_PORT"] + "/_sim/bill")["calls"] == 1

"""Two emulators on one PostgreSQL share credentials, trail, usage and clusters."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from acksim.account.actiontrail.lookup import Lookup, Trail
from acksim.account.billing.costs import Billing
from acksim.account.credentials import Credentials
from acksim.account.database import Database
from acksim.account.ledger import Ledger
from acksim.account.ram.generations import Generations
from acksim.account.ram.roles import MANAGED_SECURITY_ROLE
from acksim.account.sts.sessions import Sessions
from acksim.account.tables import accounts
from acksim.clients.kms import KmsRefusedError
from acksim.clients.trail import TrailQuery
from alibaba_edge.ports import ROOT_CALLER, CallRecord

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
EVERYTHING = Lookup(
    ACCOUNT, "cn-hangzhou", (), datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)
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
        assert len((await Trail(database).page(EVERYTHING, size=2000)).events) == 1000


async def test_an_insert_tells_whether_it_happened(both: tuple[Database, Database]) -> None:
    database = both[0]
    row = {"id": ACCOUNT, "name": "root", "created": 0.0}
    insert = database.insert(accounts).values(row).on_conflict_do_nothing()
    counts = [await database.run(lambda c: c.execute(insert).rowcount) for _ in range(2)]
    assert counts == [1, 0]


async def test_an_account_made_at_one_calls_at_the_other(both: tuple[Database, Database]) -> None:
    here, there = (Credentials(database, Generations(database), now) for database in both)
    root = await here.new_account("shop")
    session = await Sessions(both[0], now).begin_for_service(
        root.account_id, MANAGED_SECURITY_ROLE, "s1"
    )
    for access_key_id in (root.access_key_id, session.access_key_id):
        found = await there.access_key(access_key_id)
        assert found is not None
        assert found.caller.account_id == root.account_id


async def test_what_a_client_makes_up_fits_the_columns(both: tuple[Database, Database]) -> None:
    odd = "\0é" * 300
    await Ledger(both[0]).record(replace(ENCRYPT, action=odd, resource_name=odd, billable=None))
    (event,) = (await Trail(both[1]).page(EVERYTHING, size=5)).events
    assert event["eventName"] == odd.replace("\0", "\ufffd")


def test_two_emulators_that_start_at_once(
    emulator: Callable[..., Any], postgresql: Callable[[], str], tmp_path: Path
) -> None:
    database = postgresql()
    with ExitStack() as stack:
        one, two = (
            stack.enter_context(emulator(tmp_path / name, ACKSIM_DATABASE=database))
            for name in ("1", "2")
        )
        here, there = one.wait().kms(), two.wait().kms()
        key_id = here.describe_key("alias/acksim")["KeyId"]
        clusters = one.get("/_sim/clusters")
        assert clusters == two.get("/_sim/clusters")
        assert [cluster["key_id"] for cluster in clusters] == [key_id]
        here.call("DisableKey", KeyId=key_id)
        with pytest.raises(KmsRefusedError, match=r"Rejected\.Disabled"):
            there.call("Encrypt", KeyId=key_id, Plaintext="aGk=")
        there.call("EnableKey", KeyId=key_id)
        here.call("Encrypt", KeyId=key_id, Plaintext="aGk=")
        trail = list(two.trail().events(TrailQuery({"EventName": "Encrypt"})))
        assert [event["errorCode"] for event in trail] == ["", "Rejected.Disabled"]
        assert two.get("/_sim/bill")["calls"] == 1

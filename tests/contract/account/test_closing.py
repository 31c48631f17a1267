"""Days are closed once, whoever does it and however it ends."""

import asyncio
import random
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from acksim.account.billing.balances import OPENING_CASH, Balances
from acksim.account.billing.china_time import day_of
from acksim.account.billing.closing import Closing
from acksim.account.billing.tables import bill_items, bills, transfers
from acksim.account.database import Database
from alibaba_edge.ports import ROOT_ACCOUNT_ID
from kms_emulator.keys import Key, PrimaryKeyVersion, Scope
from kms_emulator.store import MemoryKeyStore

START = datetime(2026, 1, 30, 1, tzinfo=UTC)
KEPT = Decimal("0.002")


async def closed(database: Database) -> list[tuple[int, Decimal, int]]:
    """Day, amount and number of items, of the root account's KMS bills."""
    query = (
        select(bills.c.day, bills.c.amount, func.count())
        .join(bill_items, (bills.c.day == bill_items.c.day) & (bill_items.c.product == "kms"))
        .where(bills.c.product == "kms", bills.c.account_id == ROOT_ACCOUNT_ID)
        .group_by(bills.c.day, bills.c.amount)
        .order_by(bills.c.day)
    )
    rows = await database.run(lambda connection: connection.execute(query).all())
    return [(day, amount, items) for day, amount, items in rows]


async def test_two_emulators_on_one_database_close_each_day_once(
    postgresql: Callable[[], str],
) -> None:
    url = postgresql()
    databases = Database(url), Database(url)
    store, moment = MemoryKeyStore(), START

    def closing(database: Database) -> Closing:
        return Closing(database, store, Balances(database, lambda: moment), lambda: moment)

    pair = [closing(database) for database in databases]
    await pair[0].settle()
    scope = Scope(ROOT_ACCOUNT_ID, "cn-hangzhou")
    version = PrimaryKeyVersion("k1-v1", START, b"m")
    await store.add(Key(scope, "k1", START, version, ROOT_ACCOUNT_ID))
    for _ in range(5):
        moment += timedelta(days=70)  # three transactions each
        await asyncio.gather(*(one.settle() for one in pair))
    rows = await closed(databases[0])
    assert rows == [(day_of(START) + n, KEPT, 1) for n in range(350)]
    there = Balances(databases[1], lambda: moment)
    assert (await there.of(ROOT_ACCOUNT_ID)).cash == OPENING_CASH - 350 * KEPT
    await there.withdraw(ROOT_ACCOUNT_ID)
    moment += timedelta(days=10)
    await pair[0].settle()
    owing = await there.of(ROOT_ACCOUNT_ID)
    assert owing.suspended
    assert owing.debt == 8 * KEPT
    await there.recharge(ROOT_ACCOUNT_ID, Decimal(1))
    paid = await Balances(databases[0], lambda: moment).of(ROOT_ACCOUNT_ID)
    assert (paid.cash, paid.overdue_since) == (1 - 8 * KEPT, None)
    moved = await databases[0].run(lambda c: list(c.scalars(select(transfers.c.amount))))
    assert sum(moved) == paid.cash + 358 * KEPT
    for database in databases:
        database.close()


@pytest.mark.parametrize("attempt", range(3))
async def test_killed_while_it_closes_years_it_goes_on_where_it_was(
    emulator: Callable[..., Any], tmp_path: Path, attempt: int
) -> None:
    """Each world has one cluster, so a day has a bill of KMS and one of ACK."""
    with emulator(tmp_path) as started:
        started.wait()
        first = day_of(datetime.fromisoformat(started.get("/_sim/clock")["now"]))

        def jump() -> None:
            with suppress(OSError, HTTPException):
                started.post("/_sim/clock", {"advance": "1500d"})

        thread = threading.Thread(target=jump)
        thread.start()
        await asyncio.sleep(random.random() * 0.4)
        started.kill()
        thread.join()
    with emulator(tmp_path) as again:
        again.wait()
        last = day_of(datetime.fromisoformat(again.get("/_sim/clock")["now"]))
        again.post("/_sim/clock", {"advance": "1d"})
        balance = again.get("/_sim/balance")
    database = Database(tmp_path / "account.db")
    rows = await closed(database)
    ack = select(func.count(), func.sum(bills.c.amount)).where(bills.c.product == "ack")
    days, _ = await database.run(lambda connection: connection.execute(ack).one())
    paid = select(bills.c.paid)
    total = sum(await database.run(lambda connection: list(connection.scalars(paid))))
    database.close()
    assert [day for day, _, _ in rows] == list(range(first, last + 1))
    assert {amount for _, amount, _ in rows} == {KEPT}
    assert days == len(rows)
    assert Decimal(balance["cash"]) == OPENING_CASH - total

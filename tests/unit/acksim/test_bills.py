"""Each day is billed once and paid from the balance; money neither appears nor vanishes."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Table, select

from acksim.account.billing.balances import AmountError, Balance, Balances, Terms, amount_of
from acksim.account.billing.china_time import day_of, midnight
from acksim.account.billing.closing import Closing
from acksim.account.billing.debts import Debt, Purse
from acksim.account.billing.money import Money, plain
from acksim.account.billing.prices import Model, price_list
from acksim.account.billing.standing import AccountStanding
from acksim.account.billing.tables import balances, bill_items, bills, transfers
from acksim.account.cluster_tables import clusters
from acksim.account.database import Database
from acksim.account.ledger import Ledger
from acksim.account.tables import usage
from alibaba_edge.errors import InDebtOverdueError
from alibaba_edge.ports import ROOT_ACCOUNT_ID, ROOT_CALLER, CallRecord
from kms_emulator.keys import Key, PrimaryKeyVersion, Scope
from kms_emulator.store import MemoryKeyStore
from tests.effort import examples

HERE = Scope(ROOT_ACCOUNT_ID, "cn-hangzhou")
MORNING = datetime(2026, 1, 30, 1, tzinfo=UTC)  # nine o'clock in China
TODAY = day_of(MORNING)
DAY = timedelta(days=1)
NOTHING = Decimal(0)
CALL = CallRecord(
    request_id="r",
    time=MORNING,
    product="Kms",
    version="2016-01-20",
    action="Encrypt",
    access="Read",
    caller=ROOT_CALLER,
    region="cn-hangzhou",
    source_ip="",
    user_agent="",
    host="",
    parameters={},
    http_status=200,
    billable="CryptographicCalls",
    price_class="basic",
    key_id="k1",
)


class Account:
    """One account with a key, its clock, and everything that bills it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.time = MORNING
        self.store = MemoryKeyStore()
        self.ledger = Ledger(database)
        self.balances = Balances(database, self.now)
        self.closing = self.another_process()
        self.standing = AccountStanding(self.balances, self.now)

    def now(self) -> datetime:
        return self.time

    def another_process(self) -> Closing:
        return Closing(self.database, self.store, Balances(self.database, self.now), self.now)

    async def begin(self, cash: str, *, model: Model = "classic", kept: bool = True) -> None:
        await self.balances.open(ROOT_ACCOUNT_ID, Terms(model=model, cash=Decimal(cash)))
        await self.closing.settle()
        if kept:
            version = PrimaryKeyVersion("k1-v1", self.time, b"m")
            await self.store.add(Key(HERE, "k1", self.time, version, ROOT_ACCOUNT_ID))

    async def call(self, times: int = 1, **changes: Any) -> None:
        for _ in range(times):
            await self.ledger.record(replace(CALL, **({"time": self.time} | changes)))

    async def after(self, passed: timedelta) -> Balance:
        self.time += passed
        await self.closing.settle()
        return await self.balances.of(ROOT_ACCOUNT_ID)

    async def rows(self, table: Table) -> list[Any]:
        return await self.database.run(lambda connection: list(connection.execute(select(table))))

    async def check_books(self) -> None:
        """Cash is what came in less what was paid; a bill is its items; overdue is the oldest."""
        moved = sum(row.amount for row in await self.rows(transfers))
        booked, items = await self.rows(bills), await self.rows(bill_items)
        (balance,) = await self.rows(balances)
        assert balance.cash == moved - sum(row.paid for row in booked)
        assert all(0 <= row.paid <= row.amount for row in booked)
        for bill in booked:
            place = (bill.account_id, bill.day, bill.product)
            of_bill = [row for row in items if (row.account_id, row.day, row.product) == place]
            assert bill.amount == sum(row.amount for row in of_bill)
            assert all(row.amount == row.price * row.quantity for row in of_bill)
        unpaid = [row.day for row in booked if row.paid < row.amount]
        assert balance.overdue_day == min(unpaid, default=None)
        assert not unpaid or balance.cash == 0


@pytest.fixture
async def account(tmp_path: Path) -> AsyncIterator[Account]:
    database = Database(tmp_path / "account.db")
    yield Account(database)
    database.close()


async def test_a_day_is_billed_at_its_end_and_paid_from_the_balance(account: Account) -> None:
    await account.begin("1")
    await account.call(5)
    assert (await account.after(timedelta(hours=14, minutes=59))).cash == 1
    balance = await account.after(timedelta(minutes=1))
    price = 5 * Decimal("0.08") / 10_000 + Decimal("0.002")
    assert (balance.cash, balance.debt) == (1 - price, NOTHING)
    (bill,) = await account.rows(bills)
    assert (bill.day, bill.product, bill.amount, bill.paid) == (TODAY, "kms", price, price)
    assert bill.paid_at == midnight(TODAY + 1)
    await account.after(timedelta(hours=1))
    assert len(await account.rows(bills)) == 1
    await account.check_books()


@pytest.mark.parametrize(("calls", "amount"), [(750, "0.00225"), (2_010_000, "6.03")])
async def test_the_worked_examples_of_the_price_page(
    account: Account, calls: int, amount: str
) -> None:
    """The page writes 0.002 and 6.03 USD."""
    await account.begin("10", kept=False)
    await account.call(region="ap-southeast-1")
    await account.database.run(lambda c: c.execute(usage.update().values(calls=calls)))
    assert (await account.after(DAY)).cash == 10 - Decimal(amount)


async def test_a_call_that_was_under_way_at_midnight_is_billed_with_the_next_day(
    account: Account,
) -> None:
    await account.begin("1", kept=False)
    await account.call()
    late = account.time
    await account.after(DAY)
    await account.call(2, time=late)
    await account.after(DAY)
    items = await account.rows(bill_items)
    assert [(row.day, row.quantity) for row in items] == [(TODAY, 1), (TODAY + 1, 2)]
    await account.check_books()


async def test_two_processes_bill_a_day_once(account: Account) -> None:
    await account.begin("1")
    other = account.another_process()
    await account.after(3 * DAY)
    await other.settle()
    assert len(await account.rows(bills)) == 3


async def test_an_account_opened_after_the_clock_was_set_back_is_billed_from_its_own_day(
    account: Account,
) -> None:
    await account.begin("1")
    await account.after(30 * DAY)
    await account.after(-30 * DAY)
    young = Scope("1000000000000002", "cn-hangzhou")
    await account.balances.open(young.account_id, Terms(cash=Decimal(1)))
    version = PrimaryKeyVersion("k2-v1", account.time, b"m")
    await account.store.add(Key(young, "k2", account.time, version, young.account_id))
    await account.after(2 * DAY)
    days = [(row.account_id, row.day - TODAY) for row in await account.rows(bills)]
    assert days.count((ROOT_ACCOUNT_ID, 0)) == 1  # the old one pays nothing twice
    assert [day for account_id, day in days if account_id == young.account_id] == [0, 1]


async def test_a_jump_over_years_bills_every_day_of_them(account: Account) -> None:
    await account.begin("100")
    balance = await account.after(timedelta(days=1000))
    assert balance.cash == 100 - 1000 * Decimal("0.002")
    assert len(await account.rows(bills)) == 1000


async def test_the_current_model_charges_by_the_day_and_no_calls(account: Account) -> None:
    await account.begin("100", model="instances", kept=False)
    version = PrimaryKeyVersion("k1-v1", account.time, b"m")
    instance = "kst-acksim-software"
    key = Key(HERE, "k1", account.time, version, ROOT_ACCOUNT_ID, instance_id=instance)
    await account.store.add(key)
    await account.call(100)
    assert (await account.after(DAY)).cash == 100 - Decimal("4.5") - Decimal("0.03")


async def test_a_pro_cluster_costs_each_full_hour(account: Account) -> None:
    await account.begin("100", kept=False)
    row: dict[str, Any] = {column.name: "" for column in clusters.c if not column.nullable}
    row |= {"id": "c1", "account_id": ROOT_ACCOUNT_ID, "region": "cn-hangzhou"}
    row |= {"cluster_type": "ManagedKubernetes", "deletion_protection": False}
    row |= {
        "state": "running",
        "incarnation": 0,
        "updated": 0.0,
        "tags": {},
        "options": {},
        "providers": [],
    }
    made = MORNING + timedelta(minutes=20)
    changes: dict[str, dict[str, str]] = {
        "c1": {},
        "c2": {"cluster_spec": "ack.standard"},
        "c3": {"state": "unavailable"},
    }

    def work(connection: Any) -> None:
        for name, change in changes.items():
            values = row | {"id": name, "cluster_spec": "ack.pro.small", "state": "running"}
            values |= {"created": made.timestamp(), **change}
            connection.execute(clusters.insert().values(values))

    await account.database.run(work)
    await account.after(2 * DAY)
    items = await account.rows(bill_items)
    assert {(row.instance_id, row.product) for row in items} == {("c1", "ack")}
    # Made at 9:20: the hours from ten to midnight, then a whole day.
    assert [(row.day - TODAY, row.quantity) for row in items] == [(0, 14), (1, 24)]
    assert items[0].amount == 14 * Decimal("0.09")


async def test_seven_days_of_grace_then_nothing_is_served_and_nothing_charged(
    account: Account,
) -> None:
    await account.begin("0.001")
    balance = await account.after(timedelta(hours=15))
    assert (balance.cash, balance.debt) == (NOTHING, Decimal("0.001"))
    assert balance.overdue_since == datetime.fromtimestamp(midnight(TODAY + 1), UTC)
    assert await account.standing.overdue(ROOT_ACCOUNT_ID)
    await account.after(7 * DAY)
    await account.standing.check(ROOT_ACCOUNT_ID, "Kms", "Encrypt")
    balance = await account.after(timedelta(seconds=1))
    assert balance.suspended
    for product, action in (("Kms", "Encrypt"), ("Kms", "CreateKey"), ("CS", "DeleteCluster")):
        with pytest.raises(InDebtOverdueError):
            await account.standing.check(ROOT_ACCOUNT_ID, product, action)
    for product, action in (
        ("Kms", "DescribeAccountKmsStatus"),
        ("CS", "DescribeClusterDetail"),
        ("Ram", "CreateUser"),
        ("BssOpenApi", "QueryAccountBalance"),
    ):
        await account.standing.check(ROOT_ACCOUNT_ID, product, action)
    await account.standing.check("1000000000000002", "Kms", "Encrypt")
    await account.after(30 * DAY)
    assert len(await account.rows(bills)) == 8
    await account.check_books()


async def test_a_recharge_pays_the_oldest_first_and_lifts_the_suspension_at_once(
    account: Account,
) -> None:
    await account.begin("0")
    assert (await account.after(30 * DAY)).suspended
    balance = await account.balances.recharge(ROOT_ACCOUNT_ID, Decimal("0.01"))
    assert (balance.cash, balance.debt) == (NOTHING, Decimal("0.006"))
    assert balance.suspended  # the sixth day is not paid, and more than seven days ago
    balance = await account.balances.recharge(ROOT_ACCOUNT_ID, Decimal(1))
    assert balance.debt == 0
    assert (balance.overdue_since, balance.suspended) == (None, False)
    await account.standing.check(ROOT_ACCOUNT_ID, "Kms", "Encrypt")
    await account.check_books()
    await account.after(DAY)
    assert [row.day - TODAY for row in await account.rows(bills)] == [*range(8), 30]


async def test_a_standing_learns_within_a_second_what_another_process_did(
    account: Account,
) -> None:
    await account.begin("0")
    await account.after(30 * DAY)
    moment = 0.0
    account.balances.shared = True
    standing = AccountStanding(account.balances, account.now, elapsed=lambda: moment)
    assert await standing.overdue(ROOT_ACCOUNT_ID)
    elsewhere = Balances(account.database, account.now)
    await elsewhere.recharge(ROOT_ACCOUNT_ID, Decimal(1))
    assert await standing.overdue(ROOT_ACCOUNT_ID)
    moment = 1.0
    assert not await standing.overdue(ROOT_ACCOUNT_ID)


async def test_nobody_withdraws_what_is_not_there(account: Account) -> None:
    await account.begin("5")
    with pytest.raises(AmountError):
        await account.balances.withdraw(ROOT_ACCOUNT_ID, Decimal(6))
    assert (await account.balances.withdraw(ROOT_ACCOUNT_ID, Decimal(2))).cash == 3
    assert (await account.balances.withdraw(ROOT_ACCOUNT_ID)).cash == 0
    for refused in (account.balances.recharge, account.balances.withdraw):
        with pytest.raises(AmountError):
            await refused(ROOT_ACCOUNT_ID, Decimal(-1))
    await account.check_books()


async def test_calls_of_a_cluster_are_counted_apart(account: Account) -> None:
    cluster_keys = {"STS.one": "c1"}
    ledger = Ledger(account.database, cluster_of=lambda key: cluster_keys.get(key, ""))
    for access_key_id in ("STS.one", "STS.two", "STS.one"):
        caller = replace(ROOT_CALLER, access_key_id=access_key_id)
        await ledger.record(replace(CALL, caller=caller))
    counted = {row.cluster_id: row.calls for row in await account.rows(usage)}
    assert counted == {"c1": 2, "": 1}


Step = tuple[str, int]
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.integers(1, 3)),
        st.tuples(st.just("hours"), st.integers(1, 24)),
        st.tuples(st.just("recharge"), st.integers(1, 4)),
        st.tuples(st.just("withdraw"), st.just(0)),
    ),
    max_size=8,
)


async def played(
    account: Account, steps: list[Step], *, every_hour: bool
) -> dict[str, list[tuple[Any, ...]]]:
    """The books after it; `every_hour`: with a tick at each hour that passes."""
    await account.begin("0.01")
    for kind, size in steps:
        if kind == "call":
            await account.call(size)
        elif kind == "recharge":
            await account.balances.recharge(ROOT_ACCOUNT_ID, size * Decimal("0.01"))
        elif kind == "withdraw":
            await account.balances.withdraw(ROOT_ACCOUNT_ID)
        else:
            for _ in range(size if every_hour else 1):
                await account.after(timedelta(hours=1 if every_hour else size))
        await account.check_books()
    tables = (balances, bills, bill_items, usage)
    return {table.name: [tuple(row) for row in await account.rows(table)] for table in tables}


@settings(
    max_examples=examples(2, ci=8),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS)
async def test_money_is_conserved_and_ticks_in_between_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    folder = tmp_path_factory.mktemp("books")
    ends = []
    for every_hour in (True, False):
        database = Database(folder / f"{every_hour}.db")
        try:
            ends.append(await played(Account(database), steps, every_hour=every_hour))
        finally:
            database.close()
    assert ends[0] == ends[1]
    prices = price_list()
    counted = [row for row in ends[0]["bill_items"] if row[4] == "calls-basic"]
    billed = [row[9] for row in ends[0]["usage"]]
    assert sum(row[6] for row in counted) == sum(billed)
    assert sum((row[8] for row in counted), Decimal(0)) == sum(billed) * prices.of_call(
        "cn-hangzhou", "basic"
    )


@given(st.lists(st.decimals(0, 100, places=4), max_size=8), st.decimals(0, 300, places=2))
def test_payment_takes_the_oldest_first_and_no_more_than_there_is(
    amounts: list[Decimal], cash: Decimal
) -> None:
    debts = [Debt(day, "kms", amount, Decimal(0)) for day, amount in enumerate(amounts)]
    purse, changed = Purse(cash).pay(debts)
    paid = {debt.day: debt.paid for debt in changed}
    assert purse.cash + sum(paid.values()) == cash
    assert purse.cash == max(Decimal(0), cash - sum(amounts))
    open_days = [debt.day for debt in debts if debt.amount > paid.get(debt.day, 0)]
    assert purse.overdue_day == min(open_days, default=None)


@given(st.decimals(-(10**9), 10**9, places=8))
def test_amounts_come_back_from_the_database_as_they_were(amount: Decimal) -> None:
    money: Callable[..., Any] = Money().process_bind_param
    assert Money().process_result_value(money(amount, None), None) == amount  # type: ignore[arg-type]
    assert Decimal(plain(amount)) == amount


def test_an_amount_is_written_with_cents_and_without_exponent() -> None:
    texts = ("1E+3", "0.5", "0.00225", "-7")
    assert [plain(Decimal(text)) for text in texts] == ["1000.00", "0.50", "0.00225", "-7.00"]
    for wrong in ("ten", "0.001", "NaN", "1e99", ""):
        with pytest.raises(AmountError):
            amount_of(wrong)

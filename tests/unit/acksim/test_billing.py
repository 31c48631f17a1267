"""Calls and days at the published prices, with Alibaba Cloud's own worked examples."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from acksim.account.billing import hosting as meter
from acksim.account.billing.balances import Balances
from acksim.account.billing.closing import Closing
from acksim.account.billing.costs import Bill, Billing
from acksim.account.billing.prices import Currency, PriceUnknownError, price_list
from acksim.account.database import Database
from acksim.account.ledger import Ledger
from alibaba_edge.ports import ROOT_ACCOUNT_ID, ROOT_CALLER, CallRecord
from kms_emulator.keys import Key, KeyState, KeyVersion, PrimaryKeyVersion, Scope
from kms_emulator.store import KeyStore, MemoryKeyStore

HERE = Scope(ROOT_ACCOUNT_ID, "cn-hangzhou")
NOON = datetime(2026, 1, 30, 4, tzinfo=UTC)  # in China
DAY = timedelta(days=1)
CALL = CallRecord(
    request_id="r",
    time=NOON,
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
    price_class="advanced",
    key_id="k1",
)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "account.db")
    yield database
    database.close()


class Kept:
    """Keys, a clock and the meter."""

    def __init__(self, database: Database) -> None:
        self.store: KeyStore = MemoryKeyStore()
        self.time = NOON
        self.database = database
        self.closing = self.another()

    def another(self) -> Closing:
        """As in another process."""
        balances = Balances(self.database, lambda: self.time)
        return Closing(self.database, self.store, balances, lambda: self.time)

    async def after(self, passed: timedelta) -> Bill:
        self.time += passed
        await self.closing.settle()
        return await Billing(self.database).bill(ROOT_ACCOUNT_ID)


@pytest.fixture
async def kept(database: Database) -> Kept:
    kept = Kept(database)
    await kept.closing.settle()
    return kept


def key(name: str = "k1", **changes: object) -> Key:
    plain = Key(HERE, name, NOON, PrimaryKeyVersion(f"{name}-v1", NOON, b"m"), ROOT_ACCOUNT_ID)
    return replace(plain, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("region", "item", "currency", "calls", "amount"),
    [
        ("ap-southeast-1", "basic", "USD", 750, "0.00225"),  # the page rounds to 0.002
        ("ap-southeast-1", "basic", "USD", 2_010_000, "6.03"),
        ("cn-hangzhou", "basic", "USD", 10_000, "0.08"),
        ("cn-hongkong", "basic", "USD", 10_000, "0.03"),
        ("cn-hangzhou", "advanced", "USD", 10_000, "0.24"),
        ("eu-central-1", "advanced", "CNY", 10_000, "1.068"),
        ("cn-hangzhou", "service", "USD", 10_000, "0"),
        ("cn-hangzhou", "CryptographicCalls", "USD", 10_000, "0.08"),
    ],
)
def test_prices_of_calls(
    region: str, item: str, currency: Currency, calls: int, amount: str
) -> None:
    assert price_list("classic", currency).of_call(region, item) * calls == Decimal(amount)


def test_calls_are_free_with_instances() -> None:
    prices = price_list("instances")
    assert prices.of_call("cn-hangzhou", "advanced") == 0
    assert prices.of_day("instance-software") == Decimal("4.5")
    with pytest.raises(PriceUnknownError):
        price_list("instances", "CNY")


async def test_a_day_counts_when_it_has_passed(kept: Kept) -> None:
    await kept.store.add(key())
    assert (await kept.after(timedelta(hours=11))).hosting == ()
    (item,) = (await kept.after(timedelta(hours=1))).hosting  # midnight in China
    assert (item.month, item.days, item.amount) == (202601, 1, Decimal("0.002"))
    assert (await kept.after(timedelta(hours=23))).hosting == (item,)


async def test_a_clock_that_jumps_passes_every_midnight(kept: Kept) -> None:
    await kept.store.add(key())
    bill = await kept.after(10 * DAY)
    assert [(item.month, item.days) for item in bill.hosting] == [(202601, 2), (202602, 8)]
    assert bill.total == Decimal("0.020")


async def test_each_version_costs_from_its_creation(kept: Kept) -> None:
    await kept.store.add(key())
    await kept.after(2 * DAY)
    old = KeyVersion("k1-v1", NOON, b"m")
    new = PrimaryKeyVersion("k1-v2", kept.time, b"n")
    await kept.store.replace(key(primary=new, retired=(old,), revision=2))
    bill = await kept.after(3 * DAY)
    assert sum(item.days for item in bill.hosting) == 2 + 3 * 2


async def test_a_key_that_waits_for_its_deletion_is_free(kept: Kept) -> None:
    await kept.store.add(key())
    pending = key(state=KeyState.PENDING_DELETION, delete_at=NOON + 99 * DAY, revision=2)
    await kept.store.replace(pending)
    assert (await kept.after(5 * DAY)).hosting == ()
    await kept.store.replace(key(state=KeyState.DISABLED, revision=3))
    assert sum(item.days for item in (await kept.after(2 * DAY)).hosting) == 2


async def test_keys_are_priced_by_their_kind(kept: Kept) -> None:
    await kept.store.add(key("software"))
    await kept.store.add(key("service", creator="OSS"))
    await kept.store.add(key("hsm", protection_level="HSM"))
    await kept.store.add(key("ec", protection_level="HSM", spec="EC_P256"))
    bill = await kept.after(DAY)
    assert {item.key_id: item.amount for item in bill.hosting} == {
        "software": Decimal("0.002"),
        "service": Decimal(0),
        "hsm": Decimal("0.033"),
        "ec": Decimal("0.083"),
    }


async def test_beyond_the_tier_advanced_keys_are_cheaper(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meter, "ADVANCED_TIER", 2)
    for number in range(3):
        await kept.store.add(key(f"k{number}", protection_level="HSM", spec="EC_P256"))
    assert (await kept.after(DAY)).total == 2 * Decimal("0.083") + Decimal("0.033")


async def test_an_instance_costs_once_however_many_keys_it_has(kept: Kept) -> None:
    for name in ("a", "b"):
        await kept.store.add(key(name, instance_id="kst-acksim-software"))
    await kept.after(DAY)
    bill = await Billing(kept.database).bill(ROOT_ACCOUNT_ID, model="instances")
    assert bill.total == Decimal("4.5") + 2 * Decimal("0.03")
    assert (await Billing(kept.database).bill(ROOT_ACCOUNT_ID)).total == 0


async def test_two_meters_count_a_day_once(kept: Kept) -> None:
    await kept.store.add(key())
    kept.time += 3 * DAY
    other = kept.another()
    await kept.closing.settle()
    await other.settle()
    assert sum(item.days for item in (await kept.after(timedelta())).hosting) == 3


async def test_a_clock_set_back_charges_nothing_twice(kept: Kept) -> None:
    await kept.store.add(key())
    await kept.after(3 * DAY)
    await kept.after(-2 * DAY)
    assert sum(item.days for item in (await kept.after(2 * DAY)).hosting) == 3


async def test_usage_is_kept_by_the_hour(database: Database) -> None:
    ledger = Ledger(database)
    for later in (timedelta(), timedelta(minutes=59), timedelta(minutes=60)):
        await ledger.record(replace(CALL, time=NOON + later))
    rows = await Billing(database).usage(ROOT_ACCOUNT_ID)
    first = int(NOON.timestamp()) // 3600
    assert [(row.hour, row.calls) for row in rows] == [(first, 2), (first + 1, 1)]
    bill = await Billing(database).bill(ROOT_ACCOUNT_ID)
    assert (bill.calls, bill.total) == (3, 3 * Decimal("0.24") / 10_000)


async def test_a_call_counts_on_the_day_it_has_in_china(kept: Kept) -> None:
    """Midnight there is 16:00 UTC; 08:00 there is midnight UTC, where no day begins."""
    ledger = Ledger(kept.database)
    before_midnight = datetime(2026, 1, 29, 15, 59, 59, tzinfo=UTC)
    calls = {
        before_midnight: "2026-01-29",
        before_midnight + timedelta(seconds=1): "2026-01-30",
        before_midnight + timedelta(hours=8): "2026-01-30",  # 07:59:59 in China
        before_midnight + timedelta(hours=8, seconds=1): "2026-01-30",
        before_midnight + timedelta(hours=24): "2026-01-30",
        before_midnight + timedelta(hours=24, seconds=1): "2026-01-31",
    }
    for number, time in enumerate(calls):
        await ledger.record(replace(CALL, request_id=f"r{number}", time=time))
    account = await Balances(kept.database, lambda: kept.time).of(ROOT_ACCOUNT_ID)
    costs = Billing(kept.database)
    by_day = await costs.costs(account, by="day")
    assert {part["part"]: part["calls"] for part in by_day["parts"] if part["calls"]} == {
        "2026-01-29": 1,
        "2026-01-30": 4,
        "2026-01-31": 1,
    }
    one_day = await costs.costs(account, by="day", first=date(2026, 1, 30), last=date(2026, 1, 30))
    assert one_day["calls"] == 4

"""What the counted calls and days cost, by a price list."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, cast, func, select

from sim.account.database import Database
from sim.account.prices import Currency, Model, PriceList, price_list
from sim.account.tables import hosting, usage


@dataclass(frozen=True, slots=True)
class CallItem:
    """One priced line: the calls of one action by one caller on one key in one region."""

    region: str
    item: str
    action: str
    caller: str
    key_id: str
    calls: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class HostingItem:
    """One priced line: the versions of one key, or an instance, kept for so many days."""

    region: str
    item: str
    month: int
    key_id: str
    days: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class UsageHour:
    """How often one caller used one key for one action within an hour (hours since 1970)."""

    hour: int
    region: str
    action: str
    caller: str
    key_id: str
    calls: int


@dataclass(frozen=True, slots=True)
class Bill:
    """All lines of an account so far."""

    currency: str
    items: tuple[CallItem, ...]
    hosting: tuple[HostingItem, ...]

    @property
    def calls(self) -> int:
        return sum(item.calls for item in self.items)

    @property
    def total(self) -> Decimal:
        amounts = [item.amount for item in self.items] + [item.amount for item in self.hosting]
        return sum(amounts, Decimal(0))

    def as_json(self) -> dict[str, Any]:
        """Amounts as decimal strings; sub-cent amounts are kept."""
        return {
            "currency": self.currency,
            "calls": self.calls,
            "total": str(self.total),
            "items": [{**asdict(item), "amount": str(item.amount)} for item in self.items],
            "hosting": [{**asdict(item), "amount": str(item.amount)} for item in self.hosting],
        }


class Billing:
    """Prices what the ledger and the hosting meter counted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def bill(
        self, account_id: str, *, model: Model = "classic", currency: Currency = "USD"
    ) -> Bill:
        """Raises PriceUnknownError."""
        prices = price_list(model, currency)
        calls, days = await self._database.run(
            lambda connection: (_calls(connection, account_id), _days(connection, account_id))
        )
        return Bill(
            currency,
            tuple(_call_item(prices, row) for row in calls),
            tuple(_hosting_item(prices, row) for row in days),
        )

    async def usage(self, account_id: str, *, since_hour: int = 0) -> list[UsageHour]:
        """The counters themselves, hour by hour."""
        columns = (usage.c.hour, usage.c.region, usage.c.action, usage.c.caller, usage.c.key_id)
        query = (
            select(*columns, cast(func.sum(usage.c.calls), BigInteger))
            .where(usage.c.account_id == account_id, usage.c.hour >= since_hour)
            .group_by(*columns)
            .order_by(*columns)
        )
        rows = await self._database.run(lambda connection: connection.execute(query).all())
        return [UsageHour(*row) for row in rows]


def _calls(connection: Connection, account_id: str) -> list[Row[Any]]:
    columns = (usage.c.region, usage.c.item, usage.c.action, usage.c.caller, usage.c.key_id)
    query = (
        select(*columns, cast(func.sum(usage.c.calls), BigInteger).label("calls"))
        .where(usage.c.account_id == account_id)
        .group_by(*columns)
        .order_by(*columns)
    )
    return list(connection.execute(query))


def _days(connection: Connection, account_id: str) -> list[Row[Any]]:
    columns = (hosting.c.region, hosting.c.item, hosting.c.month, hosting.c.key_id)
    query = (
        select(*columns, hosting.c.days)
        .where(hosting.c.account_id == account_id)
        .order_by(*columns)
    )
    return list(connection.execute(query))


def _call_item(prices: PriceList, row: Sequence[Any]) -> CallItem:
    region, item, action, caller, key_id, calls = row
    amount = prices.of_call(region, item) * calls
    return CallItem(region, item, action, caller, key_id, calls, amount)


def _hosting_item(prices: PriceList, row: Sequence[Any]) -> HostingItem:
    region, item, month, key_id, days = row
    return HostingItem(region, item, month, key_id, days, prices.of_day(item) * days)

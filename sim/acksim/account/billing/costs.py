"""What the counted calls and days cost: all so far by any price list, or divided up."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import BigInteger, Connection, Row, cast, func, select

from acksim.account.billing.balances import Balance
from acksim.account.billing.china_time import date_of, day_of_date, day_of_hour, first_hour
from acksim.account.billing.money import plain
from acksim.account.billing.prices import Currency, Model, PriceList, price_list
from acksim.account.billing.tables import bill_items
from acksim.account.database import Database
from acksim.account.tables import hosting, usage

Division = Literal["cluster", "key", "caller", "action", "region", "day", "month"]

_FOREVER = 2**31 - 1
_NOBODY = "-"


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
    """How often one caller used one key for one action within an hour (hours since 1970).

    `cluster_id`: of the cluster whose plugin called, else empty.
    """

    hour: int
    region: str
    action: str
    caller: str
    key_id: str
    cluster_id: str
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


@dataclass(slots=True)
class Share:
    """What one part of the account has cost: its calls, and what was kept for it."""

    calls: int = 0
    called: Decimal = Decimal(0)
    kept: Decimal = Decimal(0)


class Billing:
    """Prices what the ledger and the closing of days counted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def bill(
        self, account_id: str, *, model: Model = "classic", currency: Currency = "USD"
    ) -> Bill:
        """KMS by a list of one's choice, whatever the account pays. Raises PriceUnknownError."""
        prices = price_list(model, currency)
        calls, days = await self._database.run(
            lambda connection: (_calls(connection, account_id), _days(connection, account_id))
        )
        return Bill(
            currency,
            tuple(_call_item(prices, row) for row in calls),
            tuple(_hosting_item(prices, row) for row in days),
        )

    async def costs(
        self,
        account: Balance,
        *,
        by: Division,
        first: date | None = None,
        last: date | None = None,
    ) -> dict[str, Any]:
        """By the account's own list, from the day `first` through `last`.

        Calls are counted up to now; keys and clusters cost at the end of each day. What belongs
        to no part, such as the keeping of a key to no caller, stands under `-`.
        """
        begin = 0 if first is None else day_of_date(first)
        end = _FOREVER if last is None else day_of_date(last) + 1
        prices = price_list(account.model, account.currency)
        used, kept = await self._database.run(
            lambda connection: (
                _used(connection, account.account_id, begin, end),
                _kept(connection, account.account_id, begin, end),
            )
        )
        shares: dict[str, Share] = defaultdict(Share)
        for row in used:
            share = shares[_part_of_call(row, by)]
            share.calls += row.calls
            share.called += prices.of_call(row.region, row.item) * row.calls
        for row in kept:
            shares[_part_of_kept(row, by)].kept += row.amount
        return _costs_json(account, shares)

    async def usage(self, account_id: str, *, since_hour: int = 0) -> list[UsageHour]:
        """The counters themselves, hour by hour."""
        columns = (
            usage.c.hour,
            usage.c.region,
            usage.c.action,
            usage.c.caller,
            usage.c.key_id,
            usage.c.cluster_id,
        )
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


def _used(connection: Connection, account_id: str, begin: int, end: int) -> list[Row[Any]]:
    query = select(usage).where(
        usage.c.account_id == account_id,
        usage.c.hour >= first_hour(begin),
        usage.c.hour < min(first_hour(end), _FOREVER),
    )
    return list(connection.execute(query))


def _kept(connection: Connection, account_id: str, begin: int, end: int) -> list[Row[Any]]:
    query = select(bill_items).where(
        bill_items.c.account_id == account_id,
        bill_items.c.day >= begin,
        bill_items.c.day < end,
        bill_items.c.item.not_like("calls-%"),
    )
    return list(connection.execute(query))


def _call_item(prices: PriceList, row: Sequence[Any]) -> CallItem:
    region, item, action, caller, key_id, calls = row
    amount = prices.of_call(region, item) * calls
    return CallItem(region, item, action, caller, key_id, calls, amount)


def _hosting_item(prices: PriceList, row: Sequence[Any]) -> HostingItem:
    region, item, month, key_id, days = row
    return HostingItem(region, item, month, key_id, days, prices.of_day(item) * days)


def _part_of_call(row: Any, by: Division) -> str:
    if by in {"day", "month"}:
        return _period(day_of_hour(row.hour), by)
    name = "key_id" if by == "key" else "cluster_id" if by == "cluster" else by
    return getattr(row, name) or _NOBODY


def _part_of_kept(row: Any, by: Division) -> str:
    if by in {"day", "month"}:
        return _period(row.day, by)
    if by == "region":
        return str(row.region)
    of_cluster = row.item.startswith("hours-")
    belongs = (by == "cluster" and of_cluster) or (by == "key" and not of_cluster)
    return str(row.instance_id) if belongs else _NOBODY


def _period(day: int, by: Division) -> str:
    text = date_of(day).isoformat()
    return text if by == "day" else text[:7]


def _costs_json(account: Balance, shares: dict[str, Share]) -> dict[str, Any]:
    total = sum((share.called + share.kept for share in shares.values()), Decimal(0))
    return {
        "currency": account.currency,
        "model": account.model,
        "total": plain(total),
        "calls": sum(share.calls for share in shares.values()),
        "parts": [
            {
                "part": part,
                "calls": share.calls,
                "of_calls": plain(share.called),
                "of_keeping": plain(share.kept),
                "total": plain(share.called + share.kept),
            }
            for part, share in sorted(shares.items())
        ],
    }

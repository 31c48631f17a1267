"""The end of each day: what was used and kept is priced, billed and paid, once.

At each midnight of China Standard Time, in one transaction for at most a month of days. Every
account knows the first day that is not closed: of several processes on one database one closes
each day, and a process that dies has closed all of it or nothing. Calls that were counted late,
because they were under way at midnight, are billed with the next day.
"""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from acksim.account.billing.balances import Balances, Terms
from acksim.account.billing.china_time import (
    day_of,
    day_of_hour,
    first_hour,
    midnight,
    month_end,
    month_of,
)
from acksim.account.billing.debts import Purse
from acksim.account.billing.hosting import ClusterStay, Stay, stays_of_clusters, stays_of_keys
from acksim.account.billing.prices import PriceList, price_list
from acksim.account.billing.tables import balances, bill_items, bills
from acksim.account.database import Database
from acksim.account.ledger import USAGE_KEY
from acksim.account.tables import hosting, meters, usage
from kms_emulator.store import KeyStore

logger = logging.getLogger(__name__)

KMS = "kms"
ACK = "ack"
_METER = "hosting"
_EVERY_SECONDS = 1.0
_HOSTING_KEY = ("account_id", "region", "month", "item", "key_id")

Place = tuple[str, str, str, str]  # product, region, item, instance
CallsByDay = dict[int, Counter[tuple[str, str, str]]]  # region, item, key


@dataclass(slots=True)
class Used:
    """What one account used in the days to close."""

    calls: CallsByDay = field(default_factory=dict)
    stays: list[Stay] = field(default_factory=list)
    clusters: list[ClusterStay] = field(default_factory=list)


class Closing:
    """Closes days."""

    def __init__(
        self,
        database: Database,
        keys: KeyStore,
        balances: Balances,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._keys = keys
        self._balances = balances
        self._now = now
        self._settled: tuple[int, int] | None = None  # the day, and what had changed by then

    async def settle(self) -> None:
        """Closes every day that has passed since the last time."""
        today = day_of(self._now())
        if self._settled == (today, self._balances.changes):
            return
        first = await self._database.run(lambda connection: self._first(connection, today))
        stays = await stays_of_keys(self._keys) if first < today else []
        while first < today:
            end = min(today, month_end(first))
            await self._database.run(lambda c, end=end: self._close(c, end, stays))  # type: ignore[misc]
            self._balances.changes += 1
            first = end
        self._settled = (today, self._balances.changes)

    async def settle_regularly(self) -> None:
        while True:
            try:
                await self.settle()
            except Exception:
                logger.exception("could not close the day; trying again")
            await asyncio.sleep(_EVERY_SECONDS)

    def _first(self, connection: Connection, today: int) -> int:
        """The first day that some account has not closed; a new world begins today."""
        begin = self._database.insert(meters).values(name=_METER, day=today)
        connection.execute(begin.on_conflict_do_nothing())
        world: int = connection.execute(_METERED).scalar_one()
        first: int | None = connection.execute(select(func.min(balances.c.next_day))).scalar()
        return world if first is None else min(world, first)

    def _close(self, connection: Connection, end: int, stays: Sequence[Stay]) -> None:
        """All days before `end`, of every account."""
        used = _used(connection, end, stays)
        world: int = connection.execute(_METERED).scalar_one()
        for account_id in sorted(used):
            self._balances.add(connection, account_id, Terms(), first_day=world)
        rows = _Rows()
        open_accounts = (
            select(balances)
            .where(balances.c.next_day < end)
            .order_by(balances.c.account_id)
            .with_for_update()
        )
        for account in connection.execute(open_accounts).all():
            if account.account_id in used:
                self._bill(connection, account, used[account.account_id], end, rows)
        connection.execute(update(balances).where(balances.c.next_day < end).values(next_day=end))
        connection.execute(
            update(meters).where(meters.c.name == _METER, meters.c.day < end).values(day=end)
        )
        self._write(connection, rows)

    def _bill(
        self, connection: Connection, account: Any, used: Used, end: int, rows: "_Rows"
    ) -> None:
        account_id = account.account_id
        used.calls = _calls(connection, account, end)
        prices = price_list(account.model, account.currency)
        purse = Purse(account.cash, account.overdue_day)
        for day in range(account.next_day, end):
            quantities = _quantities(used, day, kept=not purse.suspended_through(day))
            amounts: dict[str, Decimal] = {}
            for place, quantity in sorted(quantities.items()):
                price = _price(prices, place)
                rows.add_item(account_id, day, place, quantity, price)
                amounts[place[0]] = amounts.get(place[0], Decimal(0)) + price * quantity
            for product, amount in amounts.items():
                purse, paid = purse.charge(day, amount)
                rows.add_bill(account, day, product, amount, paid)
        connection.execute(
            update(balances)
            .where(balances.c.account_id == account_id)
            .values(cash=purse.cash, overdue_day=purse.overdue_day)
        )

    def _write(self, connection: Connection, rows: "_Rows") -> None:
        if rows.bills:
            connection.execute(bills.insert(), rows.bills)
        if rows.items:
            connection.execute(bill_items.insert(), rows.items)
        if rows.kept:
            insert = self._database.insert(hosting)
            connection.execute(
                insert.on_conflict_do_update(
                    index_elements=list(_HOSTING_KEY),
                    set_={"days": hosting.c.days + insert.excluded.days},
                ),
                [
                    dict(zip(_HOSTING_KEY, place, strict=True)) | {"days": days}
                    for place, days in sorted(rows.kept.items())
                ],
            )


_MARK_BILLED = (
    update(usage)
    .where(*(usage.c[name] == bindparam(f"of_{name}") for name in USAGE_KEY))
    .values(billed=bindparam("of_calls"))
)
_METERED = select(meters.c.day).where(meters.c.name == _METER)


class _Rows:
    """What is written at the end, all at once."""

    def __init__(self) -> None:
        self.bills: list[dict[str, Any]] = []
        self.items: list[dict[str, Any]] = []
        self.kept: Counter[tuple[str, str, int, str, str]] = Counter()

    def add_item(
        self, account_id: str, day: int, place: Place, quantity: int, price: Decimal
    ) -> None:
        product, region, item, instance_id = place
        self.items.append(
            {
                "account_id": account_id,
                "day": day,
                "product": product,
                "region": region,
                "item": item,
                "instance_id": instance_id,
                "quantity": quantity,
                "price": price,
                "amount": price * quantity,
            }
        )
        kind, _, name = item.partition("-")
        if kind == "days":
            self.kept[account_id, region, month_of(day), name, instance_id] += quantity

    def add_bill(
        self, account: Any, day: int, product: str, amount: Decimal, paid: Decimal
    ) -> None:
        self.bills.append(
            {
                "account_id": account.account_id,
                "day": day,
                "product": product,
                "model": account.model,
                "currency": account.currency,
                "amount": amount,
                "paid": paid,
                "paid_at": midnight(day + 1) if paid == amount else None,
            }
        )


def _used(connection: Connection, end: int, stays: Sequence[Stay]) -> dict[str, Used]:
    """By account: who has anything to bill, and what they keep."""
    found: dict[str, Used] = defaultdict(Used)
    callers = (
        select(usage.c.account_id)
        .distinct()
        .where(usage.c.hour < first_hour(end), usage.c.billed < usage.c.calls)
    )
    for account_id in connection.scalars(callers):
        found[account_id] = Used()
    for stay in stays:
        found[stay.account_id].stays.append(stay)
    for cluster in stays_of_clusters(connection):
        found[cluster.account_id].clusters.append(cluster)
    return found


def _calls(connection: Connection, account: Any, end: int) -> CallsByDay:
    """Those not billed yet, which they are from now on. The account's row must be locked."""
    unbilled = select(usage).where(
        usage.c.account_id == account.account_id,
        usage.c.hour < first_hour(end),
        usage.c.billed < usage.c.calls,
    )
    calls: CallsByDay = defaultdict(Counter)
    marks: list[dict[str, Any]] = []
    for row in connection.execute(unbilled):
        day = max(account.next_day, day_of_hour(row.hour))
        calls[day][row.region, row.item, row.key_id] += row.calls - row.billed
        marks.append({f"of_{name}": getattr(row, name) for name in (*USAGE_KEY, "calls")})
    if marks:
        # In the ledger's order, so that neither waits for the other; and only what was read.
        marks.sort(key=lambda mark: [mark[f"of_{name}"] for name in USAGE_KEY])
        connection.execute(_MARK_BILLED, marks)
    return calls


def _quantities(used: Used, day: int, *, kept: bool) -> Counter[Place]:
    """What one day's bill counts; of a suspended account what is `kept` is free."""
    counts: Counter[Place] = Counter()
    for (region, item, key_id), calls in used.calls.get(day, {}).items():
        counts[KMS, region, f"calls-{item}", key_id] += calls
    if kept:
        for stay in used.stays:
            if stay.begin <= day:
                counts[KMS, stay.region, f"days-{stay.item}", stay.key_id] += stay.versions
        for cluster in used.clusters:
            if hours := cluster.hours(day):
                counts[ACK, cluster.region, "hours-pro", cluster.cluster_id] += hours
    return counts


def _price(prices: PriceList, place: Place) -> Decimal:
    _product, region, item, _instance = place
    kind, _, name = item.partition("-")
    if kind == "calls":
        return prices.of_call(region, name)
    return prices.of_day(name) if kind == "days" else prices.of_hour(name)

"""The end of each day: what was used and kept is priced, billed and paid, once.

At each midnight of China Standard Time, in one transaction for at most a month of days: the days
are taken from the meter, so that of several processes on one database one closes each day, and a
process that dies has closed all of it or nothing. Calls that were counted late, because they were
under way at midnight, are billed with the next day.
"""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from kms_emulator.store import KeyStore
from sim.account.billing.balances import Balances
from sim.account.billing.china_time import (
    day_of,
    day_of_hour,
    first_hour,
    midnight,
    month_end,
    month_of,
)
from sim.account.billing.debts import Purse
from sim.account.billing.hosting import ClusterStay, Stay, stays_of_clusters, stays_of_keys
from sim.account.billing.prices import PriceList, price_list
from sim.account.billing.tables import balances, bill_items, bills
from sim.account.database import Database
from sim.account.ledger import USAGE_KEY
from sim.account.tables import hosting, meters, usage

logger = logging.getLogger(__name__)

KMS = "kms"
ACK = "ack"
_METER = "hosting"
_EVERY_SECONDS = 1.0
_HOSTING_KEY = ("account_id", "region", "month", "item", "key_id")

Place = tuple[str, str, str, str]  # product, region, item, instance


@dataclass(slots=True)
class Used:
    """What one account used in the days to close."""

    calls: dict[int, Counter[tuple[str, str, str]]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
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
        self._next: int | None = None  # as far as this process knows

    async def settle(self) -> None:
        """Closes every day that has passed since the last time."""
        today = day_of(self._now())
        if self._next is not None and self._next >= today:
            return
        first = await self._database.run(lambda connection: self._first(connection, today))
        stays = await stays_of_keys(self._keys, first) if first < today else []
        while first < today:
            first = await self._close(first, min(today, month_end(first)), stays)
        self._next = first

    async def settle_regularly(self) -> None:
        while True:
            try:
                await self.settle()
            except Exception:
                logger.exception("could not close the day; trying again")
            await asyncio.sleep(_EVERY_SECONDS)

    def _first(self, connection: Connection, today: int) -> int:
        """The first day not closed yet; a new world begins today."""
        begin = self._database.insert(meters).values(name=_METER, day=today)
        connection.execute(begin.on_conflict_do_nothing())
        day: int = connection.execute(_METERED).scalar_one()
        return day

    async def _close(self, first: int, end: int, stays: Sequence[Stay]) -> int:
        """The day to go on with: `end`, or what another process has made of it."""

        def work(connection: Connection) -> int:
            taken = (
                update(meters).where(meters.c.name == _METER, meters.c.day == first).values(day=end)
            )
            if connection.execute(taken).rowcount != 1:
                day: int = connection.execute(_METERED).scalar_one()
                return day
            rows = _Rows()
            for account_id, used in sorted(_used(connection, first, end, stays).items()):
                self._bill(connection, account_id, used, range(first, end), rows)
            self._write(connection, rows)
            return end

        following = await self._database.run(work)
        self._balances.changes += 1
        return following

    def _bill(
        self, connection: Connection, account_id: str, used: Used, days: range, rows: "_Rows"
    ) -> None:
        account = self._balances.opened(connection, account_id)
        prices = price_list(account.model, account.currency)
        purse = Purse(account.cash, account.overdue_day)
        for day in days:
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


def _used(connection: Connection, first: int, end: int, stays: Sequence[Stay]) -> dict[str, Used]:
    """By account; the calls among it are marked as billed."""
    found: dict[str, Used] = defaultdict(Used)
    unbilled = select(usage).where(usage.c.hour < first_hour(end), usage.c.billed < usage.c.calls)
    marks: list[dict[str, Any]] = []
    for row in connection.execute(unbilled):
        day = max(first, day_of_hour(row.hour))
        found[row.account_id].calls[day][row.region, row.item, row.key_id] += row.calls - row.billed
        marks.append({f"of_{name}": getattr(row, name) for name in (*USAGE_KEY, "calls")})
    if marks:
        # In the ledger's order, so that neither waits for the other; and only what was read.
        marks.sort(key=lambda mark: [mark[f"of_{name}"] for name in USAGE_KEY])
        connection.execute(_MARK_BILLED, marks)
    for stay in stays:
        found[stay.account_id].stays.append(stay)
    for cluster in stays_of_clusters(connection):
        found[cluster.account_id].clusters.append(cluster)
    return found


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

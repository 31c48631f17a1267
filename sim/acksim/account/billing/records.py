"""Bills as they are read: by product and day, or by what they are for."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, and_, select

from acksim.account.billing.tables import bill_items, bills
from acksim.account.database import Database
from acksim.account.tables import accounts


@dataclass(frozen=True, slots=True)
class Period:
    """Days since 1970: `first` and all up to `end`, without it."""

    first: int
    end: int


@dataclass(frozen=True, slots=True)
class BilledDay:
    """What one product cost on one day, and what of it is paid (when: Unix time)."""

    day: int
    product: str
    model: str
    currency: str
    amount: Decimal
    paid: Decimal
    paid_at: float | None


@dataclass(frozen=True, slots=True)
class Share:
    """What one key, instance or cluster cost by one item, or by all (an empty `item`)."""

    product: str
    model: str
    currency: str
    region: str
    instance_id: str
    item: str
    quantity: int
    price: Decimal
    amount: Decimal
    paid: Decimal


class Records:
    """Reads bills."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def account_name(self, account_id: str) -> str:
        query = select(accounts.c.name).where(accounts.c.id == account_id)
        found: str | None = await self._database.run(lambda c: c.execute(query).scalar())
        return found or ""

    async def days(self, account_id: str, period: Period) -> list[BilledDay]:
        """In their order; at most one a product and day."""
        query = (
            select(bills)
            .where(
                bills.c.account_id == account_id,
                bills.c.day >= period.first,
                bills.c.day < period.end,
            )
            .order_by(bills.c.day, bills.c.product)
        )
        rows = await self._database.run(lambda connection: connection.execute(query).all())
        return [
            BilledDay(
                row.day, row.product, row.model, row.currency, row.amount, row.paid, row.paid_at
            )
            for row in rows
        ]

    async def shares(self, account_id: str, period: Period, *, by_item: bool) -> list[Share]:
        """What the bills of a period are for, in order of product, region, instance and item."""
        of_bill = and_(
            bills.c.account_id == bill_items.c.account_id,
            bills.c.day == bill_items.c.day,
            bills.c.product == bill_items.c.product,
        )
        query = (
            select(bill_items, bills.c.model, bills.c.currency, bills.c.paid)
            .join(bills, of_bill)
            .where(
                bill_items.c.account_id == account_id,
                bill_items.c.day >= period.first,
                bill_items.c.day < period.end,
            )
            .order_by(*bill_items.primary_key.columns)
        )
        rows = await self._database.run(lambda connection: connection.execute(query).all())
        return _summed(_paid_in_order(rows), by_item=by_item)


def _paid_in_order(rows: Iterable[Row[Any]]) -> Iterable[Share]:
    """A bill that is paid in part has its first items paid."""
    bill, left = None, Decimal(0)
    for row in rows:
        if bill != (row.day, row.product):
            bill, left = (row.day, row.product), row.paid
        paid = min(left, row.amount)
        left -= paid
        yield Share(
            product=row.product,
            model=row.model,
            currency=row.currency,
            region=row.region,
            instance_id=row.instance_id,
            item=row.item,
            quantity=row.quantity,
            price=row.price,
            amount=row.amount,
            paid=paid,
        )


def _summed(shares: Iterable[Share], *, by_item: bool) -> list[Share]:
    sums: dict[tuple[str, ...], Share] = {}
    for share in shares:
        item = share.item if by_item else ""
        place = (share.product, share.region, share.instance_id, item, share.model)
        known = sums.get(place)
        sums[place] = (
            replace(share, item=item)
            if known is None
            else replace(
                known,
                quantity=known.quantity + share.quantity,
                amount=known.amount + share.amount,
                paid=known.paid + share.paid,
            )
        )
    return [share for _, share in sorted(sums.items())]

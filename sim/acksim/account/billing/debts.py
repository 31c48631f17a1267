"""The rules of debt, without a database: what is paid, since when one is overdue, what stops.

"Overdue payments": service goes on for seven days; after that it is suspended, nothing is charged
while it is, and paying lifts it at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from acksim.account.billing.china_time import DAY, midnight

GRACE_DAYS = 7


@dataclass(frozen=True, slots=True)
class Purse:
    """What an account holds, and the oldest day whose bill it could not pay in full."""

    cash: Decimal
    overdue_day: int | None = None

    def charge(self, day: int, amount: Decimal) -> tuple["Purse", Decimal]:
        """The purse after a day's bill, and what of it was paid. Nobody pays below zero."""
        paid = min(max(self.cash, Decimal(0)), amount)
        overdue = self.overdue_day
        if paid < amount and overdue is None:
            overdue = day
        return Purse(self.cash - paid, overdue), paid

    def suspended_through(self, day: int) -> bool:
        """Whether no moment of the day was served: then nothing of it is charged."""
        return self.overdue_day is not None and day - self.overdue_day > GRACE_DAYS

    def pay(self, debts: Iterable["Debt"]) -> tuple["Purse", list["Debt"]]:
        """Pays debts in their order, the oldest first; answers those that changed."""
        cash, overdue, changed = self.cash, None, []
        for debt in debts:
            paid = min(max(cash, Decimal(0)), debt.open)
            cash -= paid
            if paid:
                debt = replace(debt, paid=debt.paid + paid)  # noqa: PLW2901 - the same debt, paid
                changed.append(debt)
            if debt.open and overdue is None:
                overdue = debt.day
        return Purse(cash, overdue), changed


@dataclass(frozen=True, slots=True)
class Debt:
    """A bill as far as payment is concerned."""

    day: int
    product: str
    amount: Decimal
    paid: Decimal

    @property
    def open(self) -> Decimal:
        return self.amount - self.paid


def overdue_since(day: int) -> float:
    """When a bill of that day was due, as Unix time: as soon as the day had passed."""
    return midnight(day + 1)


def suspended(overdue_day: int | None, now: datetime) -> bool:
    """Whether more than the seven days have passed."""
    return (
        overdue_day is not None and now.timestamp() - overdue_since(overdue_day) > GRACE_DAYS * DAY
    )

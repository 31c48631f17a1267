"""What each account holds: opening, recharge, withdrawal, and payment of what is owed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import Connection, select, update

from acksim.account.billing.china_time import day_of
from acksim.account.billing.debts import Debt, Purse, overdue_since, suspended
from acksim.account.billing.money import LARGEST, total
from acksim.account.billing.prices import Currency, Model, price_list
from acksim.account.billing.tables import balances, bills, transfers
from acksim.account.database import Database

OPENING_CASH = Decimal(1_000_000)
"""What an account holds that was opened without a word: enough for centuries of small clusters."""


class AmountError(ValueError):
    """An amount that cannot be moved; the text says what to write instead."""


@dataclass(frozen=True, slots=True)
class Balance:
    """One account's money at this moment."""

    account_id: str
    model: Model
    currency: Currency
    cash: Decimal
    debt: Decimal
    overdue_since: datetime | None
    suspended: bool

    @property
    def available(self) -> Decimal:
        """Below zero for who owes more than they hold."""
        return self.cash - self.debt


@dataclass(frozen=True, slots=True)
class Terms:
    """By which list an account is billed, and what it holds at first."""

    model: Model = "classic"
    currency: Currency = "USD"
    cash: Decimal = OPENING_CASH

    def check(self) -> None:
        """Raises PriceUnknownError or AmountError."""
        price_list(self.model, self.currency)
        if not 0 <= self.cash <= LARGEST:
            raise AmountError(f"an account holds from 0 to {LARGEST}")


class Balances:
    """`changes` counts what this process changed, for those who remember what they read.

    An account is billed from the day on which it is opened.
    """

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self.changes = 0
        self.shared = database.shared

    async def open(self, account_id: str, terms: Terms) -> None:
        """Unless the account is open already; raises PriceUnknownError or AmountError."""
        terms.check()
        await self._database.run(lambda connection: self._opened(connection, account_id, terms))
        self.changes += 1

    async def of(self, account_id: str) -> Balance:
        return await self._database.run(lambda connection: self._balance(connection, account_id))

    async def recharge(self, account_id: str, amount: Decimal) -> Balance:
        """Adds cash and pays with it what is owed, the oldest bill first; raises AmountError."""
        if amount <= 0:
            raise AmountError("a recharge is more than nothing")
        return await self._move(account_id, lambda _cash: amount)

    async def withdraw(self, account_id: str, amount: Decimal | None = None) -> Balance:
        """Takes cash out, all of it by default; raises AmountError where there is less."""
        if amount is not None and amount <= 0:
            raise AmountError("a withdrawal is more than nothing")
        return await self._move(account_id, lambda cash: -cash if amount is None else -amount)

    async def overdue_day(self, account_id: str) -> int | None:
        """The oldest day whose bill is not paid."""
        query = select(balances.c.overdue_day).where(balances.c.account_id == account_id)
        found: int | None = await self._database.run(lambda c: c.execute(query).scalar())
        return found

    def _opened(self, connection: Connection, account_id: str, terms: Terms | None = None) -> Any:
        """The account's row, locked; made if there is none."""
        terms = terms or Terms()
        self.add(connection, account_id, terms, first_day=day_of(self._now()))
        query = select(balances).where(balances.c.account_id == account_id).with_for_update()
        return connection.execute(query).one()

    def add(self, connection: Connection, account_id: str, terms: Terms, *, first_day: int) -> None:
        """Makes the account's row unless there is one."""
        row = {
            "account_id": account_id,
            "model": terms.model,
            "currency": terms.currency,
            "cash": terms.cash,
            "next_day": first_day,
        }
        insert = self._database.insert(balances).values(row).on_conflict_do_nothing()
        if connection.execute(insert).rowcount == 1 and terms.cash:
            self._note(connection, account_id, terms.cash)

    async def _move(self, account_id: str, amount_of: Callable[[Decimal], Decimal]) -> Balance:
        def work(connection: Connection) -> Balance:
            cash: Decimal = self._opened(connection, account_id).cash
            amount = amount_of(cash)
            if not 0 <= cash + amount <= LARGEST:
                raise AmountError(f"the account holds {cash}; it may hold from 0 to {LARGEST}")
            if amount:
                self._note(connection, account_id, amount)
                self._pay(connection, account_id, Purse(cash + amount))
            return self._balance(connection, account_id)

        balance = await self._database.run(work)
        self.changes += 1
        return balance

    def _note(self, connection: Connection, account_id: str, amount: Decimal) -> None:
        connection.execute(
            transfers.insert().values(
                account_id=account_id, time=self._now().timestamp(), amount=amount
            )
        )

    def _pay(self, connection: Connection, account_id: str, purse: Purse) -> None:
        unpaid = (
            select(bills.c.day, bills.c.product, bills.c.amount, bills.c.paid)
            .where(bills.c.account_id == account_id, bills.c.paid < bills.c.amount)
            .order_by(bills.c.day, bills.c.product)
        )
        debts = [Debt(*row) for row in connection.execute(unpaid)]
        purse, changed = purse.pay(debts)
        for debt in changed:
            connection.execute(
                update(bills)
                .where(
                    bills.c.account_id == account_id,
                    bills.c.day == debt.day,
                    bills.c.product == debt.product,
                )
                .values(paid=debt.paid, paid_at=self._now().timestamp())
            )
        connection.execute(
            update(balances)
            .where(balances.c.account_id == account_id)
            .values(cash=purse.cash, overdue_day=purse.overdue_day)
        )

    def _balance(self, connection: Connection, account_id: str) -> Balance:
        row = self._opened(connection, account_id)
        owed = select(total(bills.c.amount), total(bills.c.paid)).where(
            bills.c.account_id == account_id, bills.c.paid < bills.c.amount
        )
        amount, paid = connection.execute(owed).one()
        overdue = row.overdue_day
        since = None if overdue is None else datetime.fromtimestamp(overdue_since(overdue), UTC)
        return Balance(
            account_id=account_id,
            model=row.model,
            currency=row.currency,
            cash=row.cash,
            debt=amount - paid,
            overdue_since=since,
            suspended=suspended(overdue, self._now()),
        )


def amount_of(text: str) -> Decimal:
    """Such as `10` or `0.50`; raises AmountError."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or abs(amount) > LARGEST or amount != round(amount, 2):
        raise AmountError(f"{text!r} is not an amount; write one like 100 or 12.50")
    return amount

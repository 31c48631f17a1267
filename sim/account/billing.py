"""What the counted KMS calls cost, in the classic price model per 10,000 calls."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

import yaml
from sqlalchemy import BigInteger, Connection, cast, func, select

from sim.account.database import Database, usage


@dataclass(frozen=True, slots=True)
class BillItem:
    """One priced line: the calls of one action by one caller on one key in one region."""

    region: str
    action: str
    caller: str
    key_id: str
    calls: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Bill:
    """All lines of an account so far."""

    currency: str
    items: tuple[BillItem, ...]

    @property
    def calls(self) -> int:
        return sum(item.calls for item in self.items)

    @property
    def total(self) -> Decimal:
        return sum((item.amount for item in self.items), Decimal(0))

    def as_json(self) -> dict[str, Any]:
        """Amounts as decimal strings; sub-cent amounts are kept."""
        return {
            "currency": self.currency,
            "calls": self.calls,
            "total": str(self.total),
            "items": [
                {
                    "region": item.region,
                    "action": item.action,
                    "caller": item.caller,
                    "key_id": item.key_id,
                    "calls": item.calls,
                    "amount": str(item.amount),
                }
                for item in self.items
            ],
        }


class Billing:
    """Prices what the ledger counted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def bill(self, account_id: str) -> Bill:
        def work(connection: Connection) -> list[tuple[str, str, str, str, int]]:
            columns = (usage.c.region, usage.c.action, usage.c.caller, usage.c.key_id)
            query = (
                select(*columns, cast(func.sum(usage.c.calls), BigInteger))
                .where(usage.c.account_id == account_id)
                .group_by(*columns)
                .order_by(*columns)
            )
            return [tuple(row) for row in connection.execute(query)]

        return _priced(await self._database.run(work))


@cache
def _prices() -> dict[str, Any]:
    text = resources.files("sim.account").joinpath("prices/classic.yaml").read_text()
    prices: dict[str, Any] = yaml.safe_load(text)
    return prices


def call_price(region: str) -> Decimal:
    """The price of one call in a region."""
    prices = _prices()
    mainland = region.startswith(prices["mainland_prefix"]) and (
        region not in prices["outside_mainland"]
    )
    per_10000 = prices["price_per_10000_calls"]["mainland" if mainland else "elsewhere"]
    return Decimal(per_10000) / 10_000


def _priced(rows: Iterable[tuple[str, str, str, str, int]]) -> Bill:
    items = tuple(
        BillItem(region, action, caller, key_id, calls, call_price(region) * calls)
        for region, action, caller, key_id, calls in rows
    )
    return Bill(_prices()["currency"], items)

"""The price lists, one file each, and what they say."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any, Literal

import yaml

Model = Literal["classic", "instances"]
Currency = Literal["USD", "CNY"]

_OUTSIDE_MAINLAND = frozenset({"cn-hongkong"})
_UNCLASSED = {"CryptographicCalls": "basic"}  # calls from before their class was kept


class PriceUnknownError(Exception):
    """The list has no prices in that currency."""


@dataclass(frozen=True, slots=True)
class PriceList:
    """One model in one currency."""

    currency: Currency
    _calls: dict[str, dict[str, str]]
    _days: dict[str, str]
    _hours: dict[str, str]

    def of_call(self, region: str, item: str) -> Decimal:
        """One call; the lists say what 10,000 cost."""
        mainland = region.startswith("cn-") and region not in _OUTSIDE_MAINLAND
        where = "mainland" if mainland else "elsewhere"
        return Decimal(self._calls[_UNCLASSED.get(item, item)][where]) / 10_000

    def of_day(self, item: str) -> Decimal:
        """One key version, or instance, for one day."""
        return Decimal(self._days[item])

    def of_hour(self, item: str) -> Decimal:
        """The management of one cluster for one hour."""
        return Decimal(self._hours[item])


def price_list(model: Model = "classic", currency: Currency = "USD") -> PriceList:
    """Raises PriceUnknownError."""
    text = _read(model)
    if currency not in text["calls"]:
        raise PriceUnknownError(f"the price list {model!r} has no prices in {currency}")
    hours = _read("clusters")["hours"]
    return PriceList(currency, text["calls"][currency], text["days"][currency], hours[currency])


@cache
def _read(model: str) -> dict[str, Any]:
    text = resources.files(__package__).joinpath(f"{model}.yaml").read_text()
    prices: dict[str, Any] = yaml.safe_load(text)
    return prices

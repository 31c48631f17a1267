"""Amounts: decimals in the domain, whole hundred-millionths in the database, never floats."""

from decimal import Decimal

from sqlalchemy import BigInteger, ColumnElement, Dialect, TypeDecorator, cast, func, type_coerce

UNIT = Decimal("0.00000001")
"""The price of one call has at most seven decimals."""

LARGEST = Decimal(10) ** 10
"""What an account may hold at most; with eight decimals it fits eight bytes."""

_CENT = Decimal("0.01")


class Money(TypeDecorator[Decimal]):
    """A Decimal column; raises ValueError for what it could not give back exactly."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        if value is None:
            return None
        units = value / UNIT
        if units != int(units):
            raise ValueError(f"{value} has more than eight decimals")
        return int(units)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        return None if value is None else Decimal(value) * UNIT


def total(column: ColumnElement[Decimal]) -> ColumnElement[Decimal]:
    """The sum of a Money column, 0 of no rows."""
    return type_coerce(cast(func.coalesce(func.sum(column), 0), BigInteger), Money)


def plain(amount: Decimal) -> str:
    """Without exponent; cents are always written, smaller parts where there are any."""
    if amount == amount.quantize(_CENT):
        return f"{amount.quantize(_CENT):f}"
    return f"{amount.normalize():f}"

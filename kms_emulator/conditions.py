"""The Condition block of a policy: {operator: {key: [values]}}.

From RAM's "Policy elements" and "Conditional operators". Values of one key are alternatives; keys
and operators all have to hold. A key that the request does not have makes its condition false.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from operator import eq, ge, gt, le, lt
from typing import Any

Test = Callable[[str, str], bool]
Block = Mapping[str, Mapping[str, Any]]


def holds(block: Block, context: Mapping[str, str]) -> bool:
    """`context`: condition keys such as acs:SourceIp, with the value that this request has."""
    return all(
        _holds(operator, context.get(key), values)
        for operator, keys in block.items()
        for key, values in keys.items()
    )


def _holds(operator: str, actual: str | None, values: Any) -> bool:
    known = OPERATORS.get(operator)
    if known is None or actual is None:
        return False
    test, negated = known
    wanted = values if isinstance(values, list) else [values]
    with suppress(ValueError):  # one that cannot be compared does not hold, negated or not
        return any(test(actual, _text(value)) for value in wanted) != negated
    return False


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _like(actual: str, pattern: str) -> bool:
    return fnmatchcase(actual, pattern.replace("[", "[[]"))


def _same_letters(actual: str, wanted: str) -> bool:
    return actual.lower() == wanted.lower()


def _within(actual: str, network: str) -> bool:
    return ip_address(actual) in ip_network(network, strict=False)


def _numbers(compare: Callable[[Any, Any], bool]) -> Test:
    return lambda actual, wanted: compare(float(actual), float(wanted))


def _dates(compare: Callable[[Any, Any], bool]) -> Test:
    def test(actual: str, wanted: str) -> bool:
        return compare(*(datetime.fromisoformat(text).timestamp() for text in (actual, wanted)))

    return test


_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "Equals": eq,
    "LessThan": lt,
    "LessThanEquals": le,
    "GreaterThan": gt,
    "GreaterThanEquals": ge,
}

OPERATORS: Mapping[str, tuple[Test, bool]] = {
    # Its test, and whether the outcome is turned round.
    "StringEquals": (eq, False),
    "StringNotEquals": (eq, True),
    "StringEqualsIgnoreCase": (_same_letters, False),
    "StringNotEqualsIgnoreCase": (_same_letters, True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "Bool": (_same_letters, False),
    "IpAddress": (_within, False),
    "NotIpAddress": (_within, True),
    **{f"Numeric{name}": (_numbers(compare), False) for name, compare in _ORDERS.items()},
    "NumericNotEquals": (_numbers(eq), True),
    **{f"Date{name}": (_dates(compare), False) for name, compare in _ORDERS.items()},
    "DateNotEquals": (_dates(eq), True),
}

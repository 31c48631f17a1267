"""The Condition block of a policy: {operator: {key: [values]}}, read once and then asked.

From RAM's "Policy elements" and "Conditional operators". Values of one key are alternatives; keys
and operators all have to hold; a negated operator holds if none of its values is met. Where the
documentation is silent, what cannot be compared is decided against access (`docs/fidelity.md`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fnmatch import translate
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from operator import eq, ge, gt, le, lt
from typing import Any, Final

FaultSink = Callable[[str, str], None]
"""Takes the place of what is not understood, and why it is not."""

_KNOWN_KEYS: Final = frozenset(
    {
        "acs:sourceip",
        "acs:currenttime",
        "acs:securetransport",
        "acs:mfapresent",
        "kms:tag",
        "sts:externalid",
        "sts:rolesessionname",
        "sts:sourceidentity",
    }
)
_NUMBER = re.compile(r"[+-]?[0-9]{1,64}(\.[0-9]{1,64})?")
_DATE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?"
    r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)
_BLOCK = re.compile(r"[0-9A-Fa-f.:]+(/(0|[1-9][0-9]{0,2}))?")
_IPV4_IN_IPV6: Final = IPv6Network("::ffff:0:0/96")
_VARIABLE = "${"


@dataclass(frozen=True, slots=True)
class Operator:
    """`parse` reads a policy's value and `read` a request's; both raise ValueError.

    `negated`: holds where `compare` (request's value, policy's value) is true of no value.
    """

    parse: Callable[[Any], Any]
    read: Callable[[str], Any]
    compare: Callable[[Any, Any], bool]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Test:
    """One key under one operator. `key` is folded, as by `folded`."""

    key: str
    operator: Operator
    values: tuple[Any, ...]

    def holds(self, context: Mapping[str, str], *, unsure: bool) -> bool:
        """`unsure`: the outcome of a comparison that cannot be made.

        None can be made with a key that no request here has or a value that the operator cannot
        read. A key that this request alone lacks is unequal to everything, which is enough for
        a negated operator to deny and not enough for it to allow.
        """
        actual = _find(context, self.key)
        if actual is None:
            return unsure if self.operator.negated or not is_known(self.key) else False
        try:
            value = self.operator.read(actual)
        except ValueError:
            return unsure
        met = any(self.operator.compare(value, wanted) for wanted in self.values)
        return met != self.operator.negated


def read_conditions(block: Any, place: str, fault: FaultSink) -> tuple[Test, ...]:
    """The tests of a Condition block that are understood; the others are told to `fault`."""
    tests = []
    for name, keys in _members(block, place, fault):
        operator = OPERATORS.get(name)
        if operator is None:
            fault(f"{place}.{name}", "is no condition operator")
            continue
        if keys == {}:
            fault(f"{place}.{name}", "has to name condition keys")
        for key, values in _members(keys, f"{place}.{name}", fault):
            wanted = _values(operator, values, f"{place}.{name}.{key}", fault)
            if wanted is not None:
                tests.append(Test(folded(key), operator, wanted))
    return tuple(tests)


def folded(key: str) -> str:
    """Names of condition keys ignore case, tag keys (kms:tag/Team) do not."""
    name, slash, tag = key.partition("/")
    return name.lower() + slash + tag


def is_known(key: str) -> bool:
    """Whether some request here can have this folded key."""
    return key.partition("/")[0] in _KNOWN_KEYS


def _find(context: Mapping[str, str], key: str) -> str | None:
    return next((value for name, value in context.items() if folded(name) == key), None)


def _members(value: Any, place: str, fault: FaultSink) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    fault(place, "has to be an object, and to be there once")
    return []


def _values(operator: Operator, given: Any, place: str, fault: FaultSink) -> tuple[Any, ...] | None:
    """All of them, or None: a value that is not understood says nothing of those beside it."""
    if given == []:
        fault(place, "has to have a value")
        return None
    values = given if isinstance(given, list) else [given]
    parsed = []
    for number, value in enumerate(values):
        try:
            parsed.append(operator.parse(value))
        except ValueError as error:
            fault(f"{place}[{number}]" if isinstance(given, list) else place, str(error))
    return tuple(parsed) if len(parsed) == len(values) else None


def _string(value: Any) -> str:
    if isinstance(value, str) and _VARIABLE not in value:
        return value
    raise ValueError("has to be a string, without policy variables: they are not supported here")


def _lower(value: Any) -> str:
    return _string(value).lower()


def _pattern(value: Any) -> re.Pattern[str]:
    return wildcards(_string(value))


def wildcards(pattern: str) -> re.Pattern[str]:
    """`*` is any run of characters, `?` one. No number of stars makes matching slow."""
    return re.compile(translate(pattern.replace("[", "[[]")))


def _like(actual: str, pattern: re.Pattern[str]) -> bool:
    return pattern.match(actual) is not None


def _number(value: Any) -> Decimal:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Decimal(str(value))
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value)
    raise ValueError("has to be a decimal number")


def _date(value: Any) -> datetime:
    try:
        if isinstance(value, str) and _DATE.fullmatch(value):
            return datetime.fromisoformat(value)
    except ValueError:  # no such day
        pass
    raise ValueError("has to be a time such as 2026-01-31T12:00:00Z or …T20:00:00+08:00")


def _bool(value: Any) -> bool:
    if value is True or value == "true":
        return True
    if value is False or value == "false":
        return False
    raise ValueError("has to be true or false")


def _address(text: str) -> IPv4Address | IPv6Address:
    address = ip_address(text)
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _block(value: Any) -> IPv4Network | IPv6Network:
    """An address or a CIDR block; bits of the host are ignored."""
    try:
        if isinstance(value, str) and _BLOCK.fullmatch(value):
            network = ip_network(value, strict=False)
            if isinstance(network, IPv6Network) and network.subnet_of(_IPV4_IN_IPV6):
                mapped = int(network.network_address) & 0xFFFFFFFF
                return IPv4Network((mapped, network.prefixlen - 96))
            return network
    except ValueError:
        pass
    raise ValueError("has to be an IP address or a CIDR block such as 10.0.0.0/8")


def _within(address: IPv4Address | IPv6Address, network: IPv4Network | IPv6Network) -> bool:
    return address in network


_ORDERS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "Equals": eq,
    "LessThan": lt,
    "LessThanEquals": le,
    "GreaterThan": gt,
    "GreaterThanEquals": ge,
}

OPERATORS: Final[Mapping[str, Operator]] = {
    "StringEquals": Operator(_string, str, eq),
    "StringNotEquals": Operator(_string, str, eq, negated=True),
    "StringEqualsIgnoreCase": Operator(_lower, str.lower, eq),
    "StringNotEqualsIgnoreCase": Operator(_lower, str.lower, eq, negated=True),
    "StringLike": Operator(_pattern, str, _like),
    "StringNotLike": Operator(_pattern, str, _like, negated=True),
    "Bool": Operator(_bool, _bool, eq),
    "IpAddress": Operator(_block, _address, _within),
    "NotIpAddress": Operator(_block, _address, _within, negated=True),
    **{f"Numeric{name}": Operator(_number, _number, order) for name, order in _ORDERS.items()},
    "NumericNotEquals": Operator(_number, _number, eq, negated=True),
    **{f"Date{name}": Operator(_date, _date, order) for name, order in _ORDERS.items()},
    "DateNotEquals": Operator(_date, _date, eq, negated=True),
}

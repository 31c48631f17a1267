"""Values that no condition operator understands, some that it does, and documents of each kind."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from alibaba_edge.conditions import OPERATORS

ACCOUNT = "1000000000000001"
USER = f"acs:ram::{ACCOUNT}:user/alice"

_NEITHER_TEXT_NOR_NUMBER: tuple[Any, ...] = (None, {}, {"a": "b"}, [["10"]])

MALFORMED: Mapping[str, tuple[Any, ...]] = {
    "String": (5, 1.5, True, "${acs:SourceIp}", "a${x"),
    "Bool": (0, 1, "0", "1", "yes", "True", "TRUE", "", " true", "false\n", "null", 0.0),
    "Ip": (
        "10.0.0.0/33", "10.0.0/8", "10.0.0.0/8/8", "::/129", "10.0.0.256", "10.0.0.0/255.0.0.0",
        "10.0.0.0/0.0.0.255", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.0/08", "010.0.0.1", "localhost",
        "", " 10.0.0.1", "10.0.0.1\n", "10.0.0.1-10.0.0.9", "10.*", "*", "fe80::1%eth0",
        "\u0661.1.1.1", "10.0.0.0, 10.0.0.1", 167772161, True, 10.0,
    ),
    "Numeric": (
        "ten", "", "-", " 5", "5 ", "5\n", "1e3", "0x10", "1_000", "1,5", "1.", ".5", "NaN", "nan",
        "Infinity", "-inf", "\uff15", "\u0665", True, False, "9" * 65,
    ),
    "Date": (
        "2020-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+08:60", "2026-01-01T00:00:00", "2026-01-01", "2026-01-01 00:00:00Z",
        "20260101T000000Z", "2026-W01-1T00:00:00Z", "2026-001T00:00:00Z", "26-01-01T00:00:00Z",
        "2026-01-01T00:00:00z", "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "yesterday", "",
        "2026-01-01T00:00:00Z\n", "\u0662026-01-01T00:00:00Z", 1767225600, True, 2026.5,
    ),
}  # fmt: skip

WELL_FORMED: Mapping[str, Any] = {
    "String": "a",
    "Bool": "true",
    "Ip": "10.0.0.0/8",
    "Numeric": "10",
    "Date": "2026-01-01T00:00:00Z",
}


def family(operator: str) -> str:
    return next(name for name in MALFORMED if name in operator)


def malformed_conditions(operator: str) -> Iterator[Any]:
    """Each malformed value alone, and beside a good one in both orders."""
    kind = family(operator)
    good = WELL_FORMED[kind]
    for bad in (*MALFORMED[kind], *_NEITHER_TEXT_NOR_NUMBER):
        values = [bad] if isinstance(bad, list) else [bad, [bad, good], [good, bad]]
        for value in values:
            yield {operator: {"acs:SourceIp": value}}


def unreadable_conditions() -> Iterator[Any]:
    """Blocks that are wrong whatever the values."""
    good = {"Bool": {"acs:MFAPresent": "false"}}
    yield from (None, [], "", 5, True, [good])
    for operator in OPERATORS:
        yield from ({operator: None}, {operator: {}}, {operator: []}, {operator: "a"})
        yield {operator: {"a": []}}
        yield {operator.lower(): {"a": "b"}}
        for qualified in (
            f"{operator}IfExists",
            f"ForAnyValue:{operator}",
            f"ForAllValues:{operator}",
        ):
            yield {qualified: {"a": WELL_FORMED[family(operator)]}}
    yield {"Null": {"a": "true"}}
    yield {"": {"a": "b"}}


def permission(effect: str, /, **parts: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": "kms:*", "Resource": "*", **parts}


def trust(effect: str, /, **parts: Any) -> dict[str, Any]:
    named = {"Principal": {"RAM": USER}, "Action": "sts:AssumeRole"}
    return {"Effect": effect, **named, **parts}


def of_key(effect: str, /, **parts: Any) -> dict[str, Any]:
    return {**permission(effect), "Principal": {"RAM": USER}, **parts}


def document(*statements: Any) -> str:
    return json.dumps({"Version": "1", "Statement": list(statements)})

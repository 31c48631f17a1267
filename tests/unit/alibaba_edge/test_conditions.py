"""What each condition operator says of a value, and how several of them go together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from alibaba_edge.conditions import OPERATORS, folded, is_known, read_conditions
from alibaba_edge.gateway.product import Call
from alibaba_edge.policy_documents import Conditions
from alibaba_edge.ports import ROOT_CALLER, wall_clock

KEY = "kms:tag/a"


def holds(block: Any, context: Mapping[str, str], *, deny: bool = False) -> bool:
    """Of a block without faults."""
    faults: list[tuple[str, str]] = []
    tests = read_conditions(block, "Condition", lambda *fault: faults.append(fault))
    assert not faults
    return Conditions(tests, deny).hold(context)


def ordered(kind: str, below: Any, wanted: Any, above: Any) -> list[tuple[str, str, Any, bool]]:
    """For every operator of a kind, whether it holds of three request values."""
    names = {
        "Equals": (False, True, False),
        "NotEquals": (True, False, True),
        "LessThan": (True, False, False),
        "LessThanEquals": (True, True, False),
        "GreaterThan": (False, False, True),
        "GreaterThanEquals": (False, True, True),
    }
    return [
        (f"{kind}{name}", actual, wanted, expected)
        for name, row in names.items()
        for actual, expected in zip((below, str(wanted), above), row, strict=True)
    ]


TRUTH: list[tuple[str, str, Any, bool]] = [
    ("StringEquals", "a", "a", True),
    ("StringEquals", "a", "A", False),
    ("StringEquals", "", "", True),
    ("StringEquals", "a*", "a*", True),
    ("StringEquals", "ab", "a*", False),
    ("StringEquals", "b", ["a", "b"], True),
    ("StringNotEquals", "a", "b", True),
    ("StringNotEquals", "a", "a", False),
    ("StringNotEquals", "a", ["b", "a"], False),
    ("StringNotEquals", "a", ["b", "c"], True),
    ("StringEqualsIgnoreCase", "a", "A", True),
    ("StringEqualsIgnoreCase", "A", "b", False),
    ("StringNotEqualsIgnoreCase", "a", "A", False),
    ("StringNotEqualsIgnoreCase", "a", ["B", "C"], True),
    ("StringLike", "abc", "a*c", True),
    ("StringLike", "abc", "a?c", True),
    ("StringLike", "ac", "a*c", True),
    ("StringLike", "ac", "a?c", False),
    ("StringLike", "xabc", "a*", False),
    ("StringLike", "a\nc", "a*c", True),
    ("StringLike", "b", "[abc]", False),
    ("StringLike", "Abc", "a*", False),
    ("StringLike", "abc", ["x", "ab*"], True),
    ("StringNotLike", "abc", "a*", False),
    ("StringNotLike", "abc", ["x*", "y*"], True),
    ("StringNotLike", "abc", ["x*", "a*"], False),
    ("Bool", "true", True, True),
    ("Bool", "true", "true", True),
    ("Bool", "true", "false", False),
    ("Bool", "false", False, True),
    ("Bool", "false", ["true", "false"], True),
    ("IpAddress", "10.0.0.7", "10.0.0.0/24", True),
    ("IpAddress", "10.0.0.7", "10.0.0.7", True),
    ("IpAddress", "10.0.0.8", "10.0.0.7", False),
    ("IpAddress", "10.0.0.9", "10.0.0.7/24", True),  # bits of the host
    ("IpAddress", "10.0.1.7", ["10.0.0.0/24", "10.0.1.7"], True),
    ("IpAddress", "192.0.2.1", "0.0.0.0/0", True),
    ("IpAddress", "2001:db8::1", "2001:db8::/32", True),
    ("IpAddress", "2001:db9::1", "2001:db8::/32", False),
    ("IpAddress", "2001:db8::1", "0.0.0.0/0", False),
    ("IpAddress", "10.0.0.7", "::/0", False),
    ("IpAddress", "::ffff:10.0.0.7", "10.0.0.0/8", True),  # a listener of both families
    ("IpAddress", "10.0.0.7", "::ffff:10.0.0.0/104", True),
    ("NotIpAddress", "10.0.0.7", "10.0.0.0/24", False),
    ("NotIpAddress", "10.0.1.7", "10.0.0.0/24", True),
    ("NotIpAddress", "10.0.1.7", ["10.0.0.0/24", "10.0.1.0/24"], False),
    ("NotIpAddress", "::ffff:10.0.0.7", "10.0.0.0/8", False),
    *ordered("Numeric", "9", 10, "11"),
    *ordered("Numeric", "-1.5", "-1.25", "-1"),
    *ordered("Numeric", "9007199254740992", 9007199254740993, "9007199254740994"),
    ("NumericEquals", "10", "10.0", True),
    ("NumericEquals", "+10", 10.0, True),
    ("NumericEquals", "3", [1, "2", 3], True),
    ("NumericNotEquals", "3", [1, "2", 3], False),
    ("NumericNotEquals", "4", [1, "2", 3], True),
    *ordered("Date", "2026-05-01T11:59:59Z", "2026-05-01T12:00:00Z", "2026-05-01T12:00:01Z"),
    *ordered("Date", "0001-01-01T00:00:00Z", "2026-05-01T12:00:00Z", "9999-12-31T23:59:59Z"),
    ("DateEquals", "2026-05-01T12:00:00Z", "2026-05-01T20:00:00+08:00", True),
    ("DateLessThan", "2026-05-01T12:00:00Z", "2026-05-01T20:00:01+08:00", True),
    ("DateLessThan", "2026-05-01T12:00:00Z", "9999-12-31T23:59:59-23:59", True),
    ("DateGreaterThan", "2026-05-01T12:00:00Z", "0001-01-01T00:00:00+23:59", True),
    ("DateEquals", "2026-05-01T12:00:00Z", "2026-05-01T12:00:00.000Z", True),
    ("DateNotEquals", "2026-05-01T12:00:00Z", "2026-05-01T20:00:00+08:00", False),
]


@pytest.mark.parametrize(("operator", "actual", "wanted", "expected"), TRUTH)
def test_operators(operator: str, actual: str, wanted: Any, expected: bool) -> None:
    """The same in a Deny as in an Allow, and as a list of one."""
    for values in (wanted, wanted if isinstance(wanted, list) else [wanted]):
        for deny in (False, True):
            assert holds({operator: {KEY: values}}, {KEY: actual}, deny=deny) is expected


def test_every_operator_is_in_the_table_with_both_outcomes() -> None:
    outcomes = {(operator, expected) for operator, _, _, expected in TRUTH}
    assert outcomes == {(name, expected) for name in OPERATORS for expected in (True, False)}


def test_keys_and_operators_all_have_to_hold() -> None:
    block = {
        "StringEquals": {"kms:tag/a": "1", "kms:tag/b": "2"},
        "Bool": {"acs:MFAPresent": "true"},
    }
    context = {"kms:tag/a": "1", "kms:tag/b": "2", "acs:MFAPresent": "true"}
    assert holds(block, context)
    assert holds({}, {})
    for name in context:
        assert not holds(block, {**context, name: "false"})
        assert not holds(block, {key: value for key, value in context.items() if key != name})


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_key_that_the_request_lacks(operator: str) -> None:
    """Is unequal to everything, in a Deny; in an Allow nothing is said of it."""
    value = next(wanted for name, _, wanted, _ in TRUTH if name == operator)
    negated = "Not" in operator
    assert holds({operator: {KEY: value}}, {}, deny=True) is negated
    assert holds({operator: {KEY: value}}, {}, deny=False) is False


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_key_that_no_request_here_has_is_decided_against_access(operator: str) -> None:
    value = next(wanted for name, _, wanted, _ in TRUTH if name == operator)
    for key in ("acs:SourceVpc", "acs:SorceIp", "acs:ResourceTag/a", "a"):
        assert holds({operator: {key: value}}, {}, deny=True)
        assert not holds({operator: {key: value}}, {}, deny=False)


@pytest.mark.parametrize("operator", [name for name in OPERATORS if not name.startswith("String")])
def test_a_value_that_cannot_be_read_is_decided_against_access(operator: str) -> None:
    value = next(wanted for name, _, wanted, _ in TRUTH if name == operator)
    for actual in ("nowhere", "", "10.0.0.0/8", "NaN", "2026-05-01", "1e3"):
        assert holds({operator: {KEY: value}}, {KEY: actual}, deny=True)
        assert not holds({operator: {KEY: value}}, {KEY: actual}, deny=False)


def test_names_of_keys_ignore_case_and_tag_keys_do_not() -> None:
    for key in ("acs:SourceIp", "acs:sourceip", "ACS:SOURCEIP"):
        assert holds({"IpAddress": {key: "10.0.0.0/8"}}, {"acs:SourceIp": "10.0.0.7"})
    assert holds({"StringEquals": {"KMS:Tag/Team": "a"}}, {"kms:tag/Team": "a"})
    assert not holds({"StringEquals": {"kms:tag/team": "a"}}, {"kms:tag/Team": "a"})


def test_what_a_call_has_is_known() -> None:
    call = Call("r", wall_clock(), ROOT_CALLER, "cn-hangzhou", "192.0.2.1", "h", "u")
    assert all(is_known(folded(key)) for key in call.conditions)

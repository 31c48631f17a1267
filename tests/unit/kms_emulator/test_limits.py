"""Quotas: so many calls a second, so many keys, and what is answered beyond."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from alibaba_edge.errors import ThrottledError
from alibaba_edge.gateway.throttle import Quota, Throttle
from kms_emulator.errors import LimitExceededError
from kms_emulator.keys import Alias, Key, KeyVersion, PrimaryKeyVersion, Scope
from kms_emulator.operations import OPERATIONS
from kms_emulator.operations.quotas import quotas
from kms_emulator.service import limits
from kms_emulator.service.limits import ResourceLimits
from kms_emulator.store import MemoryKeyStore

NOW = datetime(2026, 5, 1, tzinfo=UTC)
HERE, THERE = Scope("1", "cn-hangzhou"), Scope("1", "cn-beijing")


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def accepted(throttle: Throttle, calls: int, *, account: str = "1", name: str = "Encrypt") -> int:
    count = 0
    for _ in range(calls):
        try:
            throttle.take(account, "cn-hangzhou", name)
        except ThrottledError:
            continue
        count += 1
    return count


def test_a_second_allows_its_quota_and_refills() -> None:
    seconds = Seconds()
    throttle = Throttle({"Encrypt": Quota("crypto", 10)}, seconds=seconds)
    assert accepted(throttle, 50) == 10
    seconds.now = 0.5
    assert accepted(throttle, 50) == 5
    seconds.now = 100
    assert accepted(throttle, 50) == 10  # what was not used is not saved up


def test_accounts_have_their_own_and_operations_share() -> None:
    shared = Quota("crypto", 10)
    throttle = Throttle({"Encrypt": shared, "Decrypt": shared}, seconds=Seconds())
    assert accepted(throttle, 6) == 6
    assert accepted(throttle, 6, name="Decrypt") == 4
    assert accepted(throttle, 20, account="2") == 10
    assert accepted(throttle, 20, name="Unlimited") == 20


def test_memory_is_bounded() -> None:
    throttle = Throttle({"Encrypt": Quota("crypto", 10)}, seconds=Seconds(), capacity=3)
    for account in range(10):
        accepted(throttle, 1, account=str(account))
    assert len(throttle._buckets) == 3


def test_the_published_numbers() -> None:
    known = quotas(OPERATIONS)
    numbers = {
        "CreateKey": 10,
        "DescribeKey": 50,
        "ListAliases": 50,
        "ListResourceTags": 300,
        "DisableKey": 30,
        "CreateAlias": 30,
        "Encrypt": 1000,
        "GenerateDataKey": 1000,
        "AsymmetricSign": 200,
        "DescribeAccountKmsStatus": 1,
    }
    assert {name: known[name].per_second for name in numbers} == numbers
    assert known["ListKeys"] is known["DescribeKey"]
    assert known["Encrypt"] is known["Decrypt"]


def key(number: int, *, versions: int = 1) -> Key:
    primary = PrimaryKeyVersion(f"v{number}", NOW, b"m")
    retired = tuple(KeyVersion(f"v{number}-{n}", NOW, b"m") for n in range(versions - 1))
    return Key(HERE, f"k{number}", NOW, primary, "1", retired)


async def test_resources_end_at_their_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_KEYS", 3)
    monkeypatch.setattr(limits, "MOST_ALIASES", 2)
    monkeypatch.setattr(limits, "MOST_VERSIONS", 7)
    store = MemoryKeyStore()
    enforced = ResourceLimits(store, enforced=True)
    for number in range(2):
        await enforced.check_new_key(HERE)
        await store.add(key(number, versions=3))
        await enforced.check_new_alias(HERE)
        await store.add_alias(Alias(HERE, f"alias/a{number}", f"k{number}"))
    with pytest.raises(LimitExceededError):
        await enforced.check_new_alias(HERE)
    await store.add(key(2))  # the third key, and the seventh version
    with pytest.raises(LimitExceededError):
        await enforced.check_new_key(HERE)
    with pytest.raises(LimitExceededError):
        await enforced.check_new_version(HERE)
    await enforced.check_new_key(THERE)
    await ResourceLimits(store, enforced=False).check_new_key(HERE)


async def test_versions_alone_are_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_VERSIONS", 4)
    store = MemoryKeyStore()
    await store.add(replace(key(0, versions=4)))
    with pytest.raises(LimitExceededError):
        await ResourceLimits(store, enforced=True).check_new_key(HERE)

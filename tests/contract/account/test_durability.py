"""kill -9 in mid-load: nothing that was acknowledged is lost, and nothing of it is free."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from acksim.account.actiontrail.lookup import Lookup, Trail
from acksim.account.billing.costs import Billing
from acksim.account.database import Database
from acksim.clients.kms import Kms, KmsRefusedError
from alibaba_edge.ports import ROOT_ACCOUNT_ID
from kms_emulator.app import open_store
from kms_emulator.keys import Scope
from tests.patience import PATIENCE

HERE = Scope(ROOT_ACCOUNT_ID, "cn-hangzhou")


@dataclass
class Acknowledged:
    """What the clients were told, as they were told it."""

    calls: Counter[str] = field(default_factory=Counter)
    created: set[str] = field(default_factory=set)
    aliases: set[str] = field(default_factory=set)
    versions: set[str] = field(default_factory=set)
    # State by key: what was acknowledged last, and what was asked for since.
    states: dict[str, set[str]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.calls.values())


class Load:
    """Clients that call until nobody answers."""

    def __init__(self, emulator: Any, key_id: str) -> None:
        self.told = Acknowledged()
        self._emulator = emulator
        self._kms: Kms = emulator.kms()
        self._key_id = key_id
        jobs = (self._encrypt, self._encrypt, self._create, self._switch, self._rotate)
        self._threads = [threading.Thread(target=self._repeat, args=(job,)) for job in jobs]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wait_until_under_way(self) -> None:
        """Until every kind of promise has been made; how fast the machine is does not matter."""
        told = self.told
        deadline = time.monotonic() + PATIENCE
        while not (
            told.total > 50 and told.created and told.aliases and told.states and told.versions
        ):
            assert time.monotonic() < deadline, "hardly anything was acknowledged"
            time.sleep(0.01)

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _repeat(self, job: Callable[[int], None]) -> None:
        number = 0
        with suppress(KmsRefusedError):
            while True:
                job(number)
                number += 1

    def _call(self, action: str, **parameters: str) -> dict[str, Any]:
        answer = self._kms.call(action, **parameters)
        self.told.calls[action] += 1
        return answer

    def _encrypt(self, _: int) -> None:
        self._call("Encrypt", KeyId=self._key_id, Plaintext="aGk=")

    def _create(self, number: int) -> None:
        key_id = self._call("CreateKey")["KeyMetadata"]["KeyId"]
        self.told.created.add(key_id)
        self._call("CreateAlias", KeyId=key_id, AliasName=f"alias/a{number}")
        self.told.aliases.add(f"alias/a{number}")

    def _switch(self, number: int) -> None:
        if number == 0:
            self._own = self._call("CreateKey")["KeyMetadata"]["KeyId"]
            self.told.states[self._own] = {"Enabled"}
        action, state = (("DisableKey", "Disabled"), ("EnableKey", "Enabled"))[number % 2]
        self.told.states[self._own].add(state)
        self._call(action, KeyId=self._own)
        self.told.states[self._own] = {state}

    def _rotate(self, _: int) -> None:
        try:
            rotated = self._emulator.post("/_sim/kms/rotate", {"key_id": self._key_id})
        except (OSError, HTTPException):
            raise KmsRefusedError("Unreachable", "it was killed") from None
        self.told.versions.add(rotated["primary_key_version"])


async def check(told: Acknowledged, keys: str | Path, account: str | Path) -> None:
    database = Database(account)
    bill = await Billing(database).bill(ROOT_ACCOUNT_ID)
    now = datetime.now(UTC)
    lookup = Lookup(*HERE, (), now - timedelta(hours=1), now)
    trail = await Trail(database).page(lookup, size=100_000)
    database.close()
    written = Counter(event["eventName"] for event in trail.events if not event["errorCode"])
    assert {name: n for name, n in told.calls.items() if written[name] < n} == {}
    assert bill.calls >= told.calls["Encrypt"]
    store = open_store(keys)
    for key_id in told.created:
        assert await store.get(HERE, key_id)
    for name in told.aliases:
        assert await store.alias(HERE, name)
    for version_id in told.versions:
        assert await store.find_version(HERE, version_id)
    for key_id, possible in told.states.items():
        key = await store.get(HERE, key_id)
        assert key is not None
        assert key.state in possible
    await store.close()


def loaded_and_killed(start: AbstractContextManager[Any]) -> Acknowledged:
    with start as emulator:
        emulator.wait()
        key_id = emulator.kms().create_key()["KeyId"]
        load = Load(emulator, key_id)
        load.start()
        load.wait_until_under_way()
        # Anywhere within a call: the moment must not be a call's own.
        time.sleep(random.random() / 10)
        emulator.kill()
        load.join()
    return load.told


@pytest.mark.parametrize("attempt", range(20))
async def test_on_sqlite(emulator: Callable[..., Any], tmp_path: Path, attempt: int) -> None:
    told = loaded_and_killed(emulator(tmp_path))
    await check(told, tmp_path / "kms.db", tmp_path / "account.db")


@pytest.mark.parametrize("attempt", range(4))
async def test_on_postgresql(
    emulator: Callable[..., Any], postgresql: Callable[[], str], tmp_path: Path, attempt: int
) -> None:
    url = postgresql()
    told = loaded_and_killed(emulator(tmp_path, ACKSIM_DATABASE=url))
    await check(told, url, url)


async def test_a_world_that_was_killed_starts_again(
    emulator: Callable[..., Any], tmp_path: Path
) -> None:
    told = loaded_and_killed(emulator(tmp_path))
    with emulator(tmp_path) as again:
        kms = again.wait().kms()
        assert told.created <= set(kms.key_ids())
        assert again.get("/_sim/bill")["calls"] >= told.calls["Encrypt"]

"""The forecast's formulas against servers that are played out call by call."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acksim.account.billing import forecast as formulas
from acksim.account.billing.forecast import Calls, Plan, Terms, calls, forecast

PLANS = st.builds(
    Plan,
    secrets=st.integers(1, 12),
    kms=st.sampled_from(["v1", "v2"]),
    days=st.integers(1, 9),
    writes=st.integers(0, 60),
    reads=st.integers(0, 60),
    restarts=st.integers(0, 4),
    rotation_days=st.integers(0, 5),
    rewrites=st.booleans(),
    health_checks=st.integers(0, 3),
)
Step = Literal["restart", "rotation", "read", "write"]


def steps(plan: Plan) -> Iterator[Step]:
    """In the order of their times; where they fall together as listed here."""
    times: list[tuple[Fraction, int, Step]] = []
    times += [
        (Fraction(n * plan.rotation_days, plan.days), 0, "rotation")
        for n in range(1, plan.rotations + 1)
    ]
    times += [(Fraction(n, plan.restarts + 1), 1, "restart") for n in range(1, plan.restarts + 1)]
    # A step that is due at a moment has been taken just before it.
    for count, name in ((plan.reads, "read"), (plan.writes, "write")):
        times += [(Fraction(n, count), -1, name) for n in range(1, count + 1)]  # type: ignore[misc]
    return (step for _, _, step in sorted(times, key=lambda entry: entry[:2]))


class Server:
    """An API server with `places` for DEKs, whose Secrets are read and replaced in turn."""

    def __init__(self, plan: Plan, places: int) -> None:
        self.plan, self.places = plan, places
        self.encrypts = self.decrypts = plan.health_checks if plan.kms == "v1" else 0
        self.cache: OrderedDict[int, None] = OrderedDict()
        self.deks = 0
        self.turns = {"read": 0, "write": 0}
        self.stored: list[int] = []
        self.seed = self.new_dek()
        if plan.kms == "v1":
            self.encrypts -= 1
        for _ in range(plan.secrets):
            self.stored.append(self.seal())

    def new_dek(self) -> int:
        self.encrypts += 1
        self.deks += 1
        return self.deks

    def seal(self) -> int:
        dek = self.new_dek() if self.plan.kms == "v1" else self.seed
        self.keep(dek)
        return dek

    def keep(self, dek: int) -> None:
        self.cache[dek] = None
        self.cache.move_to_end(dek)
        if self.plan.kms == "v1" and len(self.cache) > self.places:
            self.cache.popitem(last=False)

    def read(self, name: int) -> None:
        if self.stored[name] not in self.cache:
            self.decrypts += 1
        self.keep(self.stored[name])

    def replace(self, name: int) -> None:
        self.read(name)
        self.stored[name] = self.seal()

    def take(self, step: Step) -> None:
        if step in {"read", "write"}:
            name = self.turns[step] % self.plan.secrets
            self.turns[step] += 1
            self.read(name) if step == "read" else self.replace(name)
            return
        if step == "restart":
            self.cache.clear()
        if self.plan.kms == "v2":
            self.seed = self.new_dek()
        if step == "rotation" and self.plan.rewrites:
            for name in range(self.plan.secrets):
                self.replace(name)


def played(plan: Plan, places: int = formulas.DEK_CACHE) -> Calls:
    server = Server(plan, places)
    for step in steps(plan):
        server.take(step)
    return Calls(server.encrypts, server.decrypts)


@given(PLANS)
def test_the_forecast_is_exact_where_every_secret_is_read_between_restarts(plan: Plan) -> None:
    plan = replace(plan, reads=plan.reads + (plan.secrets + 1) * (plan.restarts + 1))
    if plan.kms == "v2":  # without the daily forgetting, which the played server has no time for
        plan = replace(plan, writes=0)
    assert calls(plan) == played(plan)


@given(PLANS)
def test_the_forecast_is_never_too_low(plan: Plan) -> None:
    foreseen, counted = calls(plan), played(plan)
    assert foreseen.encrypts == counted.encrypts
    assert foreseen.decrypts >= counted.decrypts


@given(PLANS, st.integers(1, 30))
def test_a_cache_that_is_too_small_is_foreseen(plan: Plan, places: int) -> None:
    plan = replace(plan, kms="v1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(formulas, "DEK_CACHE", places)
        assert calls(plan).decrypts >= played(plan, places).decrypts


def test_amounts_follow_the_price_list() -> None:
    plan = Plan(secrets=100, days=30, reads=1000, restarts=2, rotation_days=10)
    found = forecast(plan, Terms())
    assert (found["encrypts"], found["decrypts"], found["version_days"]) == (100, 200, 60)
    assert found["amounts"] == {
        "calls": "0.0024",
        "key": "0.12",
        "instance": "0.00",
        "cluster": "64.80",
    }
    assert Decimal(found["total"]) == Decimal("64.9224")
    current = forecast(plan, Terms(model="instances"))
    assert current["amounts"] == {
        "calls": "0.00",
        "key": "1.80",
        "instance": "135.00",
        "cluster": "64.80",
    }


def test_health_checks_cost_v1_more_than_quiet_secrets_do() -> None:
    month = Plan(secrets=50, health_checks=30 * 86400 // formulas.HEALTH_CHECK_SECONDS)
    assert calls(month).all == 50 + 2 * 129_600
    assert calls(replace(month, kms="v2")).all == 1

"""What a cluster's Secrets will cost: how often its API server calls the KMS, and at what price.

Secrets are made at the beginning, then read and replaced in turn, evenly over the period, by one
API server. For any other order the numbers are upper bounds as long as the cache holds every DEK.

KMS v1. Every write is an Encrypt. The server keeps the last 1,000 DEKs; a restart forgets them,
and the first touch (a read, or the read inside a replacement) of each Secret after it is a
Decrypt. Each write leaves an old DEK in the cache, so that N Secrets need N places, and one more
for each write that falls between two reads of the same Secret, up to N more, and N more where all
are rewritten. If those are more than 1,000, each touch is taken for a Decrypt. A health check is
an Encrypt and a Decrypt, at most every 20 seconds.

KMS v2. Every start and every new key version is one Encrypt, of a new seed; writes and health
checks are none. After a restart each older seed that some Secret was sealed under is one Decrypt
at its first touch, and once more a day while Secrets are written: its cache forgets after 24 hours.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from acksim.account.billing.money import plain
from acksim.account.billing.prices import Currency, Model, price_list

DEK_CACHE = 1000
"""Of the API server of a managed cluster (`cachesize`)."""

HEALTH_CHECK_SECONDS = 20
"""How long a server remembers that its provider is healthy."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A cluster's life; numbers are those of the whole period.

    `rotation_days`: the key gets a version as often, 0 for never. `rewrites`: every Secret is
    replaced after each rotation, as documented for ACK.
    """

    secrets: int
    kms: Literal["v1", "v2"] = "v1"
    days: int = 30
    writes: int = 0
    reads: int = 0
    restarts: int = 0
    rotation_days: int = 0
    rewrites: bool = False
    health_checks: int = 0

    @property
    def rotations(self) -> int:
        """Those before the end of the period."""
        return (self.days - 1) // self.rotation_days if self.rotation_days else 0


@dataclass(frozen=True, slots=True)
class Calls:
    """Billable calls of the KMS."""

    encrypts: int
    decrypts: int

    @property
    def all(self) -> int:
        return self.encrypts + self.decrypts


@dataclass(frozen=True, slots=True)
class Terms:
    """Where, and by which list it is paid. Raises PriceUnknownError when used."""

    region: str = "cn-hangzhou"
    model: Model = "classic"
    currency: Currency = "USD"


def calls(plan: Plan) -> Calls:
    """How often the KMS is called."""
    return _calls_v1(plan) if plan.kms == "v1" else _calls_v2(plan)


def forecast(plan: Plan, terms: Terms) -> dict[str, Any]:
    """Calls and amounts (decimal strings), with the key and the cluster themselves."""
    prices = price_list(terms.model, terms.currency)
    called = calls(plan)
    # A version costs from the day on which it is made.
    versions = sum(1 + day // (plan.rotation_days or plan.days) for day in range(plan.days))
    in_instance = terms.model == "instances"
    item = "instance-key-aliyun_kms" if in_instance else "software"
    amounts = {
        "calls": prices.of_call(terms.region, "basic") * called.all,
        "key": prices.of_day(item) * versions,
        "instance": prices.of_day("instance-software") * plan.days,
        "cluster": prices.of_hour("pro") * 24 * plan.days,
    }
    return {
        "encrypts": called.encrypts,
        "decrypts": called.decrypts,
        "calls": called.all,
        "version_days": versions,
        "amounts": {name: plain(amount) for name, amount in amounts.items()},
        "total": plain(sum(amounts.values(), Decimal(0))),
        "currency": terms.currency,
        "model": terms.model,
    }


def _calls_v1(plan: Plan) -> Calls:
    replaced = plan.writes + (plan.rotations * plan.secrets if plan.rewrites else 0)
    touches = plan.reads + replaced
    if _places(plan) > DEK_CACHE:
        decrypts = touches
    else:
        lives = _numbers(plan.restarts)
        decrypts = sum(min(plan.secrets, _touches(plan, life)) for life in lives)
    return Calls(plan.secrets + replaced + plan.health_checks, decrypts + plan.health_checks)


def _places(plan: Plan) -> int:
    """What the DEKs of all Secrets and those that writes left behind take in the cache."""
    left_behind = plan.secrets if plan.rewrites else 0
    if plan.writes and plan.reads:
        left_behind += min(plan.secrets, -(-plan.secrets * plan.writes // plan.reads) + 1)
    elif plan.writes:
        left_behind += plan.secrets
    return plan.secrets + left_behind


def _calls_v2(plan: Plan) -> Calls:
    seals = _Seals(plan.secrets)
    encrypts, decrypts = 1, 0
    begin, life = Fraction(0), 0
    for start, end, event in _spans(plan):
        if event is not None:
            encrypts += 1
            seals.renew()
        if event == "restart":
            begin = start
            life += 1
            decrypts += min(seals.old, _touches(plan, life))
        if event == "rotation" and plan.rewrites:
            seals.replace(plan.secrets)
        if plan.writes and plan.reads:
            passed = int((end - begin) * plan.days) - int((start - begin) * plan.days)
            decrypts += passed * seals.old
        seals.replace(_between(plan.writes, start, end))
    return Calls(encrypts, decrypts)


class _Seals:
    """How many Secrets lie sealed under each seed, the oldest first; the last one is in use."""

    def __init__(self, secrets: int) -> None:
        self._counts = [secrets]

    @property
    def old(self) -> int:
        """Seeds in etcd that are not the one in use."""
        return sum(1 for count in self._counts[:-1] if count)

    def renew(self) -> None:
        self._counts = [count for count in self._counts if count] + [0]

    def replace(self, secrets: int) -> None:
        """So many in turn are sealed under the seed in use; the oldest come first."""
        moved = min(secrets, sum(self._counts))
        self._counts[-1] += moved
        for index, count in enumerate(self._counts):
            taken = min(count, moved)
            self._counts[index] -= taken
            moved -= taken


Event = Literal["restart", "rotation"]


def _spans(plan: Plan) -> list[tuple[Fraction, Fraction, Event | None]]:
    """The stretches between restarts and rotations, as parts of the period, and what begins each.

    Restarts are spread evenly; where both fall together the rotation comes first.
    """
    events: list[tuple[Fraction, Event | None]] = [
        (Fraction(number * plan.rotation_days, plan.days), "rotation")
        for number in _numbers(plan.rotations)
    ]
    events += [
        (Fraction(number, plan.restarts + 1), "restart") for number in _numbers(plan.restarts)
    ]
    events.sort(key=lambda event: (event[0], event[1] == "restart"))
    begins = [(Fraction(0), None), *events]
    ends = [begin for begin, _ in begins[1:]] + [Fraction(1)]
    return [(begin, end, event) for (begin, event), end in zip(begins, ends, strict=True)]


def _touches(plan: Plan, life: int) -> int:
    """How often Secrets are read or replaced between one start of the server and the next."""
    start, end = (Fraction(number, plan.restarts + 1) for number in (life, life + 1))
    count = _between(plan.reads, start, end) + _between(plan.writes, start, end)
    if plan.rewrites and _rotated(plan, end) > _rotated(plan, start):
        count += plan.secrets
    return count


def _rotated(plan: Plan, moment: Fraction) -> int:
    """How often the key has been rotated by then."""
    if not plan.rotation_days:
        return 0
    return min(plan.rotations, int(moment * plan.days / plan.rotation_days))


def _numbers(count: int) -> range:
    return range(1, count + 1)


def _between(total: int, start: Fraction, end: Fraction) -> int:
    """How many of `total` even steps fall between two parts of the period."""
    return int(total * end) - int(total * start)

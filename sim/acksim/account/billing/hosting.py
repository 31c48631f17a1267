"""What is kept and so costs by the day: key versions, KMS instances, clusters.

A day is counted once it has passed, for what exists then. Keys that wait for their deletion are
free. When the clock jumps, what exists now is counted for each day since its creation.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select

from acksim.account.billing.china_time import HOUR, day_of, first_hour
from acksim.account.cluster_tables import clusters
from kms_emulator.keys import Key, KeyState, Scope
from kms_emulator.price_class import hosting_class
from kms_emulator.specs import INSTANCES
from kms_emulator.store import KeyStore

ADVANCED_TIER = 2000
OVER_TIER = "advanced-over-2000"
_PAGE = 500
_PRO_SPEC = "ack.pro.%"
_CHARGED_STATES = ("running", "updating")


@dataclass(frozen=True, slots=True)
class Stay:
    """So many versions of a key, or an instance, kept from `begin` (days since 1970) on."""

    account_id: str
    region: str
    item: str
    key_id: str
    begin: int
    versions: int


@dataclass(frozen=True, slots=True)
class ClusterStay:
    """A Pro cluster that is charged, and the first full hour (since 1970) that it has seen."""

    account_id: str
    region: str
    cluster_id: str
    begin: int

    def hours(self, day: int) -> int:
        """The full hours of a day."""
        begin = first_hour(day)
        return max(0, begin + 24 - max(begin, self.begin))


async def stays_of_keys(keys: KeyStore) -> list[Stay]:
    """Everything kept now."""
    found: list[Stay] = []
    for scope in await keys.scopes():
        counts = await _count(keys, scope)
        found += [
            Stay(scope.account_id, scope.region, item, key_id, begin, versions)
            for (item, key_id, begin), versions in sorted(counts.items())
        ]
    return found


def stays_of_clusters(connection: Connection) -> list[ClusterStay]:
    """The Pro clusters that serve now. Their first hour, begun before them, is not charged."""
    query = select(clusters).where(
        clusters.c.cluster_type == "ManagedKubernetes",
        clusters.c.cluster_spec.like(_PRO_SPEC),
        clusters.c.state.in_(_CHARGED_STATES),
    )
    return [
        ClusterStay(row.account_id, row.region, row.id, int(-(-row.created // HOUR)))
        for row in connection.execute(query)
    ]


async def _count(keys: KeyStore, scope: Scope) -> Counter[tuple[str, str, int]]:
    counts: Counter[tuple[str, str, int]] = Counter()
    advanced, offset, instances = 0, 0, dict[str, int]()
    while True:
        page = await keys.list_keys(scope, offset=offset, limit=_PAGE)
        for key in page.items:
            if key.state is KeyState.PENDING_DELETION:
                continue
            for begin in _kept_from(key):
                item = _item(key)
                if item == "advanced":
                    advanced += 1
                    item = OVER_TIER if advanced > ADVANCED_TIER else item
                counts[item, key.id, begin] += 1
                if key.instance_id:
                    known = instances.get(key.instance_id, begin)
                    instances[key.instance_id] = min(known, begin)
        offset += _PAGE
        if offset >= page.total:
            break
    for instance, begin in instances.items():
        counts[f"instance-{INSTANCES.get(instance, 'SOFTWARE').lower()}", instance, begin] = 1
    return counts


def _item(key: Key) -> str:
    return f"instance-key-{key.origin.lower()}" if key.instance_id else hosting_class(key)


def _kept_from(key: Key) -> Iterator[int]:
    """For each version the first day to count."""
    for version in key.versions:
        yield day_of(version.created_at)

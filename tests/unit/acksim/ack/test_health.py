"""When the control plane looks at keys, and what it makes of what it sees."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from acksim.ack.cluster import Cluster, ClusterError, Provider
from acksim.ack.health import ClusterHealth
from alibaba_edge.client.kms import KeyDescription
from tests.unit.acksim.ack.conftest import Plane, a_cluster


class Keys:
    """One key; `looks` counts how often it was asked for."""

    def __init__(self) -> None:
        self.answer: Callable[[], KeyDescription] = lambda: KeyDescription("k", "Enabled", "v")
        self.looks = 0

    async def describe(self, _cluster: Cluster, _key_id: str) -> KeyDescription:
        self.looks += 1
        return self.answer()

    def unreachable(self) -> KeyDescription:
        raise ClusterError("Forbidden.InDebtOverdue", "pay first")


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def health(plane: Plane, keys: Keys) -> ClusterHealth:
    return ClusterHealth(plane.store, keys=keys.describe, events=plane.events, now=plane.clock.now)


async def state(plane: Plane) -> str:
    [cluster] = await plane.store.all()
    return cluster.state


async def test_a_cluster_is_looked_at_each_minute_and_when_something_failed(
    plane: Plane, keys: Keys, health: ClusterHealth
) -> None:
    cluster = a_cluster(key_id="k", updated=plane.clock.now())
    await plane.store.insert(cluster)
    await health.look()
    assert keys.looks == 0, "it has just been made"
    plane.clock.advance(timedelta(seconds=60))
    await health.look()
    await health.look()
    assert keys.looks == 1
    health.notice(cluster.id)
    await health.look()
    assert keys.looks == 1, "a storm of failures is no storm of looks"
    plane.clock.advance(timedelta(seconds=2))
    await health.look()
    assert keys.looks == 2


async def test_it_is_unavailable_until_its_key_is_back(
    plane: Plane, keys: Keys, health: ClusterHealth
) -> None:
    cluster = a_cluster(key_id="k")
    await plane.store.insert(cluster)
    await health.look()
    assert await state(plane) == "running"
    keys.answer = keys.unreachable
    plane.clock.advance(timedelta(minutes=1))
    await health.look()
    assert await state(plane) == "unavailable"
    for _ in range(3):
        plane.clock.advance(timedelta(seconds=2))
        await health.look()
    keys.answer = lambda: KeyDescription("k", "Enabled", "v")
    plane.clock.advance(timedelta(seconds=2))
    await health.look()
    assert await state(plane) == "running"
    assert await plane.reasons(cluster.id) == ["KMSKeyUnavailable", "ClusterRecovered"]


async def test_an_older_key_is_warned_of_once_each_time_it_goes(
    plane: Plane, keys: Keys, health: ClusterHealth
) -> None:
    older = Provider("grpc-kms-provider", "old", "one.sock")
    cluster = a_cluster(key_id=None, providers=(older,))
    await plane.store.insert(cluster)
    for answer in ("Disabled", "Disabled", "Enabled", "PendingDeletion"):
        keys.answer = partial(KeyDescription, "old", answer, "v")
        plane.clock.advance(timedelta(minutes=1))
        await health.look()
        assert await state(plane) == "running", "new Secrets can be written"
    assert await plane.reasons(cluster.id) == ["OlderKMSKeyUnavailable"] * 2


async def test_many_clusters_do_not_ask_all_at_once(plane: Plane) -> None:
    for number in range(20):
        await plane.store.insert(a_cluster(id=f"c{number:032x}", key_id="k"))
    busy, most = 0, 0

    async def describe(_cluster: Cluster, _key_id: str) -> KeyDescription:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0)
        busy -= 1
        return KeyDescription("k", "Enabled", "v")

    health = ClusterHealth(plane.store, keys=describe, events=plane.events, now=plane.clock.now)
    await health.look()
    assert 1 < most <= 8


@pytest.mark.parametrize("busy", ["initial", "updating", "deleting"])
async def test_what_is_being_changed_is_left_alone(
    plane: Plane, keys: Keys, health: ClusterHealth, busy: str
) -> None:
    await plane.store.insert(a_cluster(key_id="k", state=busy))
    keys.answer = keys.unreachable
    await health.look()
    assert (await state(plane), keys.looks) == (busy, 0)


async def test_without_a_key_there_is_nothing_to_look_at(
    plane: Plane, keys: Keys, health: ClusterHealth
) -> None:
    await plane.store.insert(a_cluster())
    await health.look()
    assert keys.looks == 0

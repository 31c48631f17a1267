"""What is granted is on record first; a cluster that does not answer is told later."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acksim.account.database import Database
from acksim.ack.cluster import ClusterError
from acksim.ack.grants import ALL_CLUSTERS, Asker, Grant
from acksim.clock import Clock
from tests.unit.acksim.ack.conftest import ACCOUNT, Outside, Plane, a_cluster, plane_on

OWNER = Asker(ACCOUNT, ACCOUNT)
UID = "234567890123456789"
FIRST, SECOND = "c" + "1" * 32, "c" + "2" * 32


def bound(outside: Outside, cluster_id: str) -> set[tuple[str, str]]:
    """(namespace, ClusterRole) of every binding in a cluster."""
    return {
        (found["metadata"].get("namespace", ""), found["roleRef"]["name"])
        for path, found in outside.bindings.get(cluster_id, {}).items()
        if "bindings/" in path
    }


async def test_a_cluster_that_does_not_answer_is_told_when_it_does(plane: Plane) -> None:
    await plane.store.insert(a_cluster(id=FIRST))
    plane.outside.broken = True
    with pytest.raises(ClusterError) as raised:
        await plane.permissions.replace(OWNER, UID, [Grant(FIRST, "", "ops")])
    assert raised.value.code == "ErrorClusterUnreachable"
    assert await plane.permissions.of_user(ACCOUNT, UID) == (Grant(FIRST, "", "ops"),)
    plane.outside.broken = False
    await plane.permissions.catch_up()
    assert bound(plane.outside, FIRST) == {("", "cs:ops")}


async def test_after_a_kill_every_cluster_is_told_again(database: Database, clock: Clock) -> None:
    killed = plane_on(database, clock, Outside())
    await killed.store.insert(a_cluster(id=FIRST))
    await killed.grants.replace(ACCOUNT, UID, [Grant(FIRST, "", "dev")])
    plane = plane_on(database, clock, Outside())
    await plane.permissions.resume()
    await plane.permissions.catch_up()
    assert bound(plane.outside, FIRST) == {("", "cs:dev")}


_GRANTS = st.builds(
    Grant,
    cluster_id=st.sampled_from([ALL_CLUSTERS, FIRST, SECOND]),
    namespace=st.sampled_from(["", "default", "shop"]),
    role_name=st.sampled_from(["dev", "restricted"]),
) | st.builds(
    Grant,
    cluster_id=st.sampled_from([FIRST, SECOND]),
    namespace=st.just(""),
    role_name=st.sampled_from(["admin", "ops", "admin-view"]),
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(sets=st.lists(st.lists(_GRANTS, max_size=4), min_size=1, max_size=3))
async def test_bindings_are_those_of_the_last_grants_whatever_was_before(
    plane: Plane, sets: list[list[Any]]
) -> None:
    known = {one.id for one in await plane.store.all()}
    for cluster_id in {FIRST, SECOND} - known:
        await plane.store.insert(a_cluster(id=cluster_id))
    for grants in sets:
        await plane.permissions.replace(OWNER, UID, grants)
    for cluster_id in (FIRST, SECOND):
        expected = {
            (
                grant.namespace,
                f"cs:ns:{grant.role_name}" if grant.namespace else f"cs:{grant.role_name}",
            )
            for grant in sets[-1]
            if grant.cluster_id in {ALL_CLUSTERS, cluster_id}
        }
        assert bound(plane.outside, cluster_id) == expected

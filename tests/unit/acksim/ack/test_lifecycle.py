"""A cluster's life: each step is on record first, so that a restart goes on after a kill."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from acksim.account.database import Database
from acksim.ack.arranging import Arranger
from acksim.ack.cluster import Cluster, ClusterError
from acksim.ack.directory import ClusterDirectory
from acksim.ack.plugins import Plugins
from acksim.ack.store import ClusterStore
from acksim.clock import Clock
from apiserver_shim.errors import StorageError
from tests.unit.acksim.ack.conftest import ACCOUNT, Outside, Plane, a_cluster, plane_on


async def settled(plane: Plane, cluster_id: str) -> str:
    """The state that a cluster comes to, or "gone"."""
    for _ in range(500):
        try:
            state = (await plane.clusters.get(cluster_id)).state
        except ClusterError:
            return "gone"
        if state not in {"initial", "deleting"}:
            return state
        await asyncio.sleep(0.01)
    return "stuck"


async def begun(plane: Plane) -> Cluster:
    return await plane.clusters.begin(plane.clusters.draft(ACCOUNT, "shop", region="cn-hangzhou"))


async def test_it_begins_and_runs_and_is_deleted(plane: Plane) -> None:
    cluster = await begun(plane)
    assert cluster.state == "initial"
    assert await settled(plane, cluster.id) == "running"
    assert plane.outside.arranged == [cluster.id]
    deleting = await plane.clusters.begin_delete(await plane.clusters.get(cluster.id))
    assert deleting.state == "deleting"
    assert await settled(plane, cluster.id) == "gone"
    assert await plane.reasons(cluster.id) == ["ClusterCreated", "ClusterDeleted"]
    for task_id in (cluster.task_id, deleting.task_id):
        assert task_id is not None
        assert (await plane.tasks.get(ACCOUNT, task_id)).state == "success"


async def test_a_creation_that_fails_says_so_and_can_be_deleted(plane: Plane) -> None:
    plane.outside.broken = True
    cluster = await begun(plane)
    assert await settled(plane, cluster.id) == "failed"
    task = await plane.tasks.get(ACCOUNT, cluster.task_id or "")
    assert (task.state, task.error_code) == ("fail", "ErrorCreateCluster")
    assert [stage.state for stage in task.stages] == ["fail"]
    assert await plane.reasons(cluster.id) == ["ClusterCreateFailed"]
    plane.outside.broken = False
    await plane.clusters.begin_delete(await plane.clusters.get(cluster.id))
    assert await settled(plane, cluster.id) == "gone"


async def test_a_deletion_that_fails_can_be_tried_again(plane: Plane) -> None:
    cluster = await begun(plane)
    await settled(plane, cluster.id)
    plane.outside.broken = True
    await plane.clusters.begin_delete(await plane.clusters.get(cluster.id))
    assert await settled(plane, cluster.id) == "delete_failed"
    with pytest.raises(StorageError):
        await plane.clusters.delete(cluster.id)
    plane.outside.broken = False
    await plane.clusters.begin_delete(await plane.clusters.get(cluster.id))
    assert await settled(plane, cluster.id) == "gone"
    failed, done = "ClusterDeleteFailed", "ClusterDeleted"
    assert await plane.reasons(cluster.id) == ["ClusterCreated", failed, failed, done]


@pytest.mark.parametrize(("state", "becomes"), [("initial", "running"), ("deleting", "gone")])
async def test_a_restart_goes_on(
    database: Database, clock: Clock, state: Any, becomes: str
) -> None:
    killed = plane_on(database, clock, Outside())
    task_id = "T-" + "0" * 24
    cluster = a_cluster(state=state, task_id=task_id)
    await killed.store.insert(cluster)
    await killed.tasks.begin(cluster, f"cluster_{state}", task_id=task_id)

    plane = plane_on(database, clock, Outside())
    await plane.clusters.resume()
    assert await settled(plane, cluster.id) == becomes
    assert (await plane.tasks.get(ACCOUNT, task_id)).state == "success"
    await plane.clusters.stop()


@pytest.mark.parametrize("state", ["initial", "running", "updating"])
async def test_a_restart_passes_over_what_a_request_deletes_first(
    database: Database, clock: Clock, state: Any
) -> None:
    """The ports answer before everything is taken up."""
    outside = Outside()
    plane = plane_on(database, clock, outside)
    clusters = [a_cluster(id="c" + digit * 32, name=f"shop-{digit}") for digit in "123"]
    clusters[1] = replace(clusters[1], state=state)
    for cluster in clusters:
        await plane.store.insert(cluster)
    arrange = outside.arrange

    async def arrange_what_is_there(cluster_id: str) -> None:
        await plane.store.get(cluster_id)
        await arrange(cluster_id)
        await plane.store.delete(clusters[1].id)

    outside.arrange = arrange_what_is_there  # type: ignore[method-assign]
    await plane.clusters.resume()
    assert outside.arranged == [clusters[0].id, clusters[2].id]


async def test_a_cluster_may_be_withdrawn_twice_at_once(database: Database, tmp_path: Path) -> None:
    """By the restart that found it half deleted, and by a request."""

    class Stopping:
        async def stop(self, _cluster_id: str) -> None:
            await asyncio.sleep(0.01)

    directory = ClusterDirectory(tmp_path / "clusters")
    arranger = Arranger(ClusterStore(database), directory, cast("Plugins", Stopping()))
    cluster_id = a_cluster().id
    await asyncio.gather(*(arranger.withdraw(cluster_id) for _ in range(3)))
    with pytest.raises(ClusterError, match="is gone"):
        await arranger.arrange(cluster_id)


@pytest.mark.parametrize("state", ["initial", "updating", "deleting"])
async def test_what_is_being_changed_is_not_deleted(plane: Plane, state: Any) -> None:
    cluster = a_cluster(state=state)
    await plane.store.insert(cluster)
    with pytest.raises(ClusterError) as raised:
        await plane.clusters.begin_delete(cluster)
    assert raised.value.code == "ErrorClusterState"


async def test_of_two_deletions_one_begins(plane: Plane) -> None:
    cluster = a_cluster()
    await plane.store.insert(cluster)
    both = await asyncio.gather(
        plane.clusters.begin_delete(cluster),
        plane.clusters.begin_delete(cluster),
        return_exceptions=True,
    )
    [error] = [one for one in both if isinstance(one, ClusterError)]
    assert error.code == "ErrorClusterState"


async def test_records_are_kept_for_ninety_days(plane: Plane) -> None:
    cluster = await begun(plane)
    await settled(plane, cluster.id)
    first = cluster.task_id or ""
    plane.clock.advance(timedelta(days=89))
    await plane.clusters.modify(await plane.clusters.get(cluster.id), name="a")
    assert (await plane.tasks.get(ACCOUNT, first)).state == "success"
    plane.clock.advance(timedelta(days=2))
    await plane.clusters.modify(await plane.clusters.get(cluster.id), name="b")
    assert await plane.reasons(cluster.id) == ["ClusterModified", "ClusterModified"]
    with pytest.raises(ClusterError, match="ErrorTaskNotFound"):
        await plane.tasks.get(ACCOUNT, first)

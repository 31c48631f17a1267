"""The control plane's tables on PostgreSQL, where several emulators may share them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from acksim.account.database import Database
from acksim.ack.cluster import ClusterError, Provider
from acksim.ack.events import EventFilter
from acksim.ack.grants import Asker, Grant
from acksim.ack.subscriptions import Subscriptions
from acksim.clock import Clock
from tests.unit.acksim.ack.conftest import ACCOUNT, Outside, a_cluster, plane_on


async def test_a_life_on_postgresql(postgresql: Callable[[], str], tmp_path: Path) -> None:
    url = postgresql()
    clock = Clock(tmp_path / "clock.json")
    one, two = Database(url), Database(url)
    plane = plane_on(one, clock, Outside())
    other = plane_on(two, clock, Outside())
    try:
        cluster = a_cluster(
            tags={"team": "till"}, options={"vpcid": "vpc-1"}, last_switch=clock.now()
        )
        await plane.store.insert(cluster)
        with pytest.raises(ClusterError, match="ErrorClusterExists"):
            await other.store.insert(cluster)
        assert await other.store.get(cluster.id) == cluster
        provider = Provider("grpc-kms-provider", "key-1", "one.sock")
        changed = await plane.store.change(cluster.id, providers=(provider,), key_id="key-1")
        assert await other.store.get(cluster.id) == changed

        grants = [Grant(cluster.id, "", "ops"), Grant("", "default", "dev", of_role=True)]
        await plane.permissions.replace(Asker(ACCOUNT, ACCOUNT), "23", grants)
        assert set(await other.permissions.of_user(ACCOUNT, "23")) == set(grants)

        modified = await plane.clusters.modify(changed, name="till")
        task = await other.tasks.get(ACCOUNT, modified.task_id or "")
        assert (task.type, task.state) == ("cluster_modify", "success")
        page = await other.events.list(
            EventFilter(ACCOUNT, type="cluster_modify"), start=0, limit=5
        )
        assert (page.total, page.events[0].cluster_id) == (1, cluster.id)

        subscriptions = Subscriptions(one, clock.now)
        await subscriptions.open(ACCOUNT, "propayasgo")
        with pytest.raises(ClusterError, match=r"ORDER\.OPEND"):
            await Subscriptions(two, clock.now).open(ACCOUNT, "propayasgo")

        await other.clusters.delete(cluster.id)
        with pytest.raises(ClusterError, match="ErrorClusterNotFound"):
            await plane.store.get(cluster.id)
    finally:
        await plane.clusters.stop()
        await other.clusters.stop()
        one.close()
        two.close()

"""The control plane's rooms on a database of their own; what runs outside is played."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self, cast

import pytest

from acksim.account.database import Database
from acksim.ack.arranging import Arranger
from acksim.ack.cluster import Cluster
from acksim.ack.clusters import ClusterService
from acksim.ack.events import ClusterEvents, EventFilter
from acksim.ack.grants import Grants
from acksim.ack.kubernetes import KubernetesError
from acksim.ack.permissions import Permissions
from acksim.ack.plugins import Plugins
from acksim.ack.store import ClusterStore
from acksim.ack.switching import EncryptionSwitch
from acksim.ack.tasks import Tasks
from acksim.clock import Clock
from apiserver_shim.errors import StorageError

ACCOUNT = "1000000000000001"


@dataclass
class Outside:
    """API servers, plugins, etcd: `broken` makes each of them fail; what was asked of them."""

    broken: bool = False
    arranged: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    bindings: dict[str, dict[str, Any]] = field(default_factory=dict)

    def _check(self) -> None:
        if self.broken:
            raise StorageError("out of order")

    async def arrange(self, cluster_id: str) -> None:
        self._check()
        self.arranged.append(cluster_id)

    async def withdraw(self, cluster_id: str) -> None:
        self.withdrawn.append(cluster_id)

    async def forget(self, _cluster_id: str) -> None:
        """No switch goes on."""

    async def resume(self) -> None:
        """None did."""

    async def delete_prefix(self, _prefix: bytes) -> None:
        self._check()

    def session(self, cluster: Cluster) -> "Session":
        return Session(self, cluster)


@dataclass
class Session:
    """A cluster's Kubernetes API that keeps what it is given, by path."""

    outside: Outside
    cluster: Cluster

    async def __aenter__(self) -> Self:
        if self.outside.broken:
            raise KubernetesError("out of order")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing to close."""

    @property
    def _objects(self) -> dict[str, Any]:
        return self.outside.bindings.setdefault(self.cluster.id, {})

    async def exists(self, _path: str) -> bool:
        return True

    async def items(self, path: str, *, selector: str) -> list[dict[str, Any]]:
        label, _, uid = selector.partition("=")
        kind = path.rpartition("/")[2]
        return [
            found
            for where, found in self._objects.items()
            if f"/{kind}/" in where and found["metadata"].get("labels", {}).get(label) == uid
        ]

    async def apply(self, path: str, wanted: dict[str, Any]) -> bool:
        self._objects[path] = wanted
        return True

    async def delete(self, path: str) -> None:
        self._objects.pop(path, None)


@dataclass
class Plane:
    """One run of the control plane; another one on the same database is a restart."""

    clock: Clock
    outside: Outside
    store: ClusterStore
    tasks: Tasks
    events: ClusterEvents
    grants: Grants
    permissions: Permissions
    clusters: ClusterService

    async def reasons(self, cluster_id: str) -> list[str]:
        """Of its events, oldest first."""
        wanted = EventFilter(ACCOUNT, cluster_id=cluster_id)
        page = await self.events.list(wanted, start=0, limit=100)
        return [event.reason for event in page.events[::-1]]


def plane_on(database: Database, clock: Clock, outside: Outside) -> Plane:
    store, grants = ClusterStore(database), Grants(database, clock.now)
    tasks, events = Tasks(database, clock.now), ClusterEvents(database, clock.now)
    permissions = Permissions(store, grants, cast("Any", outside))
    clusters = ClusterService(
        store,
        arranger=cast("Arranger", outside),
        plugins=cast("Plugins", outside),
        switch=cast("EncryptionSwitch", outside),
        etcd=cast("Any", outside),
        tasks=tasks,
        events=events,
        permissions=permissions,
        now=clock.now,
    )
    return Plane(clock, outside, store, tasks, events, grants, permissions, clusters)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "account.db")
    yield made
    made.close()


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    made = Clock(tmp_path / "clock.json")
    made.freeze()
    return made


@pytest.fixture
async def plane(database: Database, clock: Clock) -> AsyncIterator[Plane]:
    made = plane_on(database, clock, Outside())
    yield made
    await made.clusters.stop()


def a_cluster(**fields: Any) -> Cluster:
    """Of the account's owner, running; `fields` are its own."""
    moment = datetime(2026, 1, 2, tzinfo=UTC) - timedelta(days=1)
    given = {
        "id": "c" + "1" * 32,
        "account_id": ACCOUNT,
        "region": "cn-hangzhou",
        "name": "shop",
        "key_id": None,
        "kms_version": "v1",
        "incarnation": 1,
        "created": moment,
        "updated": moment,
        "creator": ACCOUNT,
    }
    return Cluster(**{**given, **fields})

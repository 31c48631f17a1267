"""Managed clusters: created, encrypted with a key, restarted, deleted.

The control plane keeps the list, runs one KMS plugin an encrypted cluster, and writes the
orders that the API server follows. It never touches a Secret.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update

from apiserver_shim.errors import StorageError
from apiserver_shim.storage.etcd import EtcdClient
from sim.account.database import Database
from sim.account.tables import clusters
from sim.ack.cluster import Cluster, ClusterError, KmsVersion
from sim.ack.directory import ClusterDirectory, Orders
from sim.ack.plugins import Plugins

_NOTICED_SECONDS = 2.0


class ClusterService:
    """The control plane."""

    def __init__(
        self,
        database: Database,
        *,
        directory: ClusterDirectory,
        plugins: Plugins,
        etcd: EtcdClient,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._directory = directory
        self._plugins = plugins
        self._etcd = etcd
        self._now = now
        self._sweeps: set[asyncio.Task[None]] = set()

    async def resume(self) -> None:
        """Takes up every cluster that an earlier run of this process left."""
        for cluster in await self.all():
            await self._order(cluster)

    async def create(
        self,
        account_id: str,
        name: str,
        *,
        region: str,
        key_id: str | None,
        kms_version: KmsVersion = "v1",
        cluster_id: str | None = None,
    ) -> Cluster:
        """A running cluster; with `key_id`, one whose Secrets are sealed from the first."""
        cluster = Cluster(
            id=cluster_id or "c" + secrets.token_hex(16),
            account_id=account_id,
            region=region,
            name=name,
            key_id=key_id,
            kms_version=kms_version,
            incarnation=1,
            created=self._now(),
        )
        if key_id is not None:
            cluster = replace(cluster, key_id=await self._plugins.resolve_key(cluster))
        insert = self._database.insert(clusters).values(_row(cluster)).on_conflict_do_nothing()
        if await self._database.run(lambda connection: connection.execute(insert).rowcount) != 1:
            raise ClusterError("ErrorClusterExists", f"cluster {cluster.id!r} exists already")
        await self._order(cluster)
        return cluster

    async def all(self, account_id: str | None = None) -> list[Cluster]:
        def work(connection: Connection) -> list[Cluster]:
            query = select(clusters).order_by(clusters.c.created)
            if account_id is not None:
                query = query.where(clusters.c.account_id == account_id)
            return [_cluster(row) for row in connection.execute(query)]

        return await self._database.run(work)

    async def get(self, cluster_id: str) -> Cluster:
        """Raises ClusterError `ErrorClusterNotFound`."""

        def work(connection: Connection) -> Any:
            return connection.execute(select(clusters).where(clusters.c.id == cluster_id)).first()

        row = await self._database.run(work)
        if row is None:
            raise ClusterError("ErrorClusterNotFound", f"cluster {cluster_id!r} does not exist")
        return _cluster(row)

    async def restart(self, cluster_id: str) -> Cluster:
        """A new API server process, as far as anyone can tell: its memory is gone."""
        cluster = await self.get(cluster_id)
        cluster = replace(cluster, incarnation=cluster.incarnation + 1)

        def work(connection: Connection) -> None:
            connection.execute(
                update(clusters)
                .where(clusters.c.id == cluster_id)
                .values(incarnation=cluster.incarnation)
            )

        await self._database.run(work)
        self._directory.write(self._orders(cluster))
        return cluster

    async def delete(self, cluster_id: str) -> None:
        """The cluster, its plugin and everything it stored."""
        cluster = await self.get(cluster_id)
        self._directory.remove(cluster_id)
        await self._plugins.stop(cluster_id)
        await self._delete_objects(cluster)
        await self._database.run(
            lambda connection: connection.execute(
                delete(clusters).where(clusters.c.id == cluster_id)
            )
        )

    async def _delete_objects(self, cluster: Cluster) -> None:
        """Once now, and once more when the API server must have noticed: it looks each second.

        What its namespace task writes meanwhile, a default ServiceAccount say, goes then.
        """
        prefix = f"{cluster.etcd_prefix}/".encode()
        await self._etcd.delete_prefix(prefix)

        async def again() -> None:
            await asyncio.sleep(_NOTICED_SECONDS)
            with contextlib.suppress(StorageError):
                await self._etcd.delete_prefix(prefix)

        sweep = asyncio.create_task(again())
        self._sweeps.add(sweep)
        sweep.add_done_callback(self._sweeps.discard)

    async def _order(self, cluster: Cluster) -> None:
        """Plugin before API server: the socket answers when the first write needs it."""
        if cluster.key_id is not None:
            await self._plugins.start(cluster)
        self._directory.write(self._orders(cluster))

    def _orders(self, cluster: Cluster) -> Orders:
        return Orders(
            cluster_id=cluster.id,
            etcd_prefix=cluster.etcd_prefix,
            kms_version=cluster.kms_version,
            socket=None if cluster.key_id is None else self._plugins.socket(cluster.id),
            incarnation=cluster.incarnation,
        )


def _row(cluster: Cluster) -> dict[str, Any]:
    return {
        "id": cluster.id,
        "account_id": cluster.account_id,
        "region": cluster.region,
        "name": cluster.name,
        "key_id": cluster.key_id,
        "kms_version": cluster.kms_version,
        "incarnation": cluster.incarnation,
        "created": cluster.created.timestamp(),
    }


def _cluster(row: Any) -> Cluster:
    return Cluster(
        id=row.id,
        account_id=row.account_id,
        region=row.region,
        name=row.name,
        key_id=row.key_id,
        kms_version=row.kms_version,
        incarnation=row.incarnation,
        created=datetime.fromtimestamp(row.created, UTC),
    )

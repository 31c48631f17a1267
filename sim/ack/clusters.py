"""Managed clusters: created, encrypted with a key, restarted, deleted.

The control plane keeps the list, runs one KMS plugin an encrypted cluster, and writes the
orders that the API server follows. It never touches a Secret.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from apiserver_shim.errors import StorageError
from apiserver_shim.storage.etcd import EtcdClient
from sim.ack.arranging import Arranger
from sim.ack.cluster import Cluster, KmsVersion
from sim.ack.plugins import Plugins
from sim.ack.store import ClusterStore
from sim.ack.switching import EncryptionSwitch

_NOTICED_SECONDS = 2.0


class ClusterService:
    """The control plane."""

    def __init__(
        self,
        store: ClusterStore,
        *,
        arranger: Arranger,
        plugins: Plugins,
        switch: EncryptionSwitch,
        etcd: EtcdClient,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._arranger = arranger
        self._plugins = plugins
        self._switch = switch
        self._etcd = etcd
        self._now = now
        self._sweeps: set[asyncio.Task[None]] = set()

    async def resume(self) -> None:
        """Takes up every cluster that an earlier run of this process left."""
        for cluster in await self.all():
            await self._arranger.arrange(cluster.id)
        await self._switch.resume()

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
        created = self._now()
        cluster = Cluster(
            id=cluster_id or "c" + secrets.token_hex(16),
            account_id=account_id,
            region=region,
            name=name,
            key_id=key_id,
            kms_version=kms_version,
            incarnation=1,
            created=created,
            updated=created,
            creator=account_id,
        )
        if key_id is not None:
            cluster = replace(cluster, key_id=await self._plugins.resolve_key(cluster))
        await self._store.insert(cluster)
        return await self._arranger.arrange(cluster.id)

    async def all(self, account_id: str | None = None) -> list[Cluster]:
        return await self._store.all(account_id)

    async def get(self, cluster_id: str) -> Cluster:
        """Raises ClusterError `ErrorClusterNotFound`."""
        return await self._store.get(cluster_id)

    async def restart(self, cluster_id: str) -> Cluster:
        """A new API server process, as far as anyone can tell: its memory is gone."""
        cluster = await self.get(cluster_id)
        await self._store.change(cluster_id, incarnation=cluster.incarnation + 1)
        return await self._arranger.arrange(cluster_id)

    async def delete(self, cluster_id: str) -> None:
        """The cluster, its plugin and everything it stored."""
        cluster = await self.get(cluster_id)
        await self._switch.forget(cluster_id)
        await self._arranger.withdraw(cluster_id)
        await self._delete_objects(cluster)
        await self._store.delete(cluster_id)

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

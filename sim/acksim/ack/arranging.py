"""Brings about what is on record of a cluster: its plugins, then the orders to API servers."""

import asyncio
from collections import defaultdict

from acksim.ack.cluster import Cluster, ClusterError
from acksim.ack.directory import ClusterDirectory, KmsEndpoint, Orders, configuration_text
from acksim.ack.plugins import Plugins
from acksim.ack.providers import providers_of, writing_key
from acksim.ack.store import ClusterStore
from apiserver_shim.encryption import config


class Arranger:
    """The one way from a record to what runs; doing it again changes nothing."""

    def __init__(self, store: ClusterStore, directory: ClusterDirectory, plugins: Plugins) -> None:
        self._store = store
        self._directory = directory
        self._plugins = plugins
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._withdrawn: set[str] = set()

    async def arrange(self, cluster_id: str) -> Cluster:
        """Acts on the newest record and returns it; raises ClusterError `ErrorClusterNotFound`.

        One at a time, or an older record could be written over a newer one. Plugins before
        orders: a socket answers when the first write needs it.
        """
        async with self._locks[cluster_id]:
            if cluster_id in self._withdrawn:
                raise ClusterError("ErrorClusterNotFound", f"cluster {cluster_id!r} is gone")
            cluster = await self._store.get(cluster_id)
            await self._plugins.start(cluster)
            self._directory.write(self._orders(cluster))
            return cluster

    async def tidy(self, cluster_id: str) -> None:
        """Ends the plugins of dropped providers, once no API server asks them."""
        async with self._locks[cluster_id]:
            if cluster_id not in self._withdrawn:
                await self._plugins.stop_others(await self._store.get(cluster_id))

    async def withdraw(self, cluster_id: str) -> None:
        """For good, twice is once; the orders first, so that no API server misses the plugins."""
        async with self._locks[cluster_id]:
            self._withdrawn.add(cluster_id)
            self._directory.remove(cluster_id)
            await self._plugins.stop(cluster_id)
        self._locks.pop(cluster_id, None)

    def digest(self, cluster: Cluster) -> str:
        """How API servers call the EncryptionConfiguration that was ordered."""
        return config.digest(configuration_text(self._orders(cluster)).encode())

    def _orders(self, cluster: Cluster) -> Orders:
        return Orders(
            cluster_id=cluster.id,
            etcd_prefix=cluster.etcd_prefix,
            kms_version=cluster.kms_version,
            providers=tuple(
                KmsEndpoint(provider.name, self._plugins.socket(provider))
                for provider in providers_of(cluster)
            ),
            plaintext_first=writing_key(cluster) is None,
            incarnation=cluster.incarnation,
            kubernetes_version=cluster.kubernetes_version,
        )

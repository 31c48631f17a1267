"""The running logical clusters: each an etcd prefix, an encryption chain, and who may come in."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from apiserver_shim.encryption.transformer import KmsCheck, TransformerSet
from apiserver_shim.objects.admission import NamespaceAdmission
from apiserver_shim.objects.lifecycle import NamespaceLifecycle
from apiserver_shim.objects.registry import Registry
from apiserver_shim.storage.etcd import EtcdClient
from apiserver_shim.storage.store import Store

log = logging.getLogger(__name__)

DEFAULT_CLUSTER = "default"
_SWEEP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class StaticToken:
    """A bearer token and whom it stands for."""

    token: str = field(repr=False)
    user: str
    uid: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """What a logical cluster is made of.

    A higher ``incarnation`` restarts its API server: caches, DEKs and seeds are lost, watches end.
    """

    id: str
    etcd_prefix: str
    encryption_config: Path | None = None
    tokens: tuple[StaticToken, ...] = ()
    incarnation: int = 0


class ClusterSource(Protocol):
    """Who knows the clusters. Asked on every request, so an implementation caches."""

    def find(self, cluster_id: str) -> ClusterSpec | None:
        """Return the cluster as it should be now, None when there is none."""


class StaticClusters:
    """A fixed set of clusters, for a server that stands alone."""

    def __init__(self, specs: Sequence[ClusterSpec]) -> None:
        self._specs = {spec.id: spec for spec in specs}

    def find(self, cluster_id: str) -> ClusterSpec | None:
        return self._specs.get(cluster_id)


class Cluster:
    """One incarnation of a logical API server."""

    def __init__(
        self,
        spec: ClusterSpec,
        etcd: EtcdClient,
        transformers: TransformerSet,
        *,
        now: Callable[[], datetime],
        token_bytes: Callable[[int], bytes],
    ) -> None:
        self.spec = spec
        self.closing = asyncio.Event()
        self.store = Store(etcd, prefix=spec.etcd_prefix, transformers=transformers)
        admission = NamespaceAdmission(self.store)
        self.registry = Registry(self.store, admission=admission, now=now, token_bytes=token_bytes)
        self._transformers = transformers
        self._lifecycle = NamespaceLifecycle(self.registry, admission=admission, now=now)
        self._following = asyncio.create_task(self._lifecycle.run())

    async def ready(self) -> None:
        """Wait until the first namespaces exist; raises StorageError when etcd is away."""
        await self._lifecycle.bootstrapped()

    def kms_checks(self) -> tuple[KmsCheck, ...]:
        return self._transformers.checks()

    async def close(self) -> None:
        """End the watches and stop looking after the namespaces."""
        self.closing.set()
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)


class Clusters:
    """Finds, builds, restarts and ends logical clusters as their source says."""

    def __init__(
        self,
        source: ClusterSource,
        etcd: EtcdClient,
        *,
        now: Callable[[], datetime],
        token_bytes: Callable[[int], bytes],
    ) -> None:
        self._source = source
        self._etcd = etcd
        self._now = now
        self._token_bytes = token_bytes
        self._running: dict[str, Cluster] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def get(self, cluster_id: str) -> Cluster | None:
        """Return the running cluster, built anew if need be; None when there is no such one."""
        spec = self._source.find(cluster_id)
        running = self._running.get(cluster_id)
        if running is not None:
            if running.spec == spec:
                return running
            self._end(running)
        if spec is None:
            return None
        cluster = self._running[cluster_id] = self._build(spec)
        return cluster

    async def run(self) -> None:
        """End what is deleted and restart what changed, even when nobody asks for it."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            for cluster_id in tuple(self._running):
                self.get(cluster_id)

    async def close(self) -> None:
        for cluster in tuple(self._running.values()):
            self._end(cluster)
        await asyncio.gather(*self._ending)

    def _build(self, spec: ClusterSpec) -> Cluster:
        return Cluster(
            spec,
            self._etcd,
            TransformerSet(),
            now=self._now,
            token_bytes=self._token_bytes,
        )

    def _end(self, cluster: Cluster) -> None:
        del self._running[cluster.spec.id]
        task = asyncio.create_task(cluster.close())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

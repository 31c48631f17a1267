"""The running logical clusters: each an etcd prefix, an encryption chain, and who may come in."""

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from apiserver_shim.access.accounts import AccountTokens
from apiserver_shim.access.keeper import AccountKeeper
from apiserver_shim.access.roles import RoleCache
from apiserver_shim.encryption.live import LiveEncryption
from apiserver_shim.encryption.runtime import Runtime
from apiserver_shim.encryption.transformer import KmsCheck, TransformerSet
from apiserver_shim.errors import EncryptionConfigError, ShimError
from apiserver_shim.kubernetes_version import KubernetesVersion
from apiserver_shim.metrics import Metrics
from apiserver_shim.objects.admission import NamespaceAdmission
from apiserver_shim.objects.lifecycle import NamespaceLifecycle
from apiserver_shim.objects.registry import Registry
from apiserver_shim.storage.etcd import EtcdClient
from apiserver_shim.storage.store import Store

log = logging.getLogger(__name__)

DEFAULT_CLUSTER = "default"
_SWEEP_SECONDS = 1.0
_is_id = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?").fullmatch
_RETRY_SECONDS = 5.0


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

    ``service_account_key`` (PEM, P-256 or RSA) signs account tokens; without one they live as long
    as this process. ``certificate_authority`` is what accounts are told to trust.

    Another ``incarnation`` is a restart of its API server: caches, DEKs and seeds are lost, watches
    end. Tokens may change without one.
    """

    id: str
    etcd_prefix: str
    encryption_config: Path | None = None
    tokens: tuple[StaticToken, ...] = ()
    incarnation: int = 0
    version: KubernetesVersion = field(default_factory=KubernetesVersion)
    service_account_key: Path | None = None
    certificate_authority: Path | None = None

    @property
    def issuer(self) -> str:
        """Who signs this cluster's account tokens: another one for each cluster."""
        path = "" if self.id == DEFAULT_CLUSTER else f"/clusters/{self.id}"
        return f"https://kubernetes.default.svc{path}"


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


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all logical clusters of a process share.

    ``reload_seconds`` is how often encryption configuration files are looked at; None: never.
    """

    etcd: EtcdClient
    now: Callable[[], datetime]
    token_bytes: Callable[[int], bytes]
    reload_seconds: float | None


class ClusterEncryption:
    """A cluster's encryption configuration; the cluster is shut until it was loaded once.

    A real API server would not start. Here the other clusters go on, and the file may be mended.
    """

    def __init__(
        self, path: Path, shared: Surroundings, metrics: Metrics, version: KubernetesVersion
    ) -> None:
        self._path = path
        self._live = LiveEncryption(
            path,
            Runtime(
                shared.now,
                token_bytes=shared.token_bytes,
                # a managed control plane would set the gate of KMS v1
                version=replace(version, kms_v1=True),
                metrics=metrics,
            ),
            reload_interval=shared.reload_seconds,
        )
        self.transformers = self._live.transformers
        self.tried = asyncio.Event()  # the transformers open, or know why they refuse
        self.loaded = asyncio.Event()

    async def run(self) -> None:
        """Load the configuration, again and again while it is bad; then keep it until cancelled."""
        told = ""
        try:
            while not self.loaded.is_set():
                try:
                    await self._live.start()
                    self.loaded.set()
                except EncryptionConfigError as error:
                    if error.message != told:
                        # a user's file, no bug of ours
                        log.error("%s: %s", self._path, error.message)  # noqa: TRY400
                        told = error.message
                    self.tried.set()
                    await asyncio.sleep(_RETRY_SECONDS)
            self.tried.set()
            await asyncio.Event().wait()
        finally:
            self.tried.set()
            await self._live.stop()


class Cluster:
    """One incarnation of a logical API server; needs a running event loop."""

    def __init__(self, spec: ClusterSpec, shared: Surroundings) -> None:
        self.spec = spec
        self.closing = asyncio.Event()
        self.metrics = Metrics(spec.id)
        self._encryption = (
            ClusterEncryption(spec.encryption_config, shared, self.metrics, spec.version)
            if spec.encryption_config
            else None
        )
        self._transformers = (
            self._encryption.transformers if self._encryption else TransformerSet({})
        )
        self.store = Store(
            shared.etcd,
            prefix=spec.etcd_prefix,
            transformers=self._transformers,
            version=spec.version,
        )
        admission = NamespaceAdmission(self.store)
        self.registry = Registry(
            self.store, admission=admission, now=shared.now, token_bytes=shared.token_bytes
        )
        self.roles = RoleCache(self.registry)
        self.accounts = AccountTokens(
            self.registry,
            key=spec.service_account_key,
            issuer=spec.issuer,
            now=shared.now,
            token_bytes=shared.token_bytes,
        )
        self.registry.listen(lambda resource, _obj, _gone: self.roles.observe(resource))
        self._keeper = AccountKeeper(
            self.registry, self.accounts, authority=spec.certificate_authority
        )
        self.registry.listen(self._keeper.observe)
        self._lifecycle = NamespaceLifecycle(self.registry, admission=admission, now=shared.now)
        self._running = asyncio.create_task(self._run())

    def serves(self, spec: ClusterSpec) -> bool:
        """Take over what may change while running; False if it takes a restart."""
        if replace(spec, tokens=self.spec.tokens) != self.spec:
            return False
        self.spec = spec
        return True

    async def ready(self) -> None:
        """Wait until the first namespaces exist; raises StorageError when etcd is away.

        Raises EncryptionConfigError while the encryption configuration cannot be loaded.
        """
        if self._encryption is not None:
            await self._encryption.tried.wait()
            self._transformers.check_loaded()
        await self._lifecycle.bootstrapped()

    async def kms_checks(self) -> tuple[KmsCheck, ...]:
        """Return the health checks of KMS, once the encryption configuration was tried."""
        if self._encryption is not None:
            await self._encryption.tried.wait()
        return self._transformers.checks()

    async def close(self) -> None:
        """End the watches and all that runs in the background."""
        self.closing.set()
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self.roles.close()

    async def _run(self) -> None:
        if self._encryption is None:
            await self._work()
            return
        opening = asyncio.create_task(self._encryption.run())
        try:
            await self._encryption.loaded.wait()
            await self._work()
        finally:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)

    async def _work(self) -> None:
        preparing = asyncio.create_task(self._prepare())
        try:
            await self._lifecycle.run()
        finally:
            preparing.cancel()
            await asyncio.gather(preparing, return_exceptions=True)

    async def _prepare(self) -> None:
        """Make what clients do not wait for: default roles and accounts; again until it works."""
        while True:
            try:
                await self.ready()
                await self.roles.bootstrapped()
                await self._keeper.run()
            except ShimError as error:
                log.warning("preparing cluster %s: %s", self.spec.id, error.message)
            await asyncio.sleep(_RETRY_SECONDS)


class Clusters:
    """Finds, builds, restarts and ends logical clusters as their source says."""

    def __init__(self, source: ClusterSource, shared: Surroundings) -> None:
        self._source = source
        self._shared = shared
        self._running: dict[str, Cluster] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def get(self, cluster_id: str) -> Cluster | None:
        """Return the running cluster, built anew if need be; None when there is no such one."""
        # an id comes from a URL, and a source may look for it on disk
        spec = self._source.find(cluster_id) if _is_id(cluster_id) else None
        running = self._running.get(cluster_id)
        if running is not None:
            if spec is not None and running.serves(spec):
                return running
            self._end(running)
        if spec is None:
            return None
        cluster = self._running[cluster_id] = Cluster(spec, self._shared)
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

    def _end(self, cluster: Cluster) -> None:
        del self._running[cluster.spec.id]
        task = asyncio.create_task(cluster.close())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

"""Managed clusters: created, encrypted with a key, changed, restarted, deleted.

The control plane keeps the list, runs the KMS plugins of encrypted clusters, and writes the
orders that the API server follows. It never touches a Secret. What takes more than one step is
put down before it begins, so that the next process goes on where a killed one stopped.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime
from typing import Any

from acksim.ack.arranging import Arranger
from acksim.ack.cluster import KUBERNETES_VERSION, Cluster, ClusterError, KmsVersion, State
from acksim.ack.events import ClusterEvents
from acksim.ack.permissions import Permissions
from acksim.ack.plugins import Plugins
from acksim.ack.store import ClusterStore
from acksim.ack.switching import EncryptionSwitch
from acksim.ack.tasks import Tasks, new_task_id
from apiserver_shim.errors import ShimError, StorageError
from apiserver_shim.kubernetes_version import KubernetesVersion
from apiserver_shim.storage.etcd import EtcdClient

logger = logging.getLogger(__name__)

_NOTICED_SECONDS = 2.0
_INITIAL: frozenset[State] = frozenset({"initial"})
_DELETABLE: frozenset[State] = frozenset({"running", "unavailable", "failed", "delete_failed"})


class ClusterService:
    """The control plane."""

    def __init__(  # noqa: PLR0913 - each room that has a part in a cluster's life
        self,
        store: ClusterStore,
        *,
        arranger: Arranger,
        plugins: Plugins,
        switch: EncryptionSwitch,
        etcd: EtcdClient,
        tasks: Tasks,
        events: ClusterEvents,
        permissions: Permissions,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._arranger = arranger
        self._plugins = plugins
        self._switch = switch
        self._etcd = etcd
        self._tasks = tasks
        self._events = events
        self._permissions = permissions
        self._now = now
        self._background: set[asyncio.Task[None]] = set()

    async def resume(self) -> None:
        """Takes up every cluster that an earlier run of this process left.

        Requests are answered already, and others may work on the same records: a cluster that
        somebody deletes first is nobody's failure, and must not keep the world from starting.
        """
        for cluster in await self.all():
            try:
                await self._take_up(cluster)
            except ClusterError as error:
                logger.info("cluster %s is not taken up: %s", cluster.id, error)
        await self._switch.resume()

    async def _take_up(self, cluster: Cluster) -> None:
        if cluster.state == "deleting":
            self._in_background(self._demolish(cluster))
            return
        await self._arranger.arrange(cluster.id)
        if cluster.state == "initial":
            await self._finish_creation(cluster)

    async def all(self, account_id: str | None = None) -> list[Cluster]:
        return await self._store.all(account_id)

    async def get(self, cluster_id: str) -> Cluster:
        """Raises ClusterError `ErrorClusterNotFound`."""
        return await self._store.get(cluster_id)

    def draft(self, account_id: str, name: str, *, region: str) -> Cluster:
        """A Pro cluster of the account's owner that does not exist yet."""
        created = self._now()
        return Cluster(
            id="c" + secrets.token_hex(16),
            account_id=account_id,
            region=region,
            name=name,
            key_id=None,
            kms_version="v1",
            incarnation=1,
            created=created,
            updated=created,
            creator=account_id,
        )

    async def create(  # noqa: PLR0913 - all that may be chosen of a cluster at once
        self,
        account_id: str,
        name: str,
        *,
        region: str,
        key_id: str | None,
        kms_version: KmsVersion = "v1",
        kubernetes_version: str = KUBERNETES_VERSION,
        cluster_id: str | None = None,
    ) -> Cluster:
        """A running cluster; with `key_id`, one whose Secrets are sealed from the first."""
        draft = self.draft(account_id, name, region=region)
        cluster = replace(
            draft,
            id=cluster_id or draft.id,
            key_id=key_id,
            kms_version=kms_version,
            kubernetes_version=kubernetes_version,
        )
        if key_id is not None:
            cluster = replace(cluster, key_id=await self._plugins.resolve_key(cluster))
        return await self._build(await self._admit(cluster))

    async def begin(self, cluster: Cluster) -> Cluster:
        """Puts a cluster down and goes on in the background; answers it as `initial`."""
        admitted = await self._admit(cluster)
        self._in_background(self._build_or_fail(admitted))
        return admitted

    async def modify(self, cluster: Cluster, **changes: Any) -> Cluster:
        """Changes what is only on record; a task of one step says so."""
        task_id = new_task_id()
        changed = await self._store.change(
            cluster.id,
            states=("running", "unavailable"),
            updated=self._now(),
            task_id=task_id,
            **changes,
        )
        await self._tasks.begin(changed, "cluster_modify", task_id=task_id)
        fields = ", ".join(sorted(changes))
        await self._events.add(changed, "cluster_modify", "ClusterModified", f"set {fields}")
        await self._tasks.end(task_id)
        return changed

    async def restart(self, cluster_id: str) -> Cluster:
        """A new API server process, as far as anyone can tell: its memory is gone."""
        cluster = await self.get(cluster_id)
        await self._store.change(cluster_id, incarnation=cluster.incarnation + 1)
        return await self._arranger.arrange(cluster_id)

    async def begin_delete(self, cluster: Cluster) -> Cluster:
        """Puts the deletion down and goes on in the background.

        Raises ClusterError `ErrorDeletionProtection` and `ErrorClusterState`.
        """
        if cluster.deletion_protection:
            raise ClusterError(
                "ErrorDeletionProtection",
                f"deletion protection is on for cluster {cluster.id}; turn it off with "
                "ModifyCluster first",
            )
        deleting = await self._take_to_delete(cluster, _DELETABLE)
        self._in_background(self._demolish(deleting))
        return deleting

    async def delete(self, cluster_id: str) -> None:
        """The cluster, its plugins and everything it stored, whatever it is at."""
        cluster = await self.get(cluster_id)
        deleting = await self._take_to_delete(cluster, None)
        try:
            await self._remove(deleting)
        except (OSError, ShimError) as error:
            await self._deletion_failed(deleting, error)
            raise

    async def stop(self) -> None:
        """Ends what goes on in the background; the next run takes it up."""
        for task in tuple(self._background):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _admit(self, cluster: Cluster) -> Cluster:
        try:
            KubernetesVersion.parse(cluster.kubernetes_version)
        except ValueError as error:
            raise ClusterError("InvalidParameter", str(error)) from None
        task_id = new_task_id()
        cluster = replace(cluster, state="initial", task_id=task_id)
        await self._store.insert(cluster)
        await self._tasks.begin(cluster, "cluster_create", task_id=task_id, name=cluster.name)
        return cluster

    async def _build(self, cluster: Cluster) -> Cluster:
        await self._tasks.stage(cluster.task_id, "control_plane", "start the control plane")
        await self._arranger.arrange(cluster.id)
        return await self._finish_creation(cluster)

    async def _finish_creation(self, cluster: Cluster) -> Cluster:
        """The state last: who is killed before that finishes once more."""
        await self._permissions.settle(cluster)
        await self._events.add(cluster, "cluster_create", "ClusterCreated", "the cluster runs")
        await self._tasks.end(cluster.task_id)
        try:
            return await self._store.change(
                cluster.id, states=_INITIAL, state="running", updated=self._now()
            )
        except ClusterError:
            current = await self.get(cluster.id)
            if current.state != "running":
                raise
            return current  # another process on this database was faster

    async def _build_or_fail(self, cluster: Cluster) -> None:
        try:
            await self._build(cluster)
        except (OSError, ShimError, ClusterError) as error:
            logger.exception("cluster %s could not be created", cluster.id)
            failure = ClusterError("ErrorCreateCluster", str(error))
            await self._failed(cluster, "cluster_create", "ClusterCreateFailed", failure)
            with contextlib.suppress(ClusterError):
                await self._store.change(cluster.id, states=_INITIAL, state="failed")

    async def _take_to_delete(self, cluster: Cluster, states: frozenset[State] | None) -> Cluster:
        task_id = new_task_id()
        deleting = await self._store.change(
            cluster.id, states=states, state="deleting", task_id=task_id, updated=self._now()
        )
        await self._tasks.begin(deleting, "cluster_delete", task_id=task_id)
        return deleting

    async def _demolish(self, cluster: Cluster) -> None:
        try:
            await self._remove(cluster)
        except (OSError, ShimError) as error:
            logger.exception("cluster %s could not be deleted", cluster.id)
            await self._deletion_failed(cluster, error)

    async def _remove(self, cluster: Cluster) -> None:
        await self._switch.forget(cluster.id)
        await self._arranger.withdraw(cluster.id)
        await self._delete_objects(cluster)
        await self._permissions.forget(cluster)
        await self._events.add(cluster, "cluster_delete", "ClusterDeleted", "the cluster is gone")
        await self._tasks.end(cluster.task_id)
        await self._store.delete(cluster.id)

    async def _deletion_failed(self, cluster: Cluster, error: Exception) -> None:
        failure = ClusterError("ErrorDeleteCluster", str(error))
        await self._failed(cluster, "cluster_delete", "ClusterDeleteFailed", failure)
        await self._store.change(cluster.id, state="delete_failed")

    async def _failed(
        self, cluster: Cluster, type_: str, reason: str, failure: ClusterError
    ) -> None:
        await self._events.add(cluster, type_, reason, failure.message, level="error")
        await self._tasks.end(cluster.task_id, failure)

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

        self._in_background(again())

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

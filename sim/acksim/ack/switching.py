"""Switches the Secret encryption of a running cluster on, off, or to another key.

Two stages, each on record before it is acted on, so that a killed process resumes. `adding`: the
target's provider joins as one that may be read from. When every API server serves that, nothing
that one of them will write can be unreadable to another. `leading`: the target writes. Nothing
stored is touched; what each Secret needs stays among the providers until nothing needs it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from sqlalchemy.exc import DBAPIError

from acksim.ack.arranging import Arranger
from acksim.ack.cluster import Cluster, ClusterError, Provider
from acksim.ack.coverage import Coverage
from acksim.ack.providers import (
    ADDING,
    LEADING,
    MOST_PROVIDERS,
    abandoned,
    adding,
    finished,
    leading,
    providers_of,
)
from acksim.ack.store import ClusterStore
from apiserver_shim.errors import ShimError

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.3
_RETRY_SECONDS = 1.0
# Longer than a write may be under way: two calls of a plugin (3 s each), then etcd (5 s).
_GRACE_SECONDS = 12.0

Report = Callable[[Cluster, str | None], Awaitable[None]]
Survey = Callable[[Cluster], Awaitable[Coverage]]


class Servers(Protocol):
    """The API servers of a cluster."""

    async def objection(self, cluster: Cluster, digest: str) -> str | None:
        """Why not all of them serve that EncryptionConfiguration; None when they do."""


async def _unreported(_cluster: Cluster, _failure: str | None) -> None:
    pass


class EncryptionSwitch:
    """The state machine; one task a cluster that is being switched. All times are real ones."""

    def __init__(  # noqa: PLR0913 - the world around a switch, each part by its name
        self,
        store: ClusterStore,
        *,
        arranger: Arranger,
        servers: Servers,
        survey: Survey,
        now: Callable[[], datetime],
        report: Report = _unreported,
        patience: float = 40.0,
    ) -> None:
        """`report` hears of each end, with the reason of a switch that was given up.

        It hears at least once: again, if the process is killed before the end is on record.
        `patience`, in seconds, is for the first stage; the second has begun to write, and stays.
        """
        self._store = store
        self._arranger = arranger
        self._servers = servers
        self._survey = survey
        self._now = now
        self._report = report
        self._patience = patience
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._started = time.monotonic()
        self._ended: dict[str, float] = {}

    async def begin(self, cluster_id: str, key_id: str | None, **changes: object) -> Cluster:
        """Puts a running cluster on its way to `key_id` (a plain id), or off; returns at once.

        `changes` are fields of the cluster to be set in the same transaction. Raises ClusterError
        `ErrorClusterState`, and `ErrorClusterProviders` when it depends on too many keys.
        """
        before = await self._store.get(cluster_id)
        if before.state != "running" or before.switch_stage is not None:
            raise ClusterError("ErrorClusterState", f"cluster {cluster_id} is {before.state}")
        after = replace(adding(before, key_id), state="updating", **changes)  # type: ignore[arg-type]
        if len(after.providers) > MOST_PROVIDERS:
            raise ClusterError(
                "ErrorClusterProviders",
                f"cluster {cluster_id} has {MOST_PROVIDERS} keys already; `acksim cluster rewrite "
                f"{cluster_id}` frees it of those that it needs no more",
            )
        if not await self._store.replace(before, after):
            raise ClusterError("ErrorClusterState", f"cluster {cluster_id} is being changed")
        self._start(cluster_id)
        return after

    async def resume(self) -> None:
        """Takes up every switch that an earlier run of this process left."""
        for cluster in await self._store.all():
            if cluster.switch_stage is not None and cluster.id not in self._tasks:
                self._start(cluster.id)

    async def drop_unneeded(self, cluster_id: str) -> tuple[Provider, ...]:
        """Drops the providers that no stored Secret depends on; returns them.

        Waits until no write that began before the last switch can be under way any more.
        """
        before = await self._store.get(cluster_id)
        needed = await self._needed(before)
        if len(needed) < len(providers_of(before)):
            await asyncio.sleep(self._grace_left(cluster_id))
            before = await self._store.get(cluster_id)
            needed = await self._needed(before)
        dropped = tuple(one for one in providers_of(before) if one not in needed)
        if before.switch_stage is not None or not dropped:
            return ()
        if not await self._store.replace(before, replace(before, providers=needed)):
            return ()
        await self._settle(await self._arranger.arrange(cluster_id))
        return dropped

    async def forget(self, cluster_id: str) -> None:
        """Ends the switch of a cluster that is being deleted."""
        self._ended.pop(cluster_id, None)
        task = self._tasks.pop(cluster_id, None)
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def stop(self) -> None:
        for cluster_id in tuple(self._tasks):
            await self.forget(cluster_id)

    def _start(self, cluster_id: str) -> None:
        task = asyncio.create_task(self._drive(cluster_id))
        self._tasks[cluster_id] = task
        task.add_done_callback(lambda ended: self._close(cluster_id, ended))

    def _close(self, cluster_id: str, ended: asyncio.Task[None]) -> None:
        if self._tasks.get(cluster_id) is ended:
            del self._tasks[cluster_id]
        if not ended.cancelled() and (error := ended.exception()) is not None:
            log.error("the switch of cluster %s waits for a restart", cluster_id, exc_info=error)

    async def _drive(self, cluster_id: str) -> None:
        """To the end, whatever fails on the way: the record says where it stands."""
        while True:
            try:
                while (await self._store.get(cluster_id)).switch_stage is not None:
                    await self._step(cluster_id)
            except (ClusterError, DBAPIError, OSError, ShimError) as error:
                if isinstance(error, ClusterError) and error.code == "ErrorClusterNotFound":
                    return
                log.exception("switching cluster %s", cluster_id)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

    async def _step(self, cluster_id: str) -> None:
        await self._forget_unneeded(cluster_id)
        cluster = await self._arranger.arrange(cluster_id)
        if cluster.switch_stage == ADDING:
            failure = await self._until_served(cluster, patience=self._patience)
            if failure is None:
                await self._store.replace(cluster, leading(cluster))
            else:
                await self._give_up(cluster, failure)
        elif cluster.switch_stage == LEADING:
            await self._until_served(cluster, patience=float("inf"))
            self._ended[cluster_id] = time.monotonic()
            await self._arranger.tidy(cluster_id)
            await self._report(finished(cluster), None)
            await self._store.replace(cluster, self._running(finished(cluster)))

    async def _give_up(self, cluster: Cluster, failure: str) -> None:
        """Back to where it was; nothing was written with the target."""
        log.warning("giving up the switch of cluster %s: %s", cluster.id, failure)
        back = abandoned(cluster)
        back = replace(back, providers=await self._needed(back))
        await self._report(back, failure)
        if await self._store.replace(cluster, self._running(back)):
            await self._arranger.arrange(cluster.id)

    def _running(self, cluster: Cluster) -> Cluster:
        moment = self._now()
        return replace(cluster, state="running", updated=moment, last_switch=moment)

    async def _forget_unneeded(self, cluster_id: str) -> None:
        """A key that nothing depends on may be dead, and an API server would mind that."""
        before = await self._store.get(cluster_id)
        if before.switch_stage == ADDING and self._grace_left(cluster_id) == 0:
            await self._store.replace(before, replace(before, providers=await self._needed(before)))

    async def _needed(self, cluster: Cluster) -> tuple[Provider, ...]:
        used = (await self._survey(cluster)).providers
        keys = (cluster.key_id, cluster.target_key_id)
        return tuple(one for one in providers_of(cluster) if one.name in used or one.key_id in keys)

    async def _until_served(self, cluster: Cluster, *, patience: float) -> str | None:
        """None once every API server serves what was ordered; else why not, when it took long."""
        digest = self._arranger.digest(cluster)
        deadline = time.monotonic() + patience
        while (objection := await self._servers.objection(cluster, digest)) is not None:
            if time.monotonic() > deadline:
                return objection
            await asyncio.sleep(_LOOK_SECONDS)
        return None

    async def _settle(self, cluster: Cluster) -> None:
        """Ends dropped plugins when no API server asks them any more, or later, if that is long."""
        if await self._until_served(cluster, patience=self._patience) is None:
            await self._arranger.tidy(cluster.id)

    def _grace_left(self, cluster_id: str) -> float:
        since = self._ended.get(cluster_id, self._started)
        return max(0.0, since + _GRACE_SECONDS - time.monotonic())

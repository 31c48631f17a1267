"""Keeps the state of encrypted clusters true: without its key a cluster is `unavailable`.

The control plane looks at each key as the cluster's own role does, by DescribeKey: now and then
while all is well, at once when a plugin was refused, and often until it works again.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sim.ack.cluster import Cluster, ClusterError, State
from sim.ack.encryption import DescribeKey
from sim.ack.events import ClusterEvents, Level
from sim.ack.store import ClusterStore

logger = logging.getLogger(__name__)

EVENT_TYPE = "cluster_health"
_WATCHED: frozenset[State] = frozenset({"running", "unavailable"})
_ENABLE = "enable it, or cancel its deletion; until then Secrets cannot be read or written"
_REACH = "let the control plane reach KMS again: network, balance, AliyunCSManagedSecurityRole"


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a look lasts, in real time or simulated, whichever ends first."""

    healthy: timedelta = timedelta(seconds=60)
    sick: timedelta = timedelta(seconds=2)
    tick: float = 0.5


class ClusterHealth:
    """The health task of every cluster of this process."""

    def __init__(
        self,
        store: ClusterStore,
        *,
        keys: DescribeKey,
        events: ClusterEvents,
        now: Callable[[], datetime],
        pace: Pace | None = None,
    ) -> None:
        self._store = store
        self._keys = keys
        self._events = events
        self._now = now
        self._pace = pace or Pace()
        self._due: dict[str, tuple[datetime, float]] = {}

    def notice(self, cluster_id: str) -> None:
        """Something failed there: have a look now."""
        self._due.pop(cluster_id, None)

    async def watch(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                await self.look()
            except Exception:
                logger.exception("could not look after clusters; trying again")
            await asyncio.sleep(self._pace.tick)

    async def look(self) -> None:
        """At every cluster whose time has come."""
        clusters = [
            one for one in await self._store.all() if one.state in _WATCHED and self._is_due(one)
        ]
        await asyncio.gather(*(self._examine(one) for one in clusters))

    def _is_due(self, cluster: Cluster) -> bool:
        if cluster.key_id is None:
            return cluster.state == "unavailable"
        if cluster.id not in self._due:
            return True
        simulated, real = self._due[cluster.id]
        return self._now() >= simulated or asyncio.get_running_loop().time() >= real

    async def _examine(self, cluster: Cluster) -> None:
        ailment = await self._ailment(cluster)
        if cluster.state == "unavailable" and ailment is None:
            await self._turn(cluster, "running", "ClusterRecovered", "its key can be used again")
        elif cluster.state == "running" and ailment is not None:
            await self._turn(cluster, "unavailable", "KMSKeyUnavailable", ailment)
        wait = self._pace.healthy if ailment is None else self._pace.sick
        loop_time = asyncio.get_running_loop().time()
        self._due[cluster.id] = (self._now() + wait, loop_time + wait.total_seconds())

    async def _ailment(self, cluster: Cluster) -> str | None:
        """Why its key cannot be used and what to do; None when it can."""
        if cluster.key_id is None:
            return None
        try:
            key = await self._keys(cluster, cluster.key_id)
        except ClusterError as error:
            return f"key {cluster.key_id} is out of reach ({error.code}: {error.message}); {_REACH}"
        if key.state != "Enabled":
            return f"key {cluster.key_id} is {key.state}; {_ENABLE}"
        return None

    async def _turn(self, cluster: Cluster, state: State, reason: str, message: str) -> None:
        with suppress(ClusterError):  # it has gone elsewhere meanwhile
            turned = await self._store.change(
                cluster.id, states={cluster.state}, state=state, updated=self._now()
            )
            level: Level = "info" if state == "running" else "error"
            await self._events.add(turned, EVENT_TYPE, reason, message, level=level)

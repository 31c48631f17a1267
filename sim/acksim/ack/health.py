"""Keeps the state of encrypted clusters true: without its key a cluster is `unavailable`.

The control plane looks at each key as the cluster's own role does, by DescribeKey: now and then
while all is well, at once when a plugin was refused, and often until it works again.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from acksim.ack.cluster import Cluster, ClusterError, State
from acksim.ack.encryption import DescribeKey
from acksim.ack.events import ClusterEvents, Level
from acksim.ack.providers import providers_of
from acksim.ack.store import ClusterStore

logger = logging.getLogger(__name__)

EVENT_TYPE = "cluster_health"
_AT_ONCE = 8
_WATCHED: frozenset[State] = frozenset({"running", "unavailable"})
_ENABLE = "enable it, or cancel its deletion; until then Secrets cannot be read or written"
_REACH = "let the control plane reach KMS again: network, balance, AliyunCSManagedSecurityRole"


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a look lasts, in real time or simulated, whichever ends first."""

    healthy: timedelta = timedelta(seconds=60)
    sick: timedelta = timedelta(seconds=2)
    tick: float = 0.5


@dataclass(frozen=True, slots=True)
class _Look:
    """When it was, by both clocks, and how long it lasts."""

    simulated: datetime
    real: float
    lasts: timedelta


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
        self._looked: dict[str, _Look] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._told: set[tuple[str, str]] = set()

    def notice(self, cluster_id: str) -> None:
        """Something failed there: have a look now, or soon, if the last one was just now."""
        look = self._looked.get(cluster_id) or self._look(self._pace.healthy)
        self._looked[cluster_id] = replace(look, lasts=self._pace.sick)

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
        clusters = await self._store.all()
        for gone in self._looked.keys() - {one.id for one in clusters}:
            del self._looked[gone]
            self._told = {place for place in self._told if place[0] != gone}
        due = [one for one in clusters if one.state in _WATCHED and self._is_due(one)]
        await asyncio.gather(*(self._in_turn(one) for one in due))

    async def _in_turn(self, cluster: Cluster) -> None:
        async with self._turns:
            await self._examine(cluster)

    def _is_due(self, cluster: Cluster) -> bool:
        if not providers_of(cluster):
            return cluster.state == "unavailable"
        look = self._looked.get(cluster.id)
        if look is None:  # what has just changed was just looked at
            look = replace(self._look(self._pace.healthy), simulated=cluster.updated)
            self._looked[cluster.id] = look
        real = timedelta(seconds=time.monotonic() - look.real)
        return max(self._now() - look.simulated, real) >= look.lasts

    def _look(self, lasts: timedelta) -> _Look:
        return _Look(self._now(), time.monotonic(), lasts)

    async def _examine(self, cluster: Cluster) -> None:
        ailment = await self._ailment(cluster, cluster.key_id)
        if cluster.state == "unavailable" and ailment is None:
            await self._turn(cluster, "running", "ClusterRecovered", "its key can be used again")
        elif cluster.state == "running" and ailment is not None:
            await self._turn(cluster, "unavailable", "KMSKeyUnavailable", ailment)
        await self._examine_older(cluster)
        lasts = self._pace.healthy if ailment is None else self._pace.sick
        self._looked[cluster.id] = self._look(lasts)

    async def _examine_older(self, cluster: Cluster) -> None:
        """Keys that only older Secrets need: told of once, for new ones can still be written."""
        for provider in providers_of(cluster):
            if provider.key_id == cluster.key_id:
                continue
            ailment = await self._ailment(cluster, provider.key_id)
            place = (cluster.id, provider.key_id)
            if ailment is None:
                self._told.discard(place)
            elif place not in self._told:
                self._told.add(place)
                message = f"{ailment}; or rewrite what still needs it: acksim cluster rewrite"
                await self._events.add(
                    cluster, EVENT_TYPE, "OlderKMSKeyUnavailable", message, level="warning"
                )

    async def _ailment(self, cluster: Cluster, key_id: str | None) -> str | None:
        """Why a key cannot be used and what to do; None when it can."""
        if key_id is None:
            return None
        try:
            key = await self._keys(cluster, key_id)
        except ClusterError as error:
            return f"key {key_id} is out of reach ({error.code}: {error.message}); {_REACH}"
        if key.state != "Enabled":
            return f"key {key_id} is {key.state}; {_ENABLE}"
        return None

    async def _turn(self, cluster: Cluster, state: State, reason: str, message: str) -> None:
        with suppress(ClusterError):  # it has gone elsewhere meanwhile
            turned = await self._store.change(
                cluster.id, states={cluster.state}, state=state, updated=self._now()
            )
            level: Level = "info" if state == "running" else "error"
            await self._events.add(turned, EVENT_TYPE, reason, message, level=level)

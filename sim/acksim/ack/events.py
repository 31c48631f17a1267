"""What happened to clusters, for people to read; kept for ninety days."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import Connection, delete, func, select

from acksim.account.cluster_tables import cluster_events
from acksim.account.database import Database
from acksim.ack.cluster import Cluster

Level = Literal["info", "warning", "error"]

_KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class ClusterEvent:
    """`type` is such as cluster_create, `reason` one word for programs."""

    id: str
    cluster_id: str
    task_id: str
    type: str
    level: Level
    reason: str
    message: str
    source: str
    time: datetime


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Of one account; an empty value lets every event through."""

    account_id: str
    region: str = ""
    cluster_id: str = ""
    type: str = ""
    task_id: str = ""


@dataclass(frozen=True, slots=True)
class EventPage:
    """Newest first."""

    events: tuple[ClusterEvent, ...]
    total: int


class ClusterEvents:
    """The table of events."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def add(
        self,
        cluster: Cluster,
        type_: str,
        reason: str,
        message: str,
        *,
        level: Level = "info",
        source: str = "cluster",
    ) -> None:
        """One event now; those past their time go."""
        time = self._now()

        def work(connection: Connection) -> None:
            gone = (time - _KEPT).timestamp()
            connection.execute(delete(cluster_events).where(cluster_events.c.time < gone))
            connection.execute(
                cluster_events.insert().values(
                    id=str(uuid4()),
                    account_id=cluster.account_id,
                    region=cluster.region,
                    cluster_id=cluster.id,
                    task_id=cluster.task_id or "",
                    type=type_,
                    level=level,
                    reason=reason,
                    message=message,
                    source=source,
                    time=time.timestamp(),
                )
            )

        await self._database.run(work)

    async def list(self, wanted: EventFilter, *, start: int, limit: int) -> EventPage:
        """Those from `start` on that pass the filter."""
        columns = cluster_events.c
        query = select(cluster_events).where(columns.account_id == wanted.account_id)
        for name in ("region", "cluster_id", "type", "task_id"):
            value = getattr(wanted, name)
            if value:
                query = query.where(columns[name] == value)

        def work(connection: Connection) -> EventPage:
            total = connection.scalar(select(func.count()).select_from(query.subquery())) or 0
            page = query.order_by(columns.sequence.desc()).offset(start).limit(limit)
            return EventPage(tuple(_event(row) for row in connection.execute(page)), total)

        return await self._database.run(work)


def _event(row: Any) -> ClusterEvent:
    return ClusterEvent(
        id=row.id,
        cluster_id=row.cluster_id,
        task_id=row.task_id,
        type=row.type,
        level=row.level,
        reason=row.reason,
        message=row.message,
        source=row.source,
        time=datetime.fromtimestamp(row.time, UTC),
    )

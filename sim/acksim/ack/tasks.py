"""Tasks: what the control plane does to a cluster, stage by stage; kept for ninety days."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, delete, select, update

from acksim.account.cluster_tables import cluster_tasks
from acksim.account.database import Database
from acksim.ack.cluster import Cluster, ClusterError

TaskState = Literal["running", "success", "fail"]

_KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a task; `ended` is None while it goes on."""

    name: str
    state: TaskState
    begun: datetime
    ended: datetime | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """`id` is T- and 24 hexadecimal digits. A failed one has an `error_code`."""

    id: str
    account_id: str
    region: str
    cluster_id: str
    type: str
    state: TaskState
    created: datetime
    updated: datetime
    parameters: Mapping[str, str] = field(default_factory=dict)
    stages: Sequence[Stage] = ()
    error_code: str = ""
    error_message: str = ""


def new_task_id() -> str:
    return "T-" + secrets.token_hex(12)


class Tasks:
    """The table of tasks."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def begin(self, cluster: Cluster, type_: str, *, task_id: str, **parameters: str) -> None:
        """Puts down a running task; those past their time go."""
        now = self._now()

        def work(connection: Connection) -> None:
            gone = (now - _KEPT).timestamp()
            connection.execute(delete(cluster_tasks).where(cluster_tasks.c.updated < gone))
            connection.execute(
                cluster_tasks.insert().values(
                    id=task_id,
                    account_id=cluster.account_id,
                    region=cluster.region,
                    cluster_id=cluster.id,
                    type=type_,
                    state="running",
                    created=now.timestamp(),
                    updated=now.timestamp(),
                    parameters=parameters,
                    stages=[],
                    error_code="",
                    error_message="",
                )
            )

        await self._database.run(work)

    async def stage(self, task_id: str | None, name: str, message: str = "") -> None:
        """The stage before is done, this one goes on. Twice the same (after a crash) is once."""

        def change(task: Task, now: datetime) -> dict[str, Any]:
            stages = [*task.stages]
            if stages and stages[-1].name == name:
                return {}
            begun = Stage(name, "running", now, message=message)
            return {
                "stages": [_stage_json(one) for one in (*_ended(stages, "success", now), begun)]
            }

        await self._change(task_id, change)

    async def end(self, task_id: str | None, error: ClusterError | None = None) -> None:
        """Success, or the failure that `error` tells."""
        state: TaskState = "success" if error is None else "fail"

        def change(task: Task, now: datetime) -> dict[str, Any]:
            return {
                "state": state,
                "stages": [_stage_json(one) for one in _ended(task.stages, state, now)],
                "error_code": error.code if error else "",
                "error_message": error.message if error else "",
            }

        await self._change(task_id, change)

    async def get(self, account_id: str, task_id: str) -> Task:
        """Raises ClusterError `ErrorTaskNotFound`."""
        query = select(cluster_tasks).where(
            cluster_tasks.c.id == task_id, cluster_tasks.c.account_id == account_id
        )
        row = await self._database.run(lambda connection: connection.execute(query).first())
        if row is None:
            raise ClusterError("ErrorTaskNotFound", f"task {task_id!r} does not exist")
        return _task(row)

    async def _change(
        self, task_id: str | None, change: Callable[[Task, datetime], dict[str, Any]]
    ) -> None:
        """Of a task that still runs; a cluster without a task has nothing to tell."""
        now = self._now()
        query = select(cluster_tasks).where(
            cluster_tasks.c.id == task_id, cluster_tasks.c.state == "running"
        )

        def work(connection: Connection) -> None:
            row = connection.execute(query.with_for_update()).first()
            values = change(_task(row), now) if row is not None else {}
            if values:
                connection.execute(
                    update(cluster_tasks)
                    .where(cluster_tasks.c.id == task_id)
                    .values(updated=now.timestamp(), **values)
                )

        if task_id is not None:
            await self._database.run(work)


def _ended(stages: Sequence[Stage], state: TaskState, now: datetime) -> list[Stage]:
    return [
        one if one.ended else Stage(one.name, state, one.begun, now, one.message) for one in stages
    ]


def _stage_json(stage: Stage) -> dict[str, Any]:
    return {
        "name": stage.name,
        "state": stage.state,
        "begun": stage.begun.timestamp(),
        "ended": stage.ended and stage.ended.timestamp(),
        "message": stage.message,
    }


def _stage(row: Mapping[str, Any]) -> Stage:
    return Stage(
        row["name"],
        row["state"],
        datetime.fromtimestamp(row["begun"], UTC),
        None if row["ended"] is None else datetime.fromtimestamp(row["ended"], UTC),
        row["message"],
    )


def _task(row: Any) -> Task:
    return Task(
        id=row.id,
        account_id=row.account_id,
        region=row.region,
        cluster_id=row.cluster_id,
        type=row.type,
        state=row.state,
        created=datetime.fromtimestamp(row.created, UTC),
        updated=datetime.fromtimestamp(row.updated, UTC),
        parameters=row.parameters,
        stages=tuple(_stage(one) for one in row.stages),
        error_code=row.error_code,
        error_message=row.error_message,
    )

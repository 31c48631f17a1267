"""Clusters in the account's database: every change is durable before anyone acts on it."""

from collections.abc import Collection
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update

from acksim.account.cluster_tables import clusters
from acksim.account.database import Database
from acksim.ack.cluster import Cluster, ClusterError, Provider, State

_TIMES = frozenset({"created", "updated", "last_switch"})
_GUARDED = ("state", "key_id", "target_key_id", "switch_stage", "providers")
_NAMES = tuple(field.name for field in fields(Cluster))


class ClusterStore:
    """The table of clusters. Raises ClusterError `ErrorClusterNotFound` and `ErrorClusterState`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert(self, cluster: Cluster) -> None:
        """Raises ClusterError `ErrorClusterExists`."""
        insert = self._database.insert(clusters).values(_row(cluster)).on_conflict_do_nothing()
        statement = insert.returning(clusters.c.id)  # PostgreSQL's driver counts no such rows
        if await self._database.run(lambda connection: connection.scalar(statement)) is None:
            raise ClusterError("ErrorClusterExists", f"cluster {cluster.id!r} exists already")

    async def all(self, account_id: str | None = None) -> list[Cluster]:
        """In the order of their creation."""

        def work(connection: Connection) -> list[Cluster]:
            query = select(clusters).order_by(clusters.c.created, clusters.c.id)
            if account_id is not None:
                query = query.where(clusters.c.account_id == account_id)
            return [_cluster(row) for row in connection.execute(query)]

        return await self._database.run(work)

    async def get(self, cluster_id: str) -> Cluster:
        def work(connection: Connection) -> Cluster:
            return _get(connection, cluster_id)

        return await self._database.run(work)

    async def change(
        self, cluster_id: str, *, states: Collection[State] | None = None, **changes: Any
    ) -> Cluster:
        """Sets fields of a cluster that is in one of `states`, in one transaction.

        Of several processes that take a cluster out of a state, one succeeds.
        """

        def work(connection: Connection) -> Cluster:
            before = _get(connection, cluster_id, lock=True)
            if states is not None and before.state not in states:
                raise ClusterError(
                    "ErrorClusterState",
                    f"cluster {cluster_id} is {before.state}; this needs it to be "
                    f"{' or '.join(sorted(states))}",
                )
            after = replace(before, **changes)
            values = {name: value for name, value in _row(after).items() if name in changes}
            connection.execute(update(clusters).where(clusters.c.id == cluster_id).values(values))
            return after

        return await self._database.run(work)

    async def replace(self, before: Cluster, after: Cluster) -> bool:
        """Writes what differs, unless state or encryption are no longer as they were `before`.

        Whoever lost against another process, or against the cluster's end, is told False.
        """
        old, new = _row(before), _row(after)
        changes = {name: value for name, value in new.items() if value != old[name]}

        def work(connection: Connection) -> bool:
            query = select(clusters).where(clusters.c.id == before.id).with_for_update()
            row = connection.execute(query).first()
            if row is None or any(getattr(row, name) != old[name] for name in _GUARDED):
                return False
            if changes:
                statement = update(clusters).where(clusters.c.id == before.id)
                connection.execute(statement.values(changes))
            return True

        return await self._database.run(work)

    async def delete(self, cluster_id: str) -> None:
        await self._database.run(
            lambda connection: connection.execute(
                delete(clusters).where(clusters.c.id == cluster_id)
            )
        )


def _get(connection: Connection, cluster_id: str, *, lock: bool = False) -> Cluster:
    query = select(clusters).where(clusters.c.id == cluster_id)
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise ClusterError("ErrorClusterNotFound", f"cluster {cluster_id!r} does not exist")
    return _cluster(row)


def _row(cluster: Cluster) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(cluster, name) for name in _NAMES}
    for name in _TIMES:
        row[name] = row[name] and row[name].timestamp()
    row["tags"], row["options"] = dict(cluster.tags), dict(cluster.options)
    row["providers"] = [asdict(provider) for provider in cluster.providers]
    return row


def _cluster(row: Any) -> Cluster:
    found = {name: getattr(row, name) for name in _NAMES}
    for name in _TIMES:
        moment = found[name]
        found[name] = None if moment is None else datetime.fromtimestamp(moment, UTC)
    found["providers"] = tuple(Provider(**provider) for provider in row.providers)
    return Cluster(**found)

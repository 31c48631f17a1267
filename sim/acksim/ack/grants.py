"""Who may what in which cluster, as the account granted it; Kubernetes is told by `permissions`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, or_, select

from acksim.account.cluster_tables import cluster_grants
from acksim.account.database import Database
from acksim.ack.cluster import Cluster, ClusterError

ALL_CLUSTERS = ""
CLUSTER_WIDE = ""
NAMESPACED_ROLES = frozenset({"dev", "restricted"})
PREDEFINED_ROLES = NAMESPACED_ROLES | {"admin", "admin-view", "ops"}
# Of these two the documentation says that they may switch encryption; cluster-admin is above both.
OPERATORS = frozenset({"admin", "ops", "cluster-admin"})
ADMINISTRATORS = frozenset({"admin", "cluster-admin"})


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks the control plane: `uid` is of the RAM user or role, or of the account itself."""

    account_id: str
    uid: str

    @property
    def owner(self) -> bool:
        return self.uid == self.account_id


@dataclass(frozen=True, slots=True)
class Grant:
    """A role in one cluster or in ALL_CLUSTERS, in one namespace or CLUSTER_WIDE.

    A `custom` one names a ClusterRole of the cluster; `of_role`: the uid is a RAM role's.
    """

    cluster_id: str
    namespace: str
    role_name: str
    custom: bool = False
    of_role: bool = False

    def check(self) -> None:
        """Raises ClusterError `InvalidParameter` for a role that is not to be had there."""
        if self.custom:
            return
        if self.role_name not in PREDEFINED_ROLES:
            raise ClusterError(
                "InvalidParameter",
                f"role_name {self.role_name!r} is none of {', '.join(sorted(PREDEFINED_ROLES))}; "
                "a ClusterRole of your own needs is_custom",
            )
        if self.namespace and self.role_name not in NAMESPACED_ROLES:
            raise ClusterError(
                "InvalidParameter", f"the role {self.role_name} cannot be limited to a namespace"
            )
        if self.cluster_id == ALL_CLUSTERS and self.role_name == "admin-view":
            raise ClusterError(
                "InvalidParameter", "the role admin-view cannot be granted on all clusters"
            )


class Grants:
    """The table of grants."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def of_user(self, account_id: str, uid: str) -> tuple[Grant, ...]:
        columns = cluster_grants.c
        found = await self._select(columns.account_id == account_id, columns.uid == uid)
        return tuple(grant for _, grant in found)

    async def of_cluster(self, cluster: Cluster) -> dict[str, tuple[Grant, ...]]:
        """By uid, those on all clusters of the account among them."""
        columns = cluster_grants.c
        found = await self._select(
            columns.account_id == cluster.account_id,
            or_(columns.cluster_id == cluster.id, columns.cluster_id == ALL_CLUSTERS),
        )
        uids = dict.fromkeys(uid for uid, _ in found)
        return {uid: tuple(grant for its, grant in found if its == uid) for uid in uids}

    async def replace(self, account_id: str, uid: str, grants: Sequence[Grant]) -> None:
        """What the user has from now on."""
        created = self._now().timestamp()
        rows = [_row(account_id, uid, grant, created) for grant in dict.fromkeys(grants)]

        def work(connection: Connection) -> None:
            connection.execute(
                delete(cluster_grants).where(
                    cluster_grants.c.account_id == account_id, cluster_grants.c.uid == uid
                )
            )
            if rows:
                connection.execute(
                    self._database.insert(cluster_grants).on_conflict_do_nothing(), rows
                )

        await self._database.run(work)

    async def forget_cluster(self, cluster_id: str) -> None:
        gone = delete(cluster_grants).where(cluster_grants.c.cluster_id == cluster_id)
        await self._database.run(lambda connection: connection.execute(gone))

    async def holds(self, cluster: Cluster, asker: Asker, roles: frozenset[str]) -> bool:
        """Whether they have one of `roles` on the whole cluster; its creator has every one."""
        if asker.owner or asker.uid == cluster.creator:
            return True
        return any(
            grant.cluster_id in {ALL_CLUSTERS, cluster.id}
            and grant.namespace == CLUSTER_WIDE
            and grant.role_name in roles
            for grant in await self.of_user(asker.account_id, asker.uid)
        )

    async def _select(self, *conditions: Any) -> list[tuple[str, Grant]]:
        columns = cluster_grants.c
        query = select(cluster_grants).where(*conditions)
        query = query.order_by(
            columns.uid, columns.cluster_id, columns.namespace, columns.role_name
        )

        def work(connection: Connection) -> list[tuple[str, Grant]]:
            return [(row.uid, _grant(row)) for row in connection.execute(query)]

        return await self._database.run(work)


def _row(account_id: str, uid: str, grant: Grant, created: float) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "uid": uid,
        "cluster_id": grant.cluster_id,
        "namespace": grant.namespace,
        "role_name": grant.role_name,
        "custom": grant.custom,
        "of_role": grant.of_role,
        "created": created,
    }


def _grant(row: Any) -> Grant:
    return Grant(row.cluster_id, row.namespace, row.role_name, row.custom, row.of_role)

"""Grants made real: what an account grants is on record first, then in the cluster's own RBAC.

A cluster that cannot be told now is told later: the bindings in it are always made to be those
that follow from the record, whatever they were before.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence

from acksim.ack.cluster import Cluster, ClusterError
from acksim.ack.grants import ADMINISTRATORS, ALL_CLUSTERS, Asker, Grant, Grants
from acksim.ack.kubernetes import KubernetesApi, KubernetesError
from acksim.ack.rbac import RBAC, UID_LABEL, bindings, path_of, roles
from acksim.ack.store import ClusterStore

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 2.0


class Permissions:
    """The permissions of RAM users and roles in clusters."""

    def __init__(self, store: ClusterStore, grants: Grants, kubernetes: KubernetesApi) -> None:
        self._store = store
        self._grants = grants
        self._kubernetes = kubernetes
        self._behind: dict[tuple[str, str], None] = {}
        self._one_at_a_time = asyncio.Lock()

    async def of_user(self, account_id: str, uid: str) -> tuple[Grant, ...]:
        return await self._grants.of_user(account_id, uid)

    async def created_by(self, account_id: str, uid: str) -> list[Cluster]:
        """Clusters whose creator needs no grant."""
        return [one for one in await self._store.all(account_id) if one.creator == uid]

    async def replace(self, asker: Asker, uid: str, grants: Sequence[Grant]) -> None:
        """What `uid` may from now on, in all clusters; raises ClusterError."""
        before = await self._grants.of_user(asker.account_id, uid)
        await self._set(asker, uid, before, grants)

    async def add(self, asker: Asker, uid: str, grants: Sequence[Grant]) -> None:
        before = await self._grants.of_user(asker.account_id, uid)
        await self._set(asker, uid, before, [*before, *grants])

    async def remove(self, asker: Asker, uid: str, grants: Sequence[Grant]) -> None:
        before = await self._grants.of_user(asker.account_id, uid)
        gone = {(one.cluster_id, one.namespace, one.role_name) for one in grants}
        kept = [one for one in before if (one.cluster_id, one.namespace, one.role_name) not in gone]
        await self._set(asker, uid, before, kept)

    async def clean(self, asker: Asker, uid: str, cluster: Cluster) -> None:
        """Nothing in this cluster any more, but for what is granted on all clusters."""
        before = await self._grants.of_user(asker.account_id, uid)
        kept = [one for one in before if one.cluster_id != cluster.id]
        await self._set(asker, uid, before, kept, always=(cluster.id,))

    async def settle(self, cluster: Cluster) -> None:
        """Makes the bindings in a new cluster what its account granted on all clusters."""
        uids = [(cluster.id, uid) for uid in await self._uids(cluster)]
        self._behind.update(dict.fromkeys(uids))
        await self._tell_all(uids)

    async def forget(self, cluster: Cluster) -> None:
        """What was granted in a cluster that is gone."""
        await self._grants.forget_cluster(cluster.id)

    async def resume(self) -> None:
        """Looks at every cluster again: the last run may have ended between record and cluster."""
        for cluster in await self._store.all():
            for uid in await self._uids(cluster):
                self._behind[cluster.id, uid] = None

    async def catch_up(self) -> None:
        """Tells every cluster that is behind, if it answers by now."""
        await self._tell_all(tuple(self._behind))

    async def catch_up_regularly(self) -> None:
        while True:
            try:
                await self.catch_up()
            except Exception:
                logger.exception("could not settle permissions; trying again")
            await asyncio.sleep(_RETRY_SECONDS)

    async def _set(
        self,
        asker: Asker,
        uid: str,
        before: Sequence[Grant],
        after: Sequence[Grant],
        *,
        always: Iterable[str] = (),
    ) -> None:
        changed = set(before) ^ set(after)
        mine = {one.id: one for one in await self._store.all(asker.account_id)}
        touched = {grant.cluster_id for grant in changed} | set(always)
        for grant in after:
            grant.check()
            if grant.cluster_id not in {ALL_CLUSTERS, *mine}:
                raise ClusterError(
                    "ErrorClusterNotFound", f"cluster {grant.cluster_id!r} does not exist"
                )
        wide = ALL_CLUSTERS in touched
        affected = [one for one in mine.values() if wide or one.id in touched]
        await self._require_administrator(asker, affected, everywhere=wide)
        await self._require_namespaces(mine, set(after) - set(before))
        await self._grants.replace(asker.account_id, uid, after)
        places = [(cluster.id, uid) for cluster in affected]
        self._behind.update(dict.fromkeys(places))
        if failure := await self._tell_all(places):
            raise KubernetesError(f"the grants are kept, and made real when it answers: {failure}")

    async def _require_administrator(
        self, asker: Asker, clusters: Iterable[Cluster], *, everywhere: bool
    ) -> None:
        """Raises ClusterError `ForbiddenGrantPermissions`."""
        if asker.owner:
            return
        allowed = [await self._grants.holds(one, asker, ADMINISTRATORS) for one in clusters]
        if everywhere:
            own = await self._grants.of_user(asker.account_id, asker.uid)
            allowed.append(
                any(
                    (one.cluster_id, one.namespace) == (ALL_CLUSTERS, "")
                    and one.role_name in ADMINISTRATORS
                    for one in own
                )
            )
        if not all(allowed):
            raise ClusterError(
                "ForbiddenGrantPermissions",
                "The current RAM user does not have management permissions: grant it the "
                "administrator role on the cluster first",
            )

    async def _require_namespaces(
        self, clusters: dict[str, Cluster], grants: Iterable[Grant]
    ) -> None:
        for grant in grants:
            cluster = clusters.get(grant.cluster_id)
            if cluster is None or not grant.namespace:
                continue
            async with self._kubernetes.session(cluster) as session:
                if not await session.exists(f"/api/v1/namespaces/{grant.namespace}"):
                    raise ClusterError(
                        "InvalidParameter",
                        f"cluster {cluster.id} has no namespace {grant.namespace!r}",
                    )

    async def _uids(self, cluster: Cluster) -> list[str]:
        uids = dict.fromkeys(await self._grants.of_cluster(cluster))
        if cluster.creator != cluster.account_id:
            uids[cluster.creator] = None
        return list(uids)

    async def _tell_all(self, places: Iterable[tuple[str, str]]) -> str | None:
        """Tells those clusters of those users; answers why one could not be told."""
        failure = None
        async with self._one_at_a_time:
            for cluster_id, uid in places:
                try:
                    cluster = await self._store.get(cluster_id)
                    await self._tell(cluster, uid)
                except KubernetesError as error:
                    failure = error.message
                    continue
                except ClusterError:
                    pass  # it is gone, and its bindings with it
                self._behind.pop((cluster_id, uid), None)
        return failure

    async def _tell(self, cluster: Cluster, uid: str) -> None:
        granted = (await self._grants.of_cluster(cluster)).get(uid, ())
        wanted = bindings(cluster, uid, granted)
        selector = f"{UID_LABEL}={uid}"
        async with self._kubernetes.session(cluster) as session:
            for kind in ("clusterrolebindings", "rolebindings"):
                for found in await session.items(f"/apis/{RBAC}/v1/{kind}", selector=selector):
                    if path_of(found) not in wanted:
                        await session.delete(path_of(found))
            for path, role in roles(wanted.values()).items():
                await session.apply(path, role)
            for path, binding in wanted.items():
                await session.apply(path, binding)  # a namespace may have gone since the grant

"""A cluster's grants, as fresh as its last write: read when needed, watched from then on."""

import asyncio
import logging
from contextlib import aclosing

from apiserver_shim.access import bootstrap
from apiserver_shim.access.grants import Grants
from apiserver_shim.errors import ShimError
from apiserver_shim.groups import RBAC, group_of
from apiserver_shim.objects.kinds import KINDS
from apiserver_shim.objects.lists import ListOptions, ListResult, list_objects
from apiserver_shim.objects.registry import Registry
from apiserver_shim.objects.selectors import Selector

log = logging.getLogger(__name__)

_RESOURCES = ("roles", "clusterroles", "rolebindings", "clusterrolebindings")


class RoleCache:
    """Keeps the grants of one logical cluster.

    A write through this server counts at the next request, another server's as soon as etcd's
    watch tells it. Without a watch every request reads anew.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._grants = Grants()
        self._changes = 0
        self._known = -1
        self._loading = asyncio.Lock()
        self._following: list[asyncio.Task[None]] = []
        self._bootstrapped = False

    def observe(self, resource: str) -> None:
        """Hear of a write through this server."""
        if group_of(resource) == RBAC:
            self._changes += 1

    async def bootstrapped(self) -> None:
        """Make the default roles and bindings that are missing; raises StorageError."""
        if not self._bootstrapped:
            async with self._loading:
                if not self._bootstrapped:
                    await bootstrap.create_missing(self._registry)
                    self._bootstrapped = True

    async def grants(self) -> Grants:
        """Return what is granted now."""
        await self.bootstrapped()
        if self._known != self._changes or not self._watching():
            async with self._loading:
                if self._known != self._changes or not self._watching():
                    await self._load()
        return self._grants

    def _watching(self) -> bool:
        return bool(self._following) and not any(task.done() for task in self._following)

    async def _load(self) -> None:
        changes = self._changes
        store = self._registry.store
        found = await asyncio.gather(
            *(list_objects(store, Selector(KINDS[r]), None, ListOptions()) for r in _RESOURCES)
        )
        roles, cluster_roles, bindings, cluster_bindings = (listed.items for listed in found)
        self._grants = Grants(
            roles=roles,
            cluster_roles=cluster_roles,
            bindings=bindings,
            cluster_bindings=cluster_bindings,
        )
        self._known = changes
        if not self._watching():
            await self.close()
            self._following = [
                asyncio.create_task(self._follow(resource, listed))
                for resource, listed in zip(_RESOURCES, found, strict=True)
            ]

    async def _follow(self, resource: str, listed: ListResult) -> None:
        store = self._registry.store
        try:
            events = store.watch(resource, revision=listed.revision, previous=False)
            async with aclosing(events):
                async for event in events:
                    if event.obj is not None:
                        self._changes += 1
        except ShimError as error:
            log.warning("following %s stopped: %s", resource, error.message)

    async def close(self) -> None:
        """End the watches."""
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)
        self._following = []

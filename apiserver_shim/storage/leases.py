"""Leases for objects that expire, shared by those stored at about the same time.

After k8s.io/apiserver storage/etcd3/lease_manager.
"""

import time
from collections.abc import Callable

from apiserver_shim.storage.etcd import EtcdClient

LEASED = frozenset(("events",))
_SECONDS = 3600
_SHARED_SECONDS = 60
_SHARED_BY = 1000


class Leases:
    """Hands out the lease of the minute."""

    def __init__(
        self, etcd: EtcdClient, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._etcd = etcd
        self._monotonic = monotonic
        self._lease = 0
        self._until = 0.0
        self._uses = 0

    async def for_resource(self, resource: str) -> int:
        """Return the lease to store an object under, 0 for one that stays."""
        if resource not in LEASED:
            return 0
        if self._monotonic() >= self._until or self._uses >= _SHARED_BY:
            self._lease = await self._etcd.grant_lease(_SECONDS + _SHARED_SECONDS)
            self._until = self._monotonic() + _SHARED_SECONDS
            self._uses = 0
        self._uses += 1
        return self._lease

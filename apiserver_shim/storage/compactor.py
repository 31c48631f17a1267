"""Forgets etcd's old revisions, as kube-apiserver does (k8s.io/apiserver storage/etcd3/compact).

Any number of servers on one etcd may run it: a key without prefix, whose version is the clock of
compactions, lets one of them through each time.
"""

import asyncio
import logging

from apiserver_shim.errors import CompactedError, StorageError
from apiserver_shim.storage.etcd import EtcdClient

logger = logging.getLogger(__name__)

_KEY = b"compact_rev_key"


class Compactor:
    """Keeps the history of one to two ``interval`` seconds of real time."""

    def __init__(self, etcd: EtcdClient, *, interval: float = 300.0) -> None:
        self._etcd = etcd
        self._interval = interval
        self._round = 0
        self._revision = 0

    async def run(self) -> None:
        """Compact until cancelled. An etcd that is away is tried again the next time."""
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self.compact()
            except StorageError as error:
                logger.warning("no compaction: %s", error.message)

    async def compact(self) -> int:
        """Forget what is older than the last round; returns that revision, 0 when not our turn."""
        revision = self._revision
        claimed = await self._etcd.claim(_KEY, str(revision).encode(), version=self._round)
        self._round, self._revision = claimed.version, claimed.revision
        if not claimed.succeeded or revision == 0:
            return 0
        try:
            await self._etcd.compact(revision)
        except CompactedError:  # by an operator, further than we would have
            return 0
        return revision

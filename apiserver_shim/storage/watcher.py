"""A watch of one prefix that outlives its connection."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from apiserver_shim.errors import (
    CompactedError,
    FutureRevisionError,
    StorageError,
    StorageUnavailableError,
)
from apiserver_shim.storage.etcd import EtcdClient, prefix_end
from apiserver_shim.storage.etcd_pb2 import WatchCreateRequest, WatchRequest, WatchResponse

_PAUSE, _LONGEST_PAUSE = 0.1, 1.0


class Watcher:
    """Follows a prefix from a revision on, and remembers the last change that it handed out."""

    def __init__(self, etcd: EtcdClient, prefix: bytes, revision: int) -> None:
        self._etcd = etcd
        self._prefix = prefix
        self._last = revision
        self._connected = False
        self._resets = etcd.resets

    async def responses(self) -> AsyncGenerator[WatchResponse]:
        """Yield responses with events, or with none as progress, without loss or repetition.

        Raises CompactedError when the next change is no longer kept or etcd lost its past, and
        StorageUnavailableError only if the very first connection fails.
        """
        pause = _PAUSE
        while True:
            try:
                async with aclosing(self._etcd.watch_once(self._request())) as stream:
                    async for response in stream:
                        if response.created:
                            await self._check_created(response)
                            self._connected, pause = True, _PAUSE
                        if response.canceled:
                            raise self._canceled(response)
                        if response.created:
                            continue
                        yield response
                        # What was handed out is done with: a new connection begins after it.
                        events = response.events
                        at = events[-1].kv.mod_revision if events else response.header.revision
                        self._last = max(self._last, at)
            except StorageUnavailableError:
                if not self._connected:
                    raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _request(self) -> WatchRequest:
        return WatchRequest(
            create_request=WatchCreateRequest(
                key=self._prefix,
                range_end=prefix_end(self._prefix),
                start_revision=self._last + 1,
                prev_kv=True,
                progress_notify=True,
            )
        )

    async def _check_created(self, response: WatchResponse) -> None:
        """Notice a store that is younger than what was seen: restored, wiped or badly crashed.

        A member may merely lag behind its leader, so a linearizable read decides.
        """
        if self._etcd.resets == self._resets and response.header.revision >= self._last:
            return
        current = (await self._etcd.get(self._prefix)).revision
        if self._etcd.resets != self._resets:
            # It may have grown again since: what it lost was told, what it has instead was not.
            raise CompactedError(self._last)
        if current < self._last:
            if self._connected:
                raise CompactedError(self._last)
            raise FutureRevisionError(self._last, current)

    def _canceled(self, response: WatchResponse) -> Exception:
        if response.compact_revision:
            return CompactedError(self._last)
        reason = response.cancel_reason or "etcd cancelled the watch"
        if "no leader" in reason:
            return StorageUnavailableError(reason)
        return StorageError(reason)

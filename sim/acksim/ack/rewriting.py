"""The storage migration: rewrites what is not sealed as a new Secret would be.

Through the Kubernetes API, like anybody: a patch that changes nothing makes the API server
rewrite an object that is stale to it. No Secret's content leaves the server, and no other
writer is overrun. What is stale is read from etcd, each time anew: there is nothing else to
remember, so a run that was killed goes on where it was.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from acksim.ack.coverage import Seal, Wanted, secret_pages
from apiserver_shim.storage.etcd import EtcdClient

ROTATION_ANNOTATION = "encryption-key-rotation-time"
_MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}
_RETRIED = {409, 429, 500, 502, 503, 504}
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_PATIENCE = 30.0  # seconds for an API server that is away or overloaded
_PATIENCE_WITH_ONE = 1.0  # for one Secret that it cannot handle
# With KMS v2 it asks its plugin each minute which key version is in use.
_NOTICE_SECONDS = 90.0


class AccessError(Exception):
    """The API server lets us do nothing at all."""


@dataclass(slots=True)
class Progress:
    """Counts of one run; `failed` has the etcd keys that could not be rewritten, and why."""

    seen: int = 0
    rewritten: int = 0
    failed: dict[str, str] = field(default_factory=dict)


class Rewriter:
    """One run over one cluster; `concurrency` bounds what it has under way at the API server."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        etcd: EtcdClient,
        etcd_prefix: str,
        *,
        wanted: Wanted,
        moment: datetime,
        concurrency: int,
    ) -> None:
        """`http` has the cluster's API as its base URL. `moment` is what annotations say."""
        self._http = http
        self._etcd = etcd
        self._etcd_prefix = etcd_prefix
        self._wanted = wanted
        self._concurrency = concurrency
        stamp = moment.strftime("%Y-%m-%dT%H:%M:%S%z")
        self._annotation = orjson.dumps({"metadata": {"annotations": {ROTATION_ANNOTATION: stamp}}})
        self.progress = Progress()

    async def run(self, report: Callable[[Progress], None]) -> Progress:
        """Page by page, each until it is done; raises ShimError, AccessError."""
        async with aclosing(secret_pages(self._etcd, self._etcd_prefix, pinned=False)) as pages:
            async for page in pages:
                stale = {kv.key: seal for kv in page if not self._is_met(seal := Seal.of(kv.value))}
                self.progress.seen += len(page)
                first, end = page[0].key, page[-1].key + b"\0"
                await self._finish(first, end, stale)
                report(self.progress)
        return self.progress

    async def _finish(self, first: bytes, end: bytes, stale: dict[bytes, Seal]) -> None:
        """Until nothing between the two keys is stale but what failed."""
        deadline = time.monotonic() + _NOTICE_SECONDS
        pause = _FIRST_PAUSE
        batch = list(stale.items())
        while batch:
            await self._rewrite_all(batch)
            before, stale = stale, await self._stale_between(first, end)
            moved = len(before.keys() - stale.keys() - self._failed_keys())
            self.progress.rewritten += moved
            batch = [item for item in stale.items() if item[0] not in self._failed_keys()]
            if moved:
                deadline, pause = time.monotonic() + _NOTICE_SECONDS, _FIRST_PAUSE
                continue
            if time.monotonic() > deadline:
                reason = "the API server does not write with the key version in use; run it again"
                self.progress.failed.update((key.decode(), reason) for key, _ in batch)
                return
            batch = batch[:1]  # the others have no better luck
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _stale_between(self, first: bytes, end: bytes) -> dict[bytes, Seal]:
        found = await self._etcd.list(first, end)
        return {kv.key: seal for kv in found.kvs if not self._is_met(seal := Seal.of(kv.value))}

    def _is_met(self, seal: Seal) -> bool:
        return self._wanted.is_met(seal)

    def _failed_keys(self) -> set[bytes]:
        return {key.encode() for key in self.progress.failed}

    async def _rewrite_all(self, batch: Sequence[tuple[bytes, Seal]]) -> None:
        pending = iter(batch)
        workers = min(self._concurrency, len(batch))
        await asyncio.gather(*(self._work(pending) for _ in range(workers)))

    async def _work(self, pending: Iterator[tuple[bytes, Seal]]) -> None:
        for key, seal in pending:
            body = self._annotation if self._wanted.hides_staleness(seal) else b"{}"
            failure = await self._patch(key.decode(), body)
            if failure is not None:
                self.progress.failed[key.decode()] = failure

    async def _patch(self, etcd_key: str, body: bytes) -> str | None:
        """None when done, or when the Secret is gone; else why not."""
        began, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            failure, patience = await self._try(etcd_key, body)
            if failure is None or time.monotonic() - began + pause > patience:
                return failure
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _try(self, etcd_key: str, body: bytes) -> tuple[str | None, float]:
        """What failed, and for how long to try again."""
        namespace, name = etcd_key.split("/")[-2:]
        path = f"/api/v1/namespaces/{quote(namespace)}/secrets/{quote(name)}"
        try:
            answer = await self._http.patch(
                f"{path}?fieldManager=acksim-rewrite", content=body, headers=_MERGE_PATCH
            )
        except httpx.HTTPError as error:
            return f"no answer: {str(error) or type(error).__name__}", _PATIENCE
        if answer.is_success or answer.status_code == httpx.codes.NOT_FOUND:
            return None, 0
        text = _message(answer)
        if answer.status_code in {401, 403}:
            raise AccessError(text)
        if answer.status_code not in _RETRIED:
            return text, 0
        one = answer.status_code == httpx.codes.INTERNAL_SERVER_ERROR and not _throttled(text)
        return text, _PATIENCE_WITH_ONE if one else _PATIENCE


def _message(answer: httpx.Response) -> str:
    try:
        status: dict[str, Any] = orjson.loads(answer.content)
        return str(status["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return f"HTTP {answer.status_code}"


def _throttled(text: str) -> bool:
    return "code = ResourceExhausted" in text or "Throttling" in text

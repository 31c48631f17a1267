"""Watch streams: one JSON frame a line, until somebody ends them."""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime
from typing import Any

from apiserver_shim.api import negotiation, status
from apiserver_shim.api.answers import shown
from apiserver_shim.api.request import ApiRequest
from apiserver_shim.api.status import StatusError
from apiserver_shim.objects.errors import InvalidError, forbidden
from apiserver_shim.objects.lists import parse_revision
from apiserver_shim.objects.selectors import Selector
from apiserver_shim.objects.watching import Change, watch_objects

Object = dict[str, Any]

log = logging.getLogger(__name__)

BOOKMARK_SECONDS = 60.0
_SHORTEST_DEFAULT, _LONGEST_DEFAULT = 1800, 3600


class WatchStream:
    """Answers one watch request."""

    def __init__(
        self, request: ApiRequest, selector: Selector, *, now: Callable[[], datetime]
    ) -> None:
        check_options(request)
        if _asks_for_websocket(request):
            raise StatusError(status.upgrade_refused())
        self._request = request
        self._selector = selector
        self._now = now
        self._wanted = negotiation.accepted(request.header(b"accept"))
        self._revision = parse_revision(request.parameter("resourceVersion"))
        self._seconds = request.number("timeoutSeconds") or random.randint(  # noqa: S311
            _SHORTEST_DEFAULT, _LONGEST_DEFAULT
        )
        self._bookmarks = request.flag("allowWatchBookmarks")
        self._initial_events: bool | None = None
        if "sendInitialEvents" in request.query:
            self._initial_events = request.flag("sendInitialEvents")

    async def run(self, *, stopping: asyncio.Event) -> None:
        """Stream until the time is up, the client leaves, or the cluster or server stops."""
        send = self._request.send
        headers = [
            (b"content-type", b"application/json"),
            (b"cache-control", b"no-cache, private"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        # an empty chunk sends the headers on their way: clients wait for them
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        tasks = [
            asyncio.create_task(self._pump()),
            asyncio.create_task(self._bookmark_regularly()),
            asyncio.create_task(self._client_left()),
            asyncio.create_task(self._request.cluster.closing.wait()),
            asyncio.create_task(stopping.wait()),
        ]
        try:
            await asyncio.wait(tasks, timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _client_left(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass

    async def _pump(self) -> None:
        """Send changes; an error becomes the last frame."""
        request = self._request
        namespace = request.info.namespace if self._selector.strategy.namespaced else None
        changes = watch_objects(
            request.cluster.store,
            self._selector,
            namespace or None,
            revision=self._revision,
            initial_events=self._initial_events,
        )
        try:
            async with aclosing(changes):
                await self._forward(changes)
        except Exception as error:
            # the headers are gone; a frame is what is left
            found = status.of(error, verb="watch", resource=request.info.resource)
            if found is None:
                log.exception("watch of %s failed", request.info.resource)
                found = status.unexpected()
            await self._send("ERROR", found)

    async def _forward(self, changes: AsyncGenerator[Change]) -> None:
        async for change in changes:
            if change.obj is not None:
                await self._send_object(change.type, change.obj)
            # not before it is sent: a bookmark may come between
            self._revision = max(self._revision, change.revision)
            if change.initial_events_end:
                await self._bookmark({"k8s.io/initial-events-end": "true"})

    async def _bookmark_regularly(self) -> None:
        while True:
            await asyncio.sleep(BOOKMARK_SECONDS)
            await self._bookmark()

    async def _bookmark(self, annotations: Object | None = None) -> None:
        if not self._bookmarks or not self._revision:
            return
        metadata: Object = {"resourceVersion": str(self._revision), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        kind = self._selector.strategy.kind
        await self._send_object(
            "BOOKMARK",
            {"kind": kind, "apiVersion": self._selector.strategy.api_version, "metadata": metadata},
        )

    async def _send_object(self, kind: str, obj: Object) -> None:
        strategy = self._selector.strategy
        await self._send(kind, shown(self._request, strategy, obj, self._wanted, self._now))

    async def _send(self, kind: str, obj: Object) -> None:
        frame = negotiation.encode_json({"type": kind, "object": obj})
        await self._request.send({"type": "http.response.body", "body": frame, "more_body": True})


def _asks_for_websocket(request: ApiRequest) -> bool:
    """Tell whether the client wants frames (k8s.io/apimachinery httpstream wsstream)."""
    connection = request.headers.get(b"connection", b"").lower().split(b",")
    return request.headers.get(b"upgrade", b"").lower() == b"websocket" and b"upgrade" in map(
        bytes.strip, connection
    )


def check_options(request: ApiRequest) -> None:
    """Refuse what this server's watches cannot do; raises InvalidError."""
    found = []
    match = request.parameter("resourceVersionMatch")
    if "sendInitialEvents" in request.query:
        if match != "NotOlderThan":
            detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            found.append(forbidden("resourceVersionMatch", detail))
    elif match:
        detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        found.append(forbidden("resourceVersionMatch", detail))
    if found:
        raise InvalidError("ListOptions", "", found, group="meta.k8s.io")

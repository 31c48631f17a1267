"""The audit log: who did what and how it ended, one audit.k8s.io/v1 Event a line.

At level Metadata: neither bodies nor messages are written, as both can hold a Secret's content.
"""

import asyncio
import logging
import os
import re
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apiserver_shim.api.request import ApiRequest
from apiserver_shim.api.reviews import user_object

Object = dict[str, Any]

log = logging.getLogger(__name__)

REASON_KEY = "apiserver_shim.reason"  # where ErrorStatus leaves a failure's reason in the scope
_WAITING_LIMIT = 10_000
_FILE_LIMIT = 64 * 1024 * 1024
_FLUSH_SECONDS = 0.2
_AGENT_LIMIT = 1024
_is_id = re.compile(rb"[-A-Za-z0-9]{1,64}").fullmatch


class AuditLog:
    """A file of events; when it is full it becomes ``<name>.1`` and a new one begins.

    Events wait in memory for their turn; those that come while too many wait are lost, and counted.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: list[bytes] = []
        self._lost = 0

    def add(self, event: Object) -> None:
        if len(self._waiting) < _WAITING_LIMIT:
            self._waiting.append(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE))
        else:
            self._lost += 1

    async def run(self) -> None:
        """Write until cancelled, and then what is left."""
        try:
            while True:
                await asyncio.sleep(_FLUSH_SECONDS)
                await self._flush()
        finally:
            with suppress(asyncio.CancelledError):
                await self._flush()

    async def _flush(self) -> None:
        lines, self._waiting = self._waiting, []
        lost, self._lost = self._lost, 0
        if lost:
            log.warning("%d audit events were lost: they came faster than they were written", lost)
        if lines:
            try:
                await asyncio.to_thread(self._write, lines)
            except OSError as error:
                log.warning("%d audit events were lost: %s", len(lines), error)

    def _write(self, lines: list[bytes]) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.writelines(lines)
            size = file.tell()
        if size > _FILE_LIMIT:
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))


class Audit:
    """Gives every request its Audit-Id and, when there is a log, its line there."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        audit_log: AuditLog | None,
        now: Callable[[], datetime],
        token_bytes: Callable[[int], bytes],
    ) -> None:
        self._app = app
        self._log = audit_log
        self._now = now
        self._token_bytes = token_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"audit-id"), b"")
        audit_id = given if _is_id(given) else self._new_id()
        received, code = self._now() if self._log else None, 0

        async def identified(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
                message["headers"] = [*message["headers"], (b"audit-id", audit_id)]
                if received and _is_watch(scope):
                    self._write(scope, audit_id, received, code, "ResponseStarted")
            await send(message)

        try:
            await self._app(scope, receive, identified)
        finally:
            if received:
                self._write(scope, audit_id, received, code, "ResponseComplete")

    def _new_id(self) -> bytes:
        return str(uuid.UUID(bytes=self._token_bytes(16), version=4)).encode()

    def _write(
        self, scope: Scope, audit_id: bytes, received: datetime, code: int, stage: str
    ) -> None:
        if self._log is None:
            return
        uri = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        status: Object = {"metadata": {}, "code": code}
        if reason := scope.get(REASON_KEY):
            status |= {"status": "Failure", "reason": reason}
        client = scope.get("client")
        event: Object = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "Metadata",
            "auditID": audit_id.decode(),
            "stage": stage,
            "requestURI": f"{uri}?{query}" if query else uri,
            "verb": scope["method"].lower(),
            "user": {},
            "sourceIPs": [client[0]] if client else [],
            "responseStatus": status,
            "requestReceivedTimestamp": _micro(received),
            "stageTimestamp": _micro(self._now()),
        }
        if ApiRequest.is_in(scope):
            event |= _asked(ApiRequest.of(scope))
        self._log.add(event)


def _is_watch(scope: Scope) -> bool:
    return ApiRequest.is_in(scope) and ApiRequest.of(scope).info.verb == "watch"


def _asked(request: ApiRequest) -> Object:
    info, decision = request.info, request.decision
    found: Object = {"verb": info.verb}
    if request.impersonator is not None:
        found["user"] = user_object(request.impersonator)
        if request.user is not request.impersonator:
            found["impersonatedUser"] = user_object(request.user)
    elif decision is not None:
        found["user"] = user_object(request.user)
    if decision is not None:
        found["annotations"] = {
            "authorization.k8s.io/decision": "allow" if decision.allowed else "forbid",
            "authorization.k8s.io/reason": decision.reason,
        }
    if agent := request.header(b"user-agent"):
        found["userAgent"] = agent[:_AGENT_LIMIT]
    if info.resource:
        reference = {
            "resource": info.resource,
            "namespace": info.namespace,
            "name": info.name,
            "apiGroup": info.group,
            "apiVersion": info.version,
            "subresource": info.subresource,
        }
        found["objectRef"] = {field: value for field, value in reference.items() if value}
    return found


def _micro(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

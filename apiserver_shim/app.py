"""The API server as one ASGI application: its settings, and the pipeline on one page."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from apiserver_shim.api.audit import Audit, AuditLog
from apiserver_shim.api.authentication import AuthMode
from apiserver_shim.api.inflight import Inflight
from apiserver_shim.api.observation import Observation
from apiserver_shim.api.pipeline import (
    Authentication,
    Authorization,
    ClusterSelection,
    ErrorStatus,
    Impersonation,
)
from apiserver_shim.api.routes import ResourceRoute, not_found, objects_route, other_routes
from apiserver_shim.clusters import Clusters, ClusterSource, Surroundings
from apiserver_shim.storage.compactor import Compactor
from apiserver_shim.storage.etcd import EtcdClient


@dataclass(frozen=True, slots=True)
class ShimSettings:
    """How strict the server is, how often it looks at encryption configuration files, its log.

    ``auth`` off lets anybody do anything, soft only warns. ``reload_seconds`` None: never again.
    ``audit_log`` is a file that grows to 64 MiB twice; None: no audit.
    ``compaction_seconds`` is how long etcd's history is kept at least; None leaves it alone.
    """

    auth: AuthMode = "strict"
    reload_seconds: float | None = 60.0
    audit_log: Path | None = None
    compaction_seconds: float | None = None


def create_app(
    settings: ShimSettings,
    *,
    etcd: EtcdClient,
    source: ClusterSource,
    now: Callable[[], datetime],
    token_bytes: Callable[[int], bytes] = os.urandom,
) -> "ApiServer":
    """Return the application; it owns the clusters it builds, not ``etcd``."""
    clusters = Clusters(source, Surroundings(etcd, now, token_bytes, settings.reload_seconds))
    audit_log = None if settings.audit_log is None else AuditLog(settings.audit_log)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        # the server that runs us sets this event when it wants its watches to end
        stopping = asyncio.Event()
        background = [asyncio.create_task(clusters.run())]
        if settings.compaction_seconds is not None:
            compactor = Compactor(etcd, interval=settings.compaction_seconds)
            background.append(asyncio.create_task(compactor.run()))
        if audit_log is not None:
            background.append(asyncio.create_task(audit_log.run()))
        yield {"stopping": stopping}
        stopping.set()
        await clusters.close()
        for task in background:
            task.cancel()
        # the audit log still has something to write
        await asyncio.gather(*background, return_exceptions=True)

    app = ApiServer(
        title="apiserver_shim",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        routes=other_routes(mode=settings.auth),
        lifespan=lifespan,
        # each request would look its switches up in the environment
        telemetry={"tracing": False, "metrics": False},
    )
    app.router.default = not_found
    app.objects = objects_route(mode=settings.auth, now=now)
    pipeline = [
        # around everything, as errors are answers too
        Middleware(Observation),
        # what ends badly is audited too
        Middleware(Audit, audit_log=audit_log, now=now, token_bytes=token_bytes),
        # before the rest, so that whatever fails further in is still answered as a Status
        Middleware(ErrorStatus),
        # the path says which logical cluster is meant; all that follows is about that one
        Middleware(ClusterSelection, clusters=clusters),
        # knows the cluster, and counts also what is refused
        Middleware(Inflight),
        # before any answer: another cluster's credential must not learn what is here
        Middleware(Authentication, mode=settings.auth),
        # from here on the user is whom they may act as
        Middleware(Impersonation, mode=settings.auth),
        # knows user, verb and resource; routes may then take permission for granted
        Middleware(Authorization, mode=settings.auth),
    ]
    app.pipeline = app.dispatch
    for step, arguments, options in reversed(pipeline):
        app.pipeline = step(app.pipeline, *arguments, **options)
    return app


class ApiServer(FastAPI):
    """Every request meets the pipeline, and after it nothing but its route.

    FastAPI's own middleware would answer errors in other words than Kubernetes'.
    """

    pipeline: ASGIApp
    objects: ResourceRoute

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self.pipeline(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    async def dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what the pipeline has let through."""
        if self.objects.leads(scope):
            await self.objects.handle(scope, receive, send)
        else:
            await self.router(scope, receive, send)

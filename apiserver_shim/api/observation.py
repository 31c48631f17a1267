"""Request metrics under upstream's names (k8s.io/apiserver endpoints/metrics), and ``/metrics``."""

import asyncio
import time
from collections.abc import Callable
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apiserver_shim.api.request import ApiRequest, Reply, RequestInfo
from apiserver_shim.clusters import Cluster
from apiserver_shim.metrics import CONTENT_TYPE
from apiserver_shim.objects.kinds import KINDS

_LABELS = ("verb", "dry_run", "group", "version", "resource", "subresource", "scope", "component")
_BUCKETS = (
    *(0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5),
    *(2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60),
)
_VERBS = {
    "create": "POST",
    "update": "PUT",
    "get": "GET",
    "head": "GET",
    "put": "PUT",
    "post": "POST",
    **{verb: verb.upper() for verb in ("list", "watch", "patch", "delete", "deletecollection")},
}
_PATHS = frozenset(("api", "apis", "healthz", "livez", "metrics", "openapi", "readyz", "version"))
_MOST_SERIES = 2000


async def metrics(request: ApiRequest) -> Reply:
    """Answer all that the cluster has counted."""
    text = await asyncio.to_thread(request.cluster.metrics.render)
    return Reply(200, text.encode(), CONTENT_TYPE.encode())


class Observation:
    """Counts and times every answer, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._clusters: WeakKeyDictionary[Cluster, RequestMetrics] = WeakKeyDictionary()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, code = time.perf_counter(), 0
        following: RequestMetrics | None = None

        async def noting(message: Message) -> None:
            nonlocal code, following
            if message["type"] == "http.response.start":
                code = message["status"]
                request = ApiRequest.in_scope(scope)
                if request is not None and request.info.verb == "watch" and code == 200:
                    following = self._of(request.cluster)
                    following.watching(request.info, 1)
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            request = ApiRequest.in_scope(scope)
            if request is not None and code:
                self._of(request.cluster).observe(request, code, time.perf_counter() - began)
            if request is not None and following is not None:
                following.watching(request.info, -1)

    def _of(self, cluster: Cluster) -> "RequestMetrics":
        found = self._clusters.get(cluster)
        if found is None:
            found = self._clusters[cluster] = RequestMetrics(cluster.metrics.registry)
        return found


class RequestMetrics:
    """The request metrics of one logical cluster; series are looked up once each."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._total = Counter(
            "apiserver_request_total",
            "Counter of apiserver requests broken out for each verb, dry run value, group, "
            "version, resource, scope, component, and HTTP response code.",
            (*_LABELS, "code"),
            registry=registry,
        )
        self._seconds = Histogram(
            "apiserver_request_duration_seconds",
            "Response latency distribution in seconds for each verb, dry run value, group, "
            "version, resource, subresource, scope and component.",
            _LABELS,
            buckets=_BUCKETS,
            registry=registry,
        )
        self._watches = Gauge(
            "apiserver_longrunning_requests",
            "Gauge of all active long-running apiserver requests broken out by verb, group, "
            "version, resource, scope and component.",
            tuple(label for label in _LABELS if label != "dry_run"),
            registry=registry,
        )
        self._series: dict[tuple[str, ...], tuple[Callable[[], None], Callable[..., None]]] = {}

    def observe(self, request: ApiRequest, code: int, seconds: float) -> None:
        """Count one answer."""
        dry_run = "All" if b"dryRun=All" in request.scope["query_string"] else ""
        apply = request.headers.get(b"content-type", b"").startswith(b"application/apply-patch")
        labels = _labels(request.info, apply=apply)
        key = (labels[0], dry_run, *labels[1:], str(code))
        series = self._series.get(key)
        if series is None:
            count = self._total.labels(*key).inc
            series = count, self._seconds.labels(*key[:-1]).observe
            if len(self._series) < _MOST_SERIES:
                self._series[key] = series
        series[0]()
        series[1](seconds)

    def watching(self, info: RequestInfo, step: int) -> None:
        """Count a watch that begins or ends."""
        self._watches.labels(*_labels(info)).inc(step)


def _labels(info: RequestInfo, *, apply: bool = False) -> tuple[str, ...]:
    """Return verb, group, version, resource, subresource, scope and component.

    What a client makes up is no label: it could make up any number.
    """
    verb = "APPLY" if apply and info.verb == "patch" else _VERBS.get(info.verb, "other")
    if not info.resource:
        first = info.path.split("/")[1]
        return (verb, "", "", "", f"/{first}" if first in _PATHS else "", "", "apiserver")
    strategy = KINDS.get(info.resource)
    if strategy is None or strategy.group != info.group:
        return (verb, "", "", "", "", "", "apiserver")
    subresource = info.subresource if info.subresource in strategy.subresources else ""
    if info.name or info.verb == "create":
        scope = "resource"
    else:
        scope = "namespace" if info.namespace else "cluster"
    return (verb, info.group, "v1", info.resource, subresource, scope, "apiserver")

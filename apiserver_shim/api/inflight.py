"""How many requests are being answered (k8s.io/apiserver endpoints/metrics)."""

import time
from collections.abc import Callable, Iterator
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Receive, Scope, Send

from apiserver_shim.api.request import ApiRequest, RequestInfo
from apiserver_shim.clusters import Cluster

_READING = frozenset(("get", "head", "list", "watch"))


class Inflight:
    """Counts what is under way, watches left out, for each logical cluster."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._clusters: WeakKeyDictionary[Cluster, InflightMetrics] = WeakKeyDictionary()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = ApiRequest.of(scope)
        if request.info.verb == "watch":
            await self._app(scope, receive, send)
            return
        peak = self._of(request.cluster).peak(request.info)
        peak.step(1)
        try:
            await self._app(scope, receive, send)
        finally:
            peak.step(-1)

    def _of(self, cluster: Cluster) -> "InflightMetrics":
        found = self._clusters.get(cluster)
        if found is None:
            found = self._clusters[cluster] = InflightMetrics(cluster.metrics.registry)
        return found


class Peak:
    """A number that goes up and down, and the highest it was in the last second."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._number = 0
        self._highest = {0: 0}  # by the second: this one and the one before

    def step(self, by: int) -> None:
        second = int(self._clock())
        if second not in self._highest:
            # what went on when the second began belongs to it
            self._highest = {second: self._number, second - 1: self._before(second)}
        self._number += by
        self._highest[second] = max(self._highest[second], self._number)

    def read(self) -> int:
        second = int(self._clock())
        return max(self._highest.get(second, 0), self._before(second), self._number)

    def _before(self, second: int) -> int:
        return self._highest.get(second - 1, self._number)


class InflightMetrics(Collector):
    """The gauge of one logical cluster, by kind of request."""

    def __init__(
        self, registry: CollectorRegistry, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._reading, self._mutating = Peak(clock), Peak(clock)
        registry.register(self)

    def peak(self, info: RequestInfo) -> Peak:
        return self._reading if info.verb in _READING else self._mutating

    def collect(self) -> Iterator[Metric]:
        gauge = GaugeMetricFamily(
            "apiserver_current_inflight_requests",
            "Maximal number of currently used inflight request limit of this apiserver per "
            "request kind in last second.",
            labels=("request_kind",),
        )
        gauge.add_metric(("mutating",), self._mutating.read())
        gauge.add_metric(("readOnly",), self._reading.read())
        yield gauge

"""What the gateway counts of its calls, for Prometheus.

Counting is a dictionary and a list, because every call pays for it; the client library makes the
text when somebody asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OK = "OK"
UNKNOWN = "unknown"
"""The action of what is none of ours, so that nobody can make up label values."""

_THROTTLED = "Rejected.Throttling"
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class CallMetrics:
    """Calls by action and code, and how long they took by action."""

    def __init__(self) -> None:
        self._calls: Counter[tuple[str, str]] = Counter()
        self._times: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}

    def observe(self, action: str, code: str, seconds: float) -> None:
        self._calls[action, code] += 1
        times = self._times.get(action)
        if times is None:
            times = self._times[action] = [0] * (len(_BUCKETS) + 1)
            self._seconds[action] = 0.0
        times[bisect_left(_BUCKETS, seconds)] += 1
        self._seconds[action] += seconds

    def text(self, keys_by_state: Mapping[str, int]) -> bytes:
        """In Prometheus' text format, with the number of keys in each state."""
        from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415

        registry = CollectorRegistry()
        registry.register(_Collected(tuple(self._families(keys_by_state))))
        return generate_latest(registry)

    def _families(self, keys_by_state: Mapping[str, int]) -> Iterator[Metric]:
        from prometheus_client.core import (  # noqa: PLC0415
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        calls = CounterMetricFamily("acksim_calls", "Calls answered.", labels=("action", "code"))
        throttled = CounterMetricFamily(
            "acksim_calls_throttled", "Calls beyond a quota.", labels=("action",)
        )
        for (action, code), count in sorted(self._calls.items()):
            calls.add_metric((action, code), count)
            if code == _THROTTLED:
                throttled.add_metric((action,), count)
        times = HistogramMetricFamily(
            "acksim_call_seconds", "From the request read to the answer made.", labels=("action",)
        )
        limits = (*(str(limit) for limit in _BUCKETS), "+Inf")
        for action, counts in sorted(self._times.items()):
            below = list(zip(limits, accumulate(counts), strict=True))
            times.add_metric((action,), below, self._seconds[action])
        keys = GaugeMetricFamily("acksim_keys", "Keys of all accounts.", labels=("state",))
        for state, count in sorted(keys_by_state.items()):
            keys.add_metric((state,), count)
        yield from (calls, throttled, times, keys)


class _Collected:
    """Metrics as the library asks for them."""

    def __init__(self, families: tuple[Metric, ...]) -> None:
        self._families = families

    def collect(self) -> tuple[Metric, ...]:
        return self._families

"""What one logical API server counts, under upstream's names, in Prometheus' text format.

One ``Metrics`` a server, passed to whatever counts; nothing is registered globally. The names and
buckets are those of k8s.io/apiserver (storage/value, envelope/metrics, encryptionconfig/metrics).
"""

import hashlib
import time
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Direction = Literal["from_storage", "to_storage"]

_TRANSFORMATION_SECONDS = [5e-6 * 2**n for n in range(25)]
_STORAGE = "apiserver_storage_"
_ENVELOPE = "apiserver_envelope_encryption_"
_RELOAD = "apiserver_encryption_config_controller_"
_KEPT_KEY_IDS = 100
_NO_RPC = "unknown-non-grpc"


def _doubling(first: float, count: int) -> list[float]:
    return [first * 2**n for n in range(count)]


class Metrics:
    """The registry of one API server; ``registry`` takes further metrics of other rooms."""

    def __init__(self, apiserver_id: str = "") -> None:
        self.registry = CollectorRegistry()
        self.transformations = TransformationMetrics(self.registry)
        self.envelope = EnvelopeMetrics(self.registry, _hash(apiserver_id))
        self.reloads = ReloadMetrics(self.registry, _hash(apiserver_id))

    def render(self) -> str:
        """Return every metric, for ``/metrics`` (see CONTENT_TYPE)."""
        return generate_latest(_WithoutCreationTimes(self.registry)).decode()


class _WithoutCreationTimes:
    """Leaves out the ``_created`` series that the library adds and upstream does not have."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            metric.samples = [one for one in metric.samples if not one.name.endswith("_created")]
            yield metric


class TransformationMetrics(Collector):
    """How often and how fast values are sealed and opened."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._recorders: dict[tuple[str, str, str], Transformation] = {}
        registry.register(self)

    def of(self, resource: str, prefix: str, direction: Direction) -> "Transformation":
        """Return the recorder of one transformer's work in one direction."""
        return self._recorders.setdefault((resource, direction, prefix), Transformation())

    def collect(self) -> Iterator[Metric]:
        total = CounterMetricFamily(
            f"{_STORAGE}transformation_operations_total",
            "Total number of transformations.",
            labels=("resource", "transformation_type", "transformer_prefix", "status"),
        )
        seconds = HistogramMetricFamily(
            f"{_STORAGE}transformation_duration_seconds",
            "Latencies in seconds of value transformation operations.",
            labels=("transformation_type", "transformer_prefix"),
        )
        durations: dict[tuple[str, str], tuple[list[int], float]] = {}
        for (resource, direction, prefix), recorder in tuple(self._recorders.items()):
            for status, count in recorder.outcomes():
                total.add_metric((resource, direction, prefix, status), count)
            counts, spent = durations.get((direction, prefix), ([0] * len(recorder.counts), 0.0))
            added = [one + other for one, other in zip(counts, recorder.counts, strict=True)]
            durations[direction, prefix] = (added, spent + recorder.seconds)
        for labels, (counts, spent) in durations.items():
            if any(counts):
                bounds = (*map(floatToGoString, _TRANSFORMATION_SECONDS), "+Inf")
                buckets = list(zip(bounds, accumulate(counts), strict=True))
                seconds.add_metric(labels, buckets, spent)
        yield total
        yield seconds


class Transformation:
    """Counts one transformer's work; every read and write passes here, so it only adds numbers."""

    __slots__ = ("_failures", "counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(_TRANSFORMATION_SECONDS) + 1)
        self.seconds = 0.0
        self._failures: dict[str, int] = {}

    def succeeded(self, seconds: float) -> None:
        self.counts[bisect_left(_TRANSFORMATION_SECONDS, seconds)] += 1
        self.seconds += seconds

    def failed(self, code: str) -> None:
        """Count a failure by the plugin's gRPC code, "" when there was none."""
        code = code or _NO_RPC
        self._failures[code] = self._failures.get(code, 0) + 1

    def outcomes(self) -> Iterator[tuple[str, int]]:
        """Yield how often each status was, for those that were."""
        if succeeded := sum(self.counts):
            yield "OK", succeeded
        yield from tuple(self._failures.items())


class EnvelopeMetrics:
    """What the envelopes of KMS v1 and v2 do with their keys and plugins."""

    def __init__(self, registry: CollectorRegistry, apiserver_hash: str) -> None:
        self._last_arrival: dict[str, float] = {}
        key_ids = _KeyIdMetrics(registry, apiserver_hash)
        self.key_id_used = key_ids.used
        self.key_id_of_status = key_ids.named
        self.cache_misses = Counter(
            f"{_STORAGE}envelope_transformation_cache_misses_total",
            "Total number of cache misses while accessing key decryption key(KEK).",
            registry=registry,
        )
        self.key_generations = Histogram(
            f"{_STORAGE}data_key_generation_duration_seconds",
            "Latencies in seconds of data encryption key(DEK) generation operations.",
            buckets=_doubling(5e-6, 14),
            registry=registry,
        )
        # The system's source of randomness does not fail here; dashboards still expect the name.
        Counter(
            f"{_STORAGE}data_key_generation_failures_total",
            "Total number of failed data encryption key(DEK) generation operations.",
            registry=registry,
        )
        self.dek_cache_fill = Gauge(
            f"{_ENVELOPE}dek_cache_fill_percent",
            "Percent of the cache slots currently occupied by cached DEKs.",
            registry=registry,
        )
        self._arrivals = Histogram(
            f"{_ENVELOPE}dek_cache_inter_arrival_time_seconds",
            "Time (in seconds) of inter arrival of transformation requests.",
            ("transformation_type",),
            buckets=_doubling(60, 10),
            registry=registry,
        )
        self._kms_seconds = Histogram(
            f"{_ENVELOPE}kms_operations_latency_seconds",
            "KMS operation duration with gRPC error code status total.",
            ("provider_name", "method_name", "grpc_status_code"),
            buckets=_doubling(0.0001, 20),
            registry=registry,
        )
        self._invalid_key_ids = Counter(
            f"{_ENVELOPE}invalid_key_id_from_status_total",
            "Number of times an invalid keyID is returned by the Status RPC call split by error.",
            ("provider_name", "error"),
            registry=registry,
        )
        self._sources = Gauge(
            f"{_ENVELOPE}dek_source_cache_size",
            "Number of records in data encryption key (DEK) source cache.",
            ("provider_name",),
            registry=registry,
        )

    def arrived(self, direction: Direction) -> None:
        """Note a value that meets KMS v1."""
        now = time.monotonic()
        self._arrivals.labels(direction).observe(now - self._last_arrival.get(direction, now))
        self._last_arrival[direction] = now

    def called(self, provider: str, method: str, code: str, seconds: float) -> None:
        """Note a call of a KMS v2 plugin; ``method`` is the full gRPC path."""
        self._kms_seconds.labels(provider, method, code).observe(seconds)

    def cached_sources(self, provider: str, count: int) -> None:
        """Note how many DEK sources a provider has unwrapped and kept."""
        self._sources.labels(provider).set(count)

    def invalid_key_id(self, provider: str, fault: Literal["empty", "too_long"]) -> None:
        """Note a key_id that cannot be used."""
        self._invalid_key_ids.labels(provider, fault).inc()


class _KeyIdMetrics(Collector):
    """Metrics with a key_id's hash as label; the last hundred are kept, as upstream does."""

    def __init__(self, registry: CollectorRegistry, apiserver_hash: str) -> None:
        self._apiserver_hash = apiserver_hash
        self._used: OrderedDict[tuple[str, str, str], _Use] = OrderedDict()
        self._named: OrderedDict[tuple[str, str], float] = OrderedDict()
        registry.register(self)

    def used(self, direction: Direction, provider: str, key_id: str) -> None:
        key = (direction, provider, key_id)
        use = self._used.get(key)
        if use is None:
            use = self._used[key] = _Use()
            if len(self._used) > _KEPT_KEY_IDS:
                self._used.popitem(last=False)
        elif len(self._used) > 1:
            self._used.move_to_end(key)
        use.count += 1
        use.last = time.time()

    def named(self, provider: str, key_id: str) -> None:
        self._named[provider, key_id] = time.time()
        self._named.move_to_end((provider, key_id))
        if len(self._named) > _KEPT_KEY_IDS:
            self._named.popitem(last=False)

    def collect(self) -> Iterator[Metric]:
        labels = ("transformation_type", "provider_name", "key_id_hash", "apiserver_id_hash")
        total = CounterMetricFamily(
            f"{_ENVELOPE}key_id_hash_total",
            "Number of times a keyID is used split by transformation type, provider, and "
            "apiserver identity.",
            labels=labels,
        )
        last = GaugeMetricFamily(
            f"{_ENVELOPE}key_id_hash_last_timestamp_seconds",
            "The last time in seconds when a keyID was used.",
            labels=labels,
        )
        status = GaugeMetricFamily(
            f"{_ENVELOPE}key_id_hash_status_last_timestamp_seconds",
            "The last time in seconds when a keyID was returned by the Status RPC call.",
            labels=labels[1:],
        )
        for (direction, provider, key_id), use in tuple(self._used.items()):
            values = (direction, provider, _hash(key_id), self._apiserver_hash)
            total.add_metric(values, use.count)
            last.add_metric(values, use.last)
        for (provider, key_id), moment in tuple(self._named.items()):
            status.add_metric((provider, _hash(key_id), self._apiserver_hash), moment)
        yield from (total, last, status)


@dataclass(slots=True)
class _Use:
    count: int = 0
    last: float = 0.0


class ReloadMetrics:
    """Reloads of the encryption configuration."""

    def __init__(self, registry: CollectorRegistry, apiserver_hash: str) -> None:
        self._apiserver_hash = apiserver_hash
        self._total = Counter(
            f"{_RELOAD}automatic_reloads_total",
            "Total number of reload successes and failures of encryption configuration split by "
            "apiserver identity.",
            ("status", "apiserver_id_hash"),
            registry=registry,
        )
        self._last = Gauge(
            f"{_RELOAD}automatic_reload_last_timestamp_seconds",
            "Timestamp of the last successful or failed automatic reload of encryption "
            "configuration split by apiserver identity.",
            ("status", "apiserver_id_hash"),
            registry=registry,
        )
        self._config = Gauge(
            f"{_RELOAD}last_config_info",
            "Information about the last applied encryption configuration with hash as label, "
            "split by apiserver identity.",
            ("apiserver_id_hash", "hash"),
            registry=registry,
        )

    def reloaded(self, status: Literal["success", "failure"]) -> None:
        """Note a reload."""
        self._total.labels(status, self._apiserver_hash).inc()
        self._last.labels(status, self._apiserver_hash).set(time.time())

    def serves(self, digest: str) -> None:
        """Note the hash of the configuration that is served from now on."""
        self._config.clear()
        self._config.labels(self._apiserver_hash, digest).set(1)


def _hash(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest() if text else ""

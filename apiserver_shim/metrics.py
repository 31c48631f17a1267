"""What one logical API server counts, under upstream's names, in Prometheus' text format.

One ``Metrics`` a server, passed to whatever counts; nothing is registered globally. The names and
buckets are those of k8s.io/apiserver (storage/value, envelope/metrics, encryptionconfig/metrics).
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.exposition import generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Direction = Literal["from_storage", "to_storage"]

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


class TransformationMetrics:
    """How often and how fast values are sealed and opened."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._total = Counter(
            f"{_STORAGE}transformation_operations_total",
            "Total number of transformations.",
            ("resource", "transformation_type", "transformer_prefix", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            f"{_STORAGE}transformation_duration_seconds",
            "Latencies in seconds of value transformation operations.",
            ("transformation_type", "transformer_prefix"),
            buckets=_doubling(5e-6, 25),
            registry=registry,
        )

    def of(self, resource: str, prefix: str, direction: Direction) -> "Transformation":
        """Return the recorder of one transformer's work in one direction."""
        return Transformation(self._total, self._seconds, (resource, direction, prefix))


class Transformation:
    """Records with labels looked up once, because every read and write passes here."""

    __slots__ = ("_labels", "_observe", "_seconds", "_succeed", "_total")

    def __init__(self, total: Counter, seconds: Histogram, labels: tuple[str, str, str]) -> None:
        self._total = total
        self._seconds = seconds
        self._labels = labels
        self._succeed: Callable[[], None] | None = None  # no series before there is something

    def succeeded(self, seconds: float) -> None:
        if self._succeed is None:
            self._succeed = self._total.labels(*self._labels, "OK").inc
            self._observe = self._seconds.labels(*self._labels[1:]).observe
        self._succeed()
        self._observe(seconds)

    def failed(self, code: str) -> None:
        """Count a failure by the plugin's gRPC code, "" when there was none."""
        self._total.labels(*self._labels, code or _NO_RPC).inc()


class EnvelopeMetrics:
    """What the envelopes of KMS v1 and v2 do with their keys and plugins."""

    def __init__(self, registry: CollectorRegistry, apiserver_hash: str) -> None:
        self._apiserver_hash = apiserver_hash
        self._last_arrival: dict[str, float] = {}
        self._key_ids = _KeyIdMetrics(registry)
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

    def key_id_used(self, direction: Direction, provider: str, key_id: str) -> None:
        """Note the key_id of a value that is sealed or opened."""
        self._key_ids.used(direction, provider, key_id, self._apiserver_hash)

    def key_id_of_status(self, provider: str, key_id: str) -> None:
        """Note the key_id that a plugin's Status named."""
        self._key_ids.named(provider, key_id, self._apiserver_hash)

    def invalid_key_id(self, provider: str, fault: Literal["empty", "too_long"]) -> None:
        """Note a key_id that cannot be used."""
        self._key_ids.invalid.labels(provider, fault).inc()


class _KeyIdMetrics:
    """Metrics with a key_id's hash as label; the last hundred are kept, as upstream does."""

    def __init__(self, registry: CollectorRegistry) -> None:
        names = ("transformation_type", "provider_name", "key_id_hash", "apiserver_id_hash")
        self._total = Counter(
            f"{_ENVELOPE}key_id_hash_total",
            "Number of times a keyID is used split by transformation type, provider, and "
            "apiserver identity.",
            names,
            registry=registry,
        )
        self._last = Gauge(
            f"{_ENVELOPE}key_id_hash_last_timestamp_seconds",
            "The last time in seconds when a keyID was used.",
            names,
            registry=registry,
        )
        self._status = Gauge(
            f"{_ENVELOPE}key_id_hash_status_last_timestamp_seconds",
            "The last time in seconds when a keyID was returned by the Status RPC call.",
            names[1:],
            registry=registry,
        )
        self.invalid = Counter(
            f"{_ENVELOPE}invalid_key_id_from_status_total",
            "Number of times an invalid keyID is returned by the Status RPC call split by error.",
            ("provider_name", "error"),
            registry=registry,
        )
        self._used: OrderedDict[tuple[str, str, str], tuple[Counter, Gauge]] = OrderedDict()
        self._named: OrderedDict[tuple[str, str], Gauge] = OrderedDict()

    def used(self, direction: Direction, provider: str, key_id: str, apiserver: str) -> None:
        key = (direction, provider, key_id)
        recorders = self._used.get(key)
        if recorders is None:
            labels = (direction, provider, _hash(key_id), apiserver)
            recorders = self._used[key] = (self._total.labels(*labels), self._last.labels(*labels))
            if len(self._used) > _KEPT_KEY_IDS:
                (direction_, provider_, key_id_), _ = self._used.popitem(last=False)
                self._total.remove(direction_, provider_, _hash(key_id_), apiserver)
                self._last.remove(direction_, provider_, _hash(key_id_), apiserver)
        else:
            self._used.move_to_end(key)
        recorders[0].inc()
        recorders[1].set(time.time())

    def named(self, provider: str, key_id: str, apiserver: str) -> None:
        key = (provider, key_id)
        if key not in self._named:
            self._named[key] = self._status.labels(provider, _hash(key_id), apiserver)
            if len(self._named) > _KEPT_KEY_IDS:
                (provider_, key_id_), _ = self._named.popitem(last=False)
                self._status.remove(provider_, _hash(key_id_), apiserver)
        self._named.move_to_end(key)
        self._named[key].set(time.time())


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

"""Upstream's metric names, and what makes them move."""

import hashlib
from datetime import UTC, datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families

from apiserver_shim.encryption.envelope_v1 import EnvelopeV1
from apiserver_shim.encryption.envelope_v2 import EnvelopeV2, Status, Wrapped
from apiserver_shim.encryption.local_keys import key_chain
from apiserver_shim.encryption.runtime import Runtime
from apiserver_shim.encryption.transformer import (
    Identity,
    PrefixChain,
    Prefixed,
    Transformer,
    TransformerSet,
)
from apiserver_shim.errors import TransformError
from apiserver_shim.metrics import Metrics

PATH = b"/registry/secrets/default/app1"
OPERATIONS = "apiserver_storage_transformation_operations_total"


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0.0


class Plugin:
    """Both protocols; fails with a gRPC code when told to."""

    def __init__(self) -> None:
        self.code = ""
        self.key_id = "key-1"

    async def status(self) -> Status:
        return Status("v2", "ok", self.key_id)

    async def encrypt(self, plain: bytes) -> bytes:
        self._fail()
        return plain

    async def decrypt(self, cipher: bytes) -> bytes:
        self._fail()
        return cipher

    def _fail(self) -> None:
        if self.code:
            raise TransformError(f"rpc error: code = {self.code} desc = no", code=self.code)


class PluginV2(Plugin):
    async def encrypt(self, plaintext: bytes, *, uid: str) -> Wrapped:  # type: ignore[override]
        return Wrapped(plaintext, self.key_id, {})

    async def decrypt(self, wrapped: Wrapped, *, uid: str) -> bytes:  # type: ignore[override]
        self._fail()
        return wrapped.ciphertext


def secrets(metrics: Metrics, *links: Prefixed) -> Transformer:
    chain = PrefixChain(links, unmatched="no matching prefix found")
    configured = TransformerSet({"secrets": chain}, metrics=metrics.transformations)
    return configured.for_resource("secrets")


async def test_every_transformation_is_counted_by_prefix_and_outcome() -> None:
    metrics, plugin = Metrics(), Plugin()
    envelope = EnvelopeV1(plugin, cache_size=-1, token_bytes=bytes, metrics=metrics.envelope)
    kms = Prefixed(b"k8s:enc:kms:v1:ack:", envelope)
    transformer = secrets(metrics, kms, Prefixed(b"", Identity()))
    stored = await transformer.to_storage(b"k8s\0value", PATH)
    await transformer.from_storage(stored, PATH)
    await transformer.from_storage(b"k8s\0plain", PATH)
    plugin.code = "FailedPrecondition"
    for _ in range(2):
        with pytest.raises(TransformError):
            await transformer.from_storage(stored, PATH)
    with pytest.raises(TransformError, match="no matching prefix found"):
        await transformer.from_storage(b"k8s:enc:kms:v1:gone:x", PATH)

    def count(direction: str, prefix: str, status: str) -> float:
        labels = {
            "resource": "secrets",
            "transformation_type": direction,
            "transformer_prefix": prefix,
            "status": status,
        }
        return value(metrics, OPERATIONS, **labels)

    assert count("to_storage", "k8s:enc:kms:v1:ack:", "OK") == 1
    assert count("from_storage", "k8s:enc:kms:v1:ack:", "OK") == 1
    assert count("from_storage", "k8s:enc:kms:v1:ack:", "FailedPrecondition") == 2
    assert count("from_storage", "identity", "OK") == 1
    assert count("from_storage", "identity", "unknown-non-grpc") == 0
    assert count("from_storage", "unknown", "unknown-non-grpc") == 1
    timed = {"transformation_type": "from_storage", "transformer_prefix": "k8s:enc:kms:v1:ack:"}
    duration = "apiserver_storage_transformation_duration_seconds_count"
    assert value(metrics, duration, **timed) == 1


async def test_keys_of_one_provider_are_counted_as_upstream_counts_them() -> None:
    metrics = Metrics()
    transformer = secrets(metrics, key_chain("aesgcm", [("one", bytes(32))], bytes))
    await transformer.to_storage(b"value", PATH)
    for prefix in ("k8s:enc:aesgcm:v1:", "one:"):
        labels = {"transformation_type": "to_storage", "transformer_prefix": prefix}
        assert value(metrics, OPERATIONS, resource="secrets", status="OK", **labels) == 1


async def test_v1_tells_its_cache_and_its_keys() -> None:
    metrics = Metrics()
    envelope = EnvelopeV1(Plugin(), cache_size=4, token_bytes=bytes, metrics=metrics.envelope)
    stored = await envelope.to_storage(b"value", PATH)
    assert value(metrics, "apiserver_envelope_encryption_dek_cache_fill_percent") == 0.25
    cold = EnvelopeV1(Plugin(), cache_size=4, token_bytes=bytes, metrics=metrics.envelope)
    for _ in range(2):
        await cold.from_storage(stored, PATH)
    assert value(metrics, "apiserver_storage_envelope_transformation_cache_misses_total") == 1
    assert value(metrics, "apiserver_storage_data_key_generation_duration_seconds_count") == 1
    arrivals = "apiserver_envelope_encryption_dek_cache_inter_arrival_time_seconds_count"
    assert value(metrics, arrivals, transformation_type="from_storage") == 2


async def test_v2_tells_its_key_ids_by_hash() -> None:
    metrics, plugin = Metrics("apiserver-1"), PluginV2()
    runtime = Runtime(lambda: datetime(2026, 1, 1, tzinfo=UTC), metrics=metrics)
    envelope = EnvelopeV2("ack", plugin, runtime)
    await envelope.poll()
    stored = await envelope.to_storage(b"value", PATH)
    await envelope.from_storage(stored, PATH)
    plugin.key_id = ""
    with pytest.raises(TransformError):
        await envelope.poll()
    text = metrics.render()
    hashes = [hashlib.sha256(name).hexdigest() for name in (b"apiserver-1", b"key-1")]
    assert (
        f'key_id_hash_total{{apiserver_id_hash="sha256:{hashes[0]}",'
        f'key_id_hash="sha256:{hashes[1]}",provider_name="ack",'
        'transformation_type="to_storage"} 1.0'
    ) in text
    assert "key-1" not in text
    assert "apiserver-1" not in text
    name = "apiserver_envelope_encryption_invalid_key_id_from_status_total"
    assert value(metrics, name, provider_name="ack", error="empty") == 1
    sources = "apiserver_envelope_encryption_dek_source_cache_size"
    assert value(metrics, sources, provider_name="ack") == 1


def test_only_the_last_hundred_key_ids_are_kept() -> None:
    metrics = Metrics()
    for number in range(150):
        metrics.envelope.key_id_used("from_storage", "ack", f"key-{number}")
        metrics.envelope.key_id_of_status("ack", f"key-{number}")
    text = metrics.render()
    assert text.count("\napiserver_envelope_encryption_key_id_hash_total{") == 100
    assert text.count("\napiserver_envelope_encryption_key_id_hash_last_timestamp_seconds{") == 100
    status = "\napiserver_envelope_encryption_key_id_hash_status_last_timestamp_seconds{"
    assert text.count(status) == 100


def test_the_text_has_upstreams_names_and_no_others() -> None:
    metrics = Metrics()
    metrics.envelope.called("ack", "/v2.KeyManagementService/Status", "OK", 0.001)
    metrics.reloads.reloaded("success")
    metrics.reloads.serves("sha256:one")
    metrics.reloads.serves("sha256:two")
    recorder = metrics.transformations.of("secrets", "identity", "from_storage")
    for seconds in (5e-6, 6e-6, 1000.0):
        recorder.succeeded(seconds)
    text = metrics.render()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    durations = families["apiserver_storage_transformation_duration_seconds"].samples
    buckets = [one.value for one in durations if one.name.endswith("_bucket")]
    assert buckets == [1.0] + [2.0] * 24 + [3.0]
    assert "_created" not in text
    assert (
        'apiserver_envelope_encryption_kms_operations_latency_seconds_count{grpc_status_code="OK",'
        'method_name="/v2.KeyManagementService/Status",provider_name="ack"} 1.0'
    ) in text
    assert 'status="success"' in text
    assert 'hash="sha256:two"' in text
    assert "sha256:one" not in text

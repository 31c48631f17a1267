"""A running server moves from provider to provider, while it is read and written all along."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apiserver_shim.encryption.live import LiveEncryption
from apiserver_shim.encryption.runtime import Runtime
from apiserver_shim.storage.etcd import EtcdClient
from apiserver_shim.storage.store import Key, Store
from tests.contract.storage.test_live import HEAD

if TYPE_CHECKING:
    from tests.contract.storage.conftest import ThirdPartyPlugin, Time

MakeSecret = Callable[..., dict[str, Any]]

NAMES = [f"app{number}" for number in range(12)]
V1 = "kms: {apiVersion: v1, name: one, endpoint: 'SOCKET', timeout: 200ms}"
V2 = "kms: {apiVersion: v2, name: two, endpoint: 'SOCKET', timeout: 200ms}"
GCM = "aesgcm: {keys: [{name: local, secret: a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=}]}"
BOX = "secretbox: {keys: [{name: local, secret: a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=}]}"
IDENTITY = "identity: {}"
# Each step writes with its first provider, and still reads what the step before wrote.
STEPS = [
    ([V1, IDENTITY], b"k8s:enc:kms:v1:one:"),
    ([V2, V1], b"k8s:enc:kms:v2:two:"),
    ([IDENTITY, V2], b"k8s\0"),
    ([GCM, IDENTITY], b"k8s:enc:aesgcm:v1:local:"),
    ([BOX, GCM], b"k8s:enc:secretbox:v1:local:"),
]


def rules(*rules: tuple[str, list[str]]) -> str:
    lines = [HEAD + "resources:"]
    for resources, providers in rules:
        lines += [f"- resources: [{resources}]", "  providers:"]
        lines += [f"  - {provider}" for provider in providers]
    return "\n".join(lines) + "\n"


def key(name: str) -> Key:
    return Key("secrets", "default", name)


async def test_no_read_fails_while_providers_change(
    etcd: EtcdClient,
    prefix: str,
    plugin: ThirdPartyPlugin,
    time: Time,
    tmp_path: Path,
    secret: MakeSecret,
) -> None:
    path = tmp_path / "encryption.yaml"
    path.write_text(rules(("secrets", [IDENTITY])))
    live = LiveEncryption(path, Runtime(time.now), reload_interval=3600)
    await live.start()
    store = Store(etcd, prefix=prefix, transformers=live.transformers)
    for name in NAMES:
        await store.create(key(name), secret(name))
    reads = 0
    moving = asyncio.Event()

    async def read() -> None:
        nonlocal reads
        while not moving.is_set():
            for name in NAMES:
                assert (await store.get(key(name))).obj["data"] == secret()["data"]
            assert len((await store.list("secrets")).items) == len(NAMES)
            reads += 1

    readers = [asyncio.create_task(read()) for _ in range(4)]
    for providers, begins in STEPS:
        path.write_text(
            rules(("secrets", [one.replace("SOCKET", plugin.endpoint) for one in providers]))
        )
        before = reads
        assert await live.reload()
        await rewrite(store)
        # Longer than a retired configuration keeps its connections: nobody still needs them.
        await asyncio.sleep(1.3)
        stored = await etcd.list(f"{prefix}/secrets/".encode(), f"{prefix}/secrets0".encode())
        assert all(kv.value.startswith(begins) for kv in stored.kvs)
        assert not any(one.stale for one in (await store.list("secrets")).items)
        assert reads > before
        assert not any(reader.done() for reader in readers)
    moving.set()
    await asyncio.gather(*readers)
    await live.stop()


async def rewrite(store: Store) -> None:
    """Store every object as it is: only what is stale is written."""
    for item in (await store.list("secrets")).items:
        assert item.stale
        name = item.obj["metadata"]["name"]
        written = await store.replace(key(name), item.obj, current=item)
        assert written["metadata"]["resourceVersion"] != str(item.revision)
        again = await store.get(key(name))
        unchanged = await store.replace(key(name), again.obj, current=again)
        assert unchanged["metadata"]["resourceVersion"] == str(again.revision)


async def test_rules_are_looked_up_from_the_exact_to_the_wild(
    etcd: EtcdClient, prefix: str, time: Time, tmp_path: Path, secret: MakeSecret
) -> None:
    path = tmp_path / "encryption.yaml"
    path.write_text(rules(("namespaces", [IDENTITY]), ("secrets", [BOX]), ("'*.'", [GCM])))
    live = LiveEncryption(path, Runtime(time.now), reload_interval=None)
    await live.start()
    store = Store(etcd, prefix=prefix, transformers=live.transformers)
    await store.create(key("app1"), secret())
    of_map = {**secret(), "kind": "ConfigMap", "data": {"a": "b"}}
    await store.create(Key("configmaps", "default", "app1"), of_map)
    namespace = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "app1"}}
    await store.create(Key("namespaces", None, "app1"), namespace)
    for below, begins in (
        ("secrets/default", b"k8s:enc:secretbox:v1:local:"),
        ("configmaps/default", b"k8s:enc:aesgcm:v1:local:"),
        ("namespaces", b"k8s\0"),
    ):
        kv = (await etcd.get(f"{prefix}/{below}/app1".encode())).kv
        assert kv is not None
        assert kv.value.startswith(begins)
    await live.stop()


async def test_reloads_are_counted(
    plugin: ThirdPartyPlugin, time: Time, tmp_path: Path, until: Callable[..., Any]
) -> None:
    path = tmp_path / "encryption.yaml"
    path.write_text(rules(("secrets", [IDENTITY])))
    runtime = Runtime(time.now)
    live = LiveEncryption(path, runtime, reload_interval=0.05)
    await live.start()
    name = "apiserver_encryption_config_controller_automatic_reloads_total"

    def counter(status: str) -> Callable[[], Any]:
        labels = {"status": status, "apiserver_id_hash": ""}

        async def counted() -> bool:
            return bool(runtime.metrics.registry.get_sample_value(name, labels))

        return counted

    path.write_text("kind: Nonsense\n")
    await until(counter("failure"))
    path.write_text(rules(("secrets", [V2.replace("SOCKET", plugin.endpoint), IDENTITY])))
    await until(counter("success"))
    text = runtime.metrics.render()
    status = "apiserver_envelope_encryption_kms_operations_latency_seconds_count{"
    assert status + 'grpc_status_code="OK",method_name="/v2.KeyManagementService/Status"' in text
    assert text.count("apiserver_encryption_config_controller_last_config_info{") == 1
    await live.stop()

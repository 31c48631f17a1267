"""A KMS plugin in a process of its own that wraps by turning the bytes round, for measurements."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import uvloop

from kubernetes_kms import v1_pb2 as v1
from kubernetes_kms import v2_pb2 as v2


@contextmanager
def turning_plugin(directory: Path) -> Iterator[str]:
    path = directory / "kms.sock"
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.turning_plugin", str(path)])
    try:
        while not path.exists():
            time.sleep(0.02)
        yield f"unix://{path}"
    finally:
        process.terminate()
        process.wait()


async def serve_plugin(path: str) -> None:
    """Wrap by turning the bytes round."""

    def method(request: Any, answer: Callable[[Any], Any]) -> Any:
        async def handle(message: Any, _: Any) -> Any:
            return answer(message)

        return grpc.unary_unary_rpc_method_handler(
            handle,
            request_deserializer=request.FromString,
            response_serializer=lambda response: response.SerializeToString(),
        )

    server = grpc.aio.server()
    services = {
        "v1beta1.KeyManagementService": {
            "Version": method(v1.VersionRequest, lambda _: v1.VersionResponse(version="v1beta1")),
            "Encrypt": method(
                v1.EncryptRequest, lambda one: v1.EncryptResponse(cipher=one.plain[::-1])
            ),
            "Decrypt": method(
                v1.DecryptRequest, lambda one: v1.DecryptResponse(plain=one.cipher[::-1])
            ),
        },
        "v2.KeyManagementService": {
            "Status": method(
                v2.StatusRequest,
                lambda _: v2.StatusResponse(version="v2", healthz="ok", key_id="key"),
            ),
            "Encrypt": method(
                v2.EncryptRequest,
                lambda one: v2.EncryptResponse(ciphertext=one.plaintext[::-1], key_id="key"),
            ),
            "Decrypt": method(
                v2.DecryptRequest,
                lambda one: v2.DecryptResponse(plaintext=one.ciphertext[::-1]),
            ),
        },
    }
    server.add_generic_rpc_handlers(
        tuple(grpc.method_handlers_generic_handler(*service) for service in services.items())
    )
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(serve_plugin(sys.argv[1]))

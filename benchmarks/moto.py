"""moto's KMS server, which the emulator is measured beside."""

import base64
import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from acksim.listeners import free_port
from benchmarks.load import Target

_START_SECONDS = 60
_HEADERS = {
    "Content-Type": "application/x-amz-json-1.1",
    "Authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/kms/aws4_request, "
    "SignedHeaders=host, Signature=x",
}


@contextmanager
def moto_server(peers: str) -> Iterator[int]:
    """Its port. `peers`: the interpreter that has moto."""
    port = free_port()
    server = subprocess.Popen(
        [peers, "-m", "moto.server", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(port):
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("moto's server did not start")
            time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait()


def moto_target(port: int, action: str) -> Target:
    """Encrypt, Decrypt or GenerateDataKey under a key of its own; it checks no signature."""
    key_id = _call(port, "CreateKey")["KeyMetadata"]["KeyId"]
    plaintext = base64.b64encode(bytes(32)).decode()
    parameters = {
        "Encrypt": {"KeyId": key_id, "Plaintext": plaintext},
        "GenerateDataKey": {"KeyId": key_id, "KeySpec": "AES_256"},
        "Decrypt": {
            "CiphertextBlob": _call(port, "Encrypt", KeyId=key_id, Plaintext=plaintext)[
                "CiphertextBlob"
            ]
        },
    }
    body = json.dumps(parameters[action]).encode()
    headers = {
        "Host": f"127.0.0.1:{port}",
        "X-Amz-Target": f"TrentService.{action}",
        "Content-Length": str(len(body)),
        **_HEADERS,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"POST / HTTP/1.1\r\n{head}\r\n".encode() + body
    return Target("127.0.0.1", port, lambda _: request)


def _call(port: int, action: str, **parameters: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/",
        data=json.dumps(parameters).encode(),
        headers={"X-Amz-Target": f"TrentService.{action}", **_HEADERS},
    )
    with urllib.request.urlopen(request) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/data.json").close()
    except OSError:
        return False
    return True

"""uvicorn answering the same few bytes to everyone: what no emulator behind it can exceed."""

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import Receive, Scope, Send

from acksim.listeners import free_port

_START_SECONDS = 30
_BODY = b"x" * 300
_HEADERS = [
    (b"content-type", b"application/json;charset=utf-8"),
    (b"content-length", b"%d" % len(_BODY)),
    (b"x-acs-request-id", b"0" * 36),
]


async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _BODY})


@contextmanager
def bare_server() -> Iterator[int]:
    """Its port."""
    port = free_port()
    words = ["-m", "uvicorn", "--port", str(port), "--http", "httptools", "--lifespan", "off"]
    server = subprocess.Popen(
        [sys.executable, *words, "--no-access-log", "--log-level", "error", "benchmarks.bare:app"]
    )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(port):
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("uvicorn did not start")
            time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait()


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/").close()
    except OSError:
        return False
    return True

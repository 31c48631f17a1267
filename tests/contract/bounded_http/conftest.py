"""One small application behind the bounded server, with limits that a test can wait for."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from acksim.ack.pki import LocalAuthority
from bounded_http.limits import Limits
from bounded_http.server import BoundedServer
from tests.patience import PATIENCE

SHORT = Limits(
    head_bytes=64 * 1024,
    head_fields=200,
    handshake_seconds=1.0,
    head_seconds=1.0,
    idle_seconds=2.0,
    body_seconds=1.0,
    unread_seconds=1.0,
    farewell_seconds=1.0,
    unwanted_bytes=1024 * 1024,
    connections=2000,
)


SLOW: list[object] = []
"""Who has asked for /slow."""


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with its method, path, length of query and body; /large with 64 MiB."""
    if scope["type"] != "http":
        return
    size, more = 0, scope["path"] != "/unread"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    if scope["path"] == "/slow":
        SLOW.append(scope["client"])
        await asyncio.sleep(4)
    words = f"{scope['method']} {scope['path']} {len(scope['query_string'])} {size}"
    body = b"x" * (64 << 20) if scope["path"] == "/large" else words.encode()
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def refusal(status: HTTPStatus, message: str) -> tuple[bytes, bytes]:
    return b"text/plain", f"{status.value}: {message}".encode()


class Door:
    """A listener and how to connect to it."""

    def __init__(self, port: int, context: ssl.SSLContext | None) -> None:
        self.port = port
        self._context = context

    def connect(self, timeout: float = PATIENCE) -> socket.socket:
        plain = self.connect_plainly(timeout)
        if self._context is None:
            return plain
        return self._context.wrap_socket(plain, server_hostname="127.0.0.1")

    def connect_plainly(self, timeout: float = PATIENCE) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def ask(self, *pieces: bytes) -> bytes:
        """What comes back until the server closes."""
        with self.connect() as connection:
            for piece in pieces:
                connection.sendall(piece)
            return rest_of(connection)


def rest_of(connection: socket.socket) -> bytes:
    """All that comes until the other side closes, in whichever way."""
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
    except (ConnectionError, ssl.SSLError):
        pass
    return received


@contextmanager
def serving(limits: Limits, authority: LocalAuthority | None = None) -> Iterator[Door]:
    files = authority.server_files(()) if authority else None
    ready, ports = threading.Event(), list[int]()

    def started(port: int) -> None:
        ports.append(port)
        ready.set()

    server = BoundedServer(
        app,
        refusal=refusal,
        limits=limits,
        lifespan=False,
        certificate=(files.certificate, files.private_key) if files else None,
        ready=started,
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert ready.wait(PATIENCE)
        context = ssl.create_default_context(cafile=str(files.authority)) if files else None
        yield Door(ports[0], context)
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
    assert not thread.is_alive()


@pytest.fixture(scope="module", params=["http", "https"])
def door(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Door]:
    secure = request.param == "https"
    authority = LocalAuthority(_private(tmp_path_factory.mktemp("pki"))) if secure else None
    with serving(SHORT, authority) as opened:
        yield opened


def _private(folder: Path) -> Path:
    folder.chmod(0o700)
    return folder

"""Every port of a world, and both services alone: each is bounded, and says so in its own words."""

import os
import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest

from acksim.clients.world import World
from bounded_http.limits import Limits
from tests.contract.bounded_http.conftest import rest_of
from tests.contract.bounded_http.test_bounds import body, status
from tests.patience import PATIENCE
from tests.processor_time import used_by

ROOT = Path(__file__).parents[3]
CODES: Mapping[str, str] = {
    "http": "Code",
    "https": "Code",
    "kubernetes": "reason",
    "control": "code",
    "kms alone": "Code",
    "api server alone": "reason",
}


class Port:
    """One listener; ``code`` is the field of its errors that names them."""

    def __init__(self, url: str, ca: str, code: str) -> None:
        self._url, self._ca, self.code = urlsplit(url), ca, code

    def connect(self) -> socket.socket:
        assert self._url.port is not None
        plain = socket.create_connection(("127.0.0.1", self._url.port), PATIENCE)
        if self._url.scheme == "http":
            return plain
        return ssl.create_default_context(cafile=self._ca).wrap_socket(
            plain, server_hostname="127.0.0.1"
        )

    def ask(self, sent: bytes) -> bytes:
        with self.connect() as connection:
            with suppress(ConnectionError, ssl.SSLError):  # refused before all of it was sent
                connection.sendall(sent)
            return rest_of(connection)

    def is_served(self) -> float:
        """Seconds that the servers work while a health check waits; it must succeed."""
        began = used_by(os.getpid())
        close = b"Host: 127.0.0.1\r\nConnection: close\r\n\r\n"
        assert status(self.ask(b"GET /healthz HTTP/1.1\r\n" + close)) == 200
        return used_by(os.getpid()) - began


@contextmanager
def _started(*arguments: str) -> Iterator[str]:
    """Run a service alone and return its URL."""
    command = [sys.executable, "-m", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.search(r"https?://127\.0\.0\.1:\d+", line):
                    yield found[0]
                    break
        finally:
            process.terminate()
            process.wait(PATIENCE)


@pytest.fixture(scope="module")
def ports(acksim: World) -> Iterator[Mapping[str, Port]]:
    facts = acksim.facts
    etcd = f"--etcd={facts.etcd[0]}"
    with (
        _started("kms_emulator", "--port=0") as kms,
        _started(
            "apiserver_shim", etcd, "--etcd-prefix=/alone", "--listen=127.0.0.1:0"
        ) as apiserver,
    ):
        urls = (facts.endpoint, facts.tls_endpoint, facts.kubernetes, facts.control, kms, apiserver)
        yield {
            name: Port(url, facts.ca, code)
            for (name, code), url in zip(CODES.items(), urls, strict=True)
        }


@pytest.fixture(params=list(CODES))
def port(ports: Mapping[str, Port], request: pytest.FixtureRequest) -> Port:
    return ports[request.param]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nX: " + b"x" * 300_000 + b"\r\n", 431, id="a long header"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 1200, 431, id="many headers"),
        pytest.param(b"GET /?" + b"x" * 300_000 + b" HTTP/1.1\r\n", 431, id="a long query"),
        pytest.param(b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n", 414, id="a long path"),
        pytest.param(b"get / HTTP/1.1\r\n", 405, id="small letters"),
        pytest.param(b"BREW / HTTP/1.1\r\n", 405, id="an unknown method"),
        pytest.param(b"CONNECT a:1 HTTP/1.1\r\n", 405, id="CONNECT"),
        pytest.param(b"hello\r\n", 400, id="no HTTP"),
        pytest.param(b"GET / HTTP/1.1\r\nContent-Length: x\r\n", 400, id="no length"),
    ],
)
def test_a_request_that_is_none_is_refused_in_the_words_of_the_port(
    port: Port, sent: bytes, code: int
) -> None:
    answer = port.ask(sent + b"Host: 127.0.0.1\r\n\r\n")
    assert status(answer) == code
    assert orjson.loads(body(answer))[port.code]


def test_a_body_larger_than_any_is_refused(port: Port) -> None:
    head = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    with port.connect() as connection:
        connection.sendall(head + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 80 + b"0\r\n\r\n")
        assert 400 <= status(connection.recv(65536)) < 500
    assert port.is_served() < 3


def test_50_mb_of_header_stall_nobody(port: Port) -> None:
    waits = []

    def send() -> None:
        with port.connect() as connection, suppress(ConnectionError, ssl.SSLError):
            connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 50_000_000)

    sender = threading.Thread(target=send)
    sender.start()
    while True:
        waits.append(port.is_served())
        if not sender.is_alive():
            break
    sender.join()
    assert max(waits) < 3


def test_who_never_finishes_is_closed_on_every_port(ports: Mapping[str, Port]) -> None:
    """At once on all, as it takes their real limits: 32 s for heads, 60 for bodies."""
    half_a_head = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "
    half_a_body = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nx"
    with ExitStack() as stack:
        waiting = []
        for port in ports.values():
            for sent in (b"", half_a_head, half_a_body):
                connection = stack.enter_context(port.connect())
                connection.settimeout(PATIENCE)
                connection.sendall(sent)
                waiting.append(connection)
        assert max(port.is_served() for port in ports.values()) < 3
        for connection in waiting:
            rest_of(connection)


def test_200_slow_clients_keep_nobody_out(port: Port) -> None:
    with ExitStack() as stack:
        for _ in range(200):
            slow = stack.enter_context(port.connect())
            slow.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        assert port.is_served() < 3


def test_the_page_on_security_has_every_limit() -> None:
    page = (ROOT / "docs/security.md").read_text()
    for field in fields(Limits):
        row = next(line for line in page.splitlines() if f"`{field.name}`" in line)
        value = field.default
        assert isinstance(value, int | float)
        if field.name.endswith("bytes"):
            shown = f"{int(value) >> 20} MiB" if value >= 1 << 20 else f"{int(value) >> 10} KiB"
        else:
            shown = f"{value:g} s" if field.name.endswith("seconds") else f"{value:,}"
        assert shown in row, field.name

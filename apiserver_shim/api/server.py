"""HTTPS with optional client certificates, and a shutdown that does not wait for watches."""

import gc
import ssl
from asyncio import Runner, Transport
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

KEEP_ALIVE_SECONDS = 75
SHUTDOWN_SECONDS = 5
_FAREWELL_SECONDS = 0.3
_LONG = 1 << 16  # no use in copying this
_ALLOCATIONS_A_COLLECTION = 10_000
# not that of "100 Continue", which the client waits for before it sends a body
_FINAL_HEAD = tuple(b"HTTP/1.1 %d" % hundred for hundred in (2, 3, 4, 5))


class JoinedHead:
    """A transport that sends an answer's head with what follows it: one packet, one system call.

    uvicorn writes the two apart, but always both: even an empty body is written.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._head = b""

    def write(self, data: bytes) -> None:
        head, self._head = self._head, b""
        if not head and data.startswith(_FINAL_HEAD):
            self._head = data
        elif head and len(data) > _LONG:
            self._transport.write(head)
            self._transport.write(data)
        else:
            self._transport.write(head + data)

    def close(self) -> None:
        if self._head:
            self._transport.write(self._head)
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class ClientCertificateProtocol(HttpToolsProtocol):
    """Puts the verified client certificate into each request's scope, as the ASGI TLS extension.

    ``scope["extensions"]["tls"]["client_cert"]`` is ``ssl.SSLSocket.getpeercert``'s mapping.
    """

    _tls: dict[str, Any]

    def connection_made(self, transport: Any) -> None:
        super().connection_made(cast("Transport", JoinedHead(transport)))
        self.access_log = False  # whatever the root logger does: requests are audit's business
        connection = transport.get_extra_info("ssl_object")
        certificate = connection.getpeercert() if connection is not None else None
        self._tls = {"tls": {"client_cert": certificate}} if certificate else {}

    def on_message_begin(self) -> None:
        super().on_message_begin()
        # a copy: what one request's application adds is not the next one's business
        self.scope["extensions"] = dict(self._tls)

    def shutdown(self) -> None:
        # watches are told to end; a server that waited for them would wait for an hour
        stopping = self.app_state.get("stopping")
        if stopping is not None:
            stopping.set()
        super().shutdown()
        self.loop.call_later(_FAREWELL_SECONDS, self._abandon)

    def _abandon(self) -> None:
        """Drop a connection whose client does not answer TLS's goodbye; most idle ones do not."""
        if getattr(self.cycle, "response_complete", True):
            self.transport.abort()
        else:
            self.loop.call_later(_FAREWELL_SECONDS, self._abandon)


class _Server(uvicorn.Server):
    """Says on which port it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[int], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready(self.servers[0].sockets[0].getsockname()[1])


def make_server(
    app: ASGIApp,
    *,
    address: tuple[str, int],
    certificate: tuple[Path, Path] | None,
    client_ca: Path | None,
    ready: Callable[[int], None],
) -> uvicorn.Server:
    """Return a server for ``address`` (port 0: any free one), not yet running.

    ``certificate`` is (chain, key) in PEM; without it the server speaks plain HTTP. Await
    ``serve()``; set ``should_exit`` to end it.
    """
    chain, key = certificate or (None, None)
    config = uvicorn.Config(
        app,
        host=address[0],
        port=address[1],
        http=ClientCertificateProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ssl_certfile=chain,
        ssl_keyfile=key,
        ssl_ca_certs=None if client_ca is None else str(client_ca),
        ssl_cert_reqs=ssl.CERT_NONE if client_ca is None else ssl.CERT_OPTIONAL,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    return _Server(config, ready)


def settle() -> None:
    """Leave what a started process keeps for ever out of garbage collection, and collect less.

    Every full collection would walk through all modules: some 30 ms, and a tenth of all time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS_A_COLLECTION, 20, 20)


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run ``main`` on the fastest event loop there is."""
    factory = uvicorn.Config("", log_config=None).get_loop_factory()
    with Runner(loop_factory=factory) as runner:
        runner.run(main)


async def serve(
    app: ASGIApp,
    *,
    address: tuple[str, int],
    certificate: tuple[Path, Path] | None,
    client_ca: Path | None,
    ready: Callable[[int], None],
) -> None:
    """Serve until a signal or cancellation; ``ready`` is called with the port."""

    def started(port: int) -> None:
        settle()
        ready(port)

    server = make_server(
        app, address=address, certificate=certificate, client_ca=client_ca, ready=started
    )
    await server.serve()

"""HTTPS with optional client certificates, and a shutdown that does not wait for watches."""

import gc
from asyncio import Runner
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from apiserver_shim.api import negotiation, status
from bounded_http.limits import Limits
from bounded_http.protocol import BoundedProtocol
from bounded_http.server import BoundedServer

SHUTDOWN_SECONDS = 5
_FAREWELL_SECONDS = 0.3
_ALLOCATIONS_A_COLLECTION = 10_000
_REASONS = {
    HTTPStatus.BAD_REQUEST: "BadRequest",
    HTTPStatus.METHOD_NOT_ALLOWED: "MethodNotAllowed",
    HTTPStatus.REQUEST_TIMEOUT: "Timeout",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "RequestEntityTooLarge",
    HTTPStatus.REQUEST_URI_TOO_LONG: "RequestEntityTooLarge",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "RequestEntityTooLarge",
    HTTPStatus.SERVICE_UNAVAILABLE: "ServiceUnavailable",
}


class ClientCertificateProtocol(BoundedProtocol):
    """Puts the verified client certificate into each request's scope, as the ASGI TLS extension.

    ``scope["extensions"]["tls"]["client_cert"]`` is ``ssl.SSLSocket.getpeercert``'s mapping.
    """

    _tls: dict[str, Any]

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        connection = transport.get_extra_info("ssl_object")
        certificate = connection.getpeercert() if connection is not None else None
        self._tls = {"tls": {"client_cert": certificate}} if certificate else {}

    def on_headers_complete(self) -> None:
        # a copy: what one request's application adds is not the next one's business
        self.scope["extensions"] = dict(self._tls)
        super().on_headers_complete()

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


def refusal(code: HTTPStatus, message: str) -> tuple[bytes, bytes]:
    """Say as a Status why a request never reached the API; returns (content type, body)."""
    found = status.failure(code, _REASONS.get(code, ""), message)
    return negotiation.JSON.encode(), negotiation.encode_json(found)


def make_server(
    app: ASGIApp,
    *,
    address: tuple[str, int],
    certificate: tuple[Path, Path] | None,
    client_ca: Path | None,
    ready: Callable[[int], None],
    limits: Limits | None = None,
) -> uvicorn.Server:
    """Return a server for ``address`` (port 0: any free one), not yet running.

    ``certificate`` is (chain, key) in PEM; without it the server speaks plain HTTP. Await
    ``serve()``, which raises OSError where it cannot listen; set ``should_exit`` to end it.
    """
    return BoundedServer(
        app,
        refusal=refusal,
        limits=limits,
        protocol=ClientCertificateProtocol,
        certificate=certificate,
        client_ca=client_ca,
        address=address,
        shutdown_seconds=SHUTDOWN_SECONDS,
        ready=ready,
    )


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

"""uvicorn's server over the bounded protocol."""

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from socket import socket
from ssl import CERT_NONE, CERT_OPTIONAL
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from bounded_http.limits import Limits, raise_file_limit
from bounded_http.protocol import BoundedProtocol, Refusal

_TICKS_A_CHECK = 10  # uvicorn's tick is a tenth of a second
_FAILED = 3  # uvicorn's own exit status


class BoundedServer(uvicorn.Server):
    """A server of ``app`` within ``limits``; ``serve(sockets)`` runs it, ``should_exit`` ends it.

    ``certificate`` is (chain, key) in PEM, without it the server speaks plain HTTP; certificates
    of clients are asked for where there is a ``client_ca``. ``ready`` is called with the port.
    """

    def __init__(  # noqa: PLR0913 - what uvicorn's Config takes, and our own
        self,
        app: ASGIApp,
        *,
        refusal: Refusal,
        limits: Limits | None = None,
        protocol: type[BoundedProtocol] = BoundedProtocol,
        certificate: tuple[Path | str, Path | str] | None = None,
        client_ca: Path | None = None,
        address: tuple[str, int] = ("127.0.0.1", 0),
        lifespan: bool = True,
        shutdown_seconds: int = 3,
        ready: Callable[[int], None] = lambda _: None,
    ) -> None:
        limits = limits or Limits()
        chain, key = certificate or (None, None)
        bounded = partial(
            protocol, limits=limits, most=raise_file_limit(limits.connections), refusal=refusal
        )
        config = uvicorn.Config(
            app,
            host=address[0],
            port=address[1],
            http=cast("type[asyncio.Protocol]", bounded),
            ws="none",
            lifespan="on" if lifespan else "off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            ssl_certfile=chain,
            ssl_keyfile=key,
            ssl_ca_certs=None if client_ca is None else str(client_ca),
            ssl_cert_reqs=CERT_NONE if client_ca is None else CERT_OPTIONAL,
            timeout_graceful_shutdown=shutdown_seconds,
        )
        super().__init__(config)
        self._limits = limits
        self._ready = ready

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Listen; raises OSError where that cannot be (uvicorn's would end the process)."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(_FAILED)
        try:
            if sockets is None:
                self.servers = [await self._listen(host=self.config.host, port=self.config.port)]
            else:
                self.servers = [await self._listen(sock=listening) for listening in sockets]
        except OSError:
            await self.lifespan.shutdown()
            raise
        self.started = True
        self._ready(self.servers[0].sockets[0].getsockname()[1])

    async def _listen(self, **place: Any) -> asyncio.Server:
        config, limits = self.config, self._limits
        options: dict[str, Any] = {"backlog": config.backlog, **place}
        if config.ssl is not None:
            options |= {
                "ssl": config.ssl,
                "ssl_handshake_timeout": limits.handshake_seconds,
            }
        return await asyncio.get_running_loop().create_server(self._protocol, **options)

    def _protocol(self) -> asyncio.Protocol:
        make = cast("Callable[..., asyncio.Protocol]", self.config.http_protocol_class)
        return make(
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_A_CHECK == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                cast("BoundedProtocol", connection).check(now)
        return await super().on_tick(counter)

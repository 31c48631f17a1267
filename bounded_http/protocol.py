"""uvicorn's HTTP/1.1 protocol with bounds on what a connection may send, keep and wait for."""

import asyncio
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Literal, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from bounded_http.joined_head import JoinedHead
from bounded_http.limits import Limits

Refusal = Callable[[HTTPStatus, str], tuple[bytes, bytes]]
"""(status, what is wrong) to (content type, body) in the words of the API that is served."""

_Wait = Literal["head", "body", "idle", "reader", "farewell", "application"]

_LONGEST_PARSED_URL = 65535  # httptools counts its places in 16 bits
_FRAMING = (b"content-length", b"transfer-encoding")
_MADE_ROOM = 20  # a twentieth of all connections goes at once: to look for them costs time

_TLS_FAREWELL_SECONDS = 0.2
_NOT_HTTP = "the request is not valid HTTP/1.1"
_WITHOUT_UPGRADE = b"POST / HTTP/1.1\r\n"
_is_method = re.compile(rb"[A-Za-z][-_A-Za-z0-9]* [/*h]").match


class BoundedProtocol(HttpToolsProtocol):
    """One connection.

    Nothing is timed while requests are served: the server looks at each connection every second
    (``check``) and notes since when it has been waiting for the same thing.
    """

    transport: JoinedHead  # type: ignore[assignment]
    cycle: RequestResponseCycle | None  # type: ignore[assignment]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: Limits,
        most: int,
        refusal: Refusal,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.access_log = False  # each service has a log of its own for that
        self._limits = limits
        self._most = most
        self._refusal = refusal
        self._reading: Literal["", "head", "body"] = ""
        self._piece = 0  # the length of what is being read
        self._first_piece = 0  # of the piece in which a head begins, maybe behind much else
        self._head_bytes = 0  # of the pieces after it
        self._body_bytes = 0
        self._unwanted = 0
        self._resuming = False
        self._refused = False
        self._waited: tuple[_Wait, object, int] = ("head", None, 0)
        self._since = self.loop.time()

    # --- what arrives

    def connection_made(self, transport: Any) -> None:
        super().connection_made(cast("asyncio.Transport", JoinedHead(transport)))
        if len(self.connections) > self._most and not self._make_room():
            self._refused = True
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections; try again later")
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        self._piece = len(data)
        if self._refused:
            self._ignore(self._piece)
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._go_on(data[upgrade.args[0] :])
        except httptools.HttpParserInvalidMethodError:
            if _is_method(data):
                message = "the method of the request is not known here; methods are in capitals"
                self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, message)
            else:
                self._refuse(HTTPStatus.BAD_REQUEST, _NOT_HTTP)
        except httptools.HttpParserError:
            self._refuse(HTTPStatus.BAD_REQUEST, _NOT_HTTP)
        else:
            if self._reading == "head":
                self._head_bytes += self._piece
                if self._head_bytes > self._limits.head_bytes:
                    self._refuse_head()

    def _go_on(self, rest: bytes) -> None:
        """Read on after a request that asked for another protocol, which it does not get.

        The parser leaves such a request at the end of its head, and its body unread. It takes
        up the body behind a head that says no more than how long it is.
        """
        if self._refused:
            return
        framing = [b"%b: %b\r\n" % header for header in self.headers if header[0] in _FRAMING]
        if framing and self.cycle is not None:
            self.cycle.more_body = True
            self._resuming = True
            try:
                self.parser.feed_data(b"".join((_WITHOUT_UPGRADE, *framing, b"\r\n")))
            finally:
                self._resuming = False
        if rest:
            self.data_received(rest)

    # --- what the parser finds

    def on_message_begin(self) -> None:
        if self._resuming:
            return
        super().on_message_begin()
        self._reading = "head"
        self._first_piece, self._head_bytes = self._piece, -self._piece
        self._body_bytes = 0

    def on_url(self, url: bytes) -> None:
        if not self._resuming:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._resuming or self._reading != "head":  # trailers are nobody's business
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._refused or self._resuming:
            self._reading = "body"
            return
        if self._is_head_too_large():
            self._refuse_head()
            return
        if self.parser.get_method() == b"CONNECT":
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "this is no proxy: CONNECT is not served")
            return
        if len(self.url) <= _LONGEST_PARSED_URL:
            super().on_headers_complete()
            self._reading = "body"
            return
        self.url, _, query = self.url.partition(b"#")[0].partition(b"?")
        if len(self.url) > _LONGEST_PARSED_URL:
            self._refuse(HTTPStatus.REQUEST_URI_TOO_LONG, "the path of the request is too long")
            return
        super().on_headers_complete()
        self._reading = "body"
        # its application starts when this piece has been read
        self.scope["query_string"] = query

    def _is_head_too_large(self) -> bool:
        if len(self.headers) > self._limits.head_fields:
            return True
        if self._first_piece + self._head_bytes + self._piece <= self._limits.head_bytes:
            return False  # as nearly always: there is no need to count
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        return size > self._limits.head_bytes

    def on_body(self, body: bytes) -> None:
        if self._refused or self.cycle is None:
            return
        super().on_body(body)
        self._body_bytes += len(body)
        if self.cycle.response_complete:
            self._ignore(len(body))
        elif self._body_bytes > self._limits.body_bytes:
            self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the body is larger than {self._limits.body_bytes} bytes",
            )

    def _ignore(self, size: int) -> None:
        self._unwanted += size
        if self._unwanted > self._limits.unwanted_bytes:
            self.transport.abort()

    def on_message_complete(self) -> None:
        self._reading = ""
        if not self._refused:
            super().on_message_complete()

    # --- what is answered

    def on_response_complete(self) -> None:
        """Go on with the next request (uvicorn would also set a timer for each)."""
        self.server_state.total_requests += 1
        self.transport.flush()
        if self.transport.is_closing():
            return
        self._unwanted = 0
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)

    def _refuse_head(self) -> None:
        limits = self._limits
        self._refuse(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"the request line and headers are larger than {limits.head_bytes} bytes, or more than "
            f"{limits.head_fields} headers; send long parameters in the body",
        )

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        """Answer in the application's place, and read no more of this connection."""
        if self._refused:
            return
        self._refused = True
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            self._answer(status, message)
        elif self.pipeline or self._reading != "body":
            # those before it are answered; this one was not understood
            self.pipeline.clear()
            cycle.keep_alive = False
            return
        else:
            # it is this one's body that is wrong, and its application waits for it
            if not cycle.response_started:
                self._answer(status, message)
            cycle.disconnected = True
            cycle.message_event.set()
        self._end()

    def _answer(self, status: HTTPStatus, message: str) -> None:
        content_type, body = self._refusal(status, message)
        headers = (
            *self.server_state.default_headers,
            (b"content-type", content_type),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        )
        head = b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode())
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        self.transport.write(head + lines + b"\r\n")
        self.transport.write(body)

    def _end(self) -> None:
        """Close once the client has read what it was told.

        To close with bytes unread would take the answer from a client that is still sending.
        """
        self._refused = True
        self.flow.resume_reading()  # a body's application may have let it wait
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:  # TLS has no half-closed connections, and once it is closed nothing is counted
            self.loop.call_later(_TLS_FAREWELL_SECONDS, self.transport.close)

    # --- how long it takes

    def check(self, now: float) -> None:
        """End this connection if it has waited too long; called about once a second."""
        waits = self._waits_for()
        if waits != self._waited:
            self._waited, self._since = waits, now
            return
        what, waited, limits = waits[0], now - self._since, self._limits
        if what == "farewell" and waited >= limits.farewell_seconds:
            self.transport.abort()
        elif what == "idle" and waited >= limits.idle_seconds:
            self.transport.close()
        elif what == "reader" and waited >= limits.unread_seconds:
            self.transport.abort()
        elif what == "head" and waited >= limits.head_seconds:
            self._late("its headers", limits.head_seconds)
        elif what == "body" and waited >= limits.body_seconds:
            self._late("its body", limits.body_seconds)

    def _waits_for(self) -> tuple[_Wait, object, int]:
        """Return what for, for which request, and how far it has come."""
        cycle = self.cycle
        if self.transport.is_closing() or (self._refused and not self._is_answering()):
            left = self.transport.get_write_buffer_size()
            return ("reader" if left else "farewell"), None, left
        if self.flow.write_paused:
            return "reader", cycle, self.transport.get_write_buffer_size()
        if self._reading == "body" or (self._reading == "head" and not self._is_answering()):
            return self._reading, cycle, 0
        if cycle is None:
            return "head", None, 0
        return ("application" if self._is_answering() else "idle"), cycle, 0

    def _is_answering(self) -> bool:
        cycle = self.cycle
        return cycle is not None and not (cycle.response_complete or cycle.disconnected)

    def _late(self, what: str, seconds: float) -> None:
        if self._reading == "head" or (self._reading == "body" and self._is_answering()):
            message = f"the request did not arrive in time: {what} took over {seconds:g} seconds"
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, message)
        else:
            self.transport.close()

    def _make_room(self) -> bool:
        """Close those that have waited longest for a request; False if all are busy."""
        waiting = [
            connection
            for connection in self.connections
            if isinstance(connection, BoundedProtocol)
            and connection is not self
            and connection.is_waiting
        ]
        waiting.sort(key=lambda connection: connection._since)
        oldest = waiting[: self._most // _MADE_ROOM + 1]
        for connection in oldest:
            self.connections.discard(connection)
            connection.transport.close()
        return bool(oldest)

    @property
    def is_waiting(self) -> bool:
        """Tell whether no request of this connection is under way."""
        return self._reading != "body" and not self._is_answering() and not self._refused

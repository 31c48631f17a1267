"""An HTTP request as the Alibaba edge sees it: raw enough to verify, merged enough to dispatch."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from kms_emulator.errors import ClientGoneError, ParametersUnreadableError, RequestTooLargeError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BODY_LIMIT = 1024 * 1024
_FIELD_LIMIT = 1000
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Request:
    """`path` as sent, still escaped; header names in lower case; `query` and `form` decoded."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: tuple[tuple[str, str], ...] = ()
    form: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)
    source_ip: str = ""
    secure: bool = False

    def merged(self) -> dict[str, str]:
        """Parameters by name, wherever they stood; of two with one name the first counts."""
        return dict((self.query + self.form)[::-1])


def headers_of(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


async def read_request(scope: Scope, receive: Receive) -> Request:
    """Raises RequestTooLargeError, ParametersUnreadableError, ClientGoneError."""
    headers = headers_of(scope)
    body = await _read_body(headers, receive)
    is_form = body and headers.get("content-type", "").startswith(_FORM)
    client = scope.get("client")
    return Request(
        method=scope["method"],
        path=(scope.get("raw_path") or scope["path"].encode()).decode("latin-1"),
        headers=headers,
        query=_pairs(scope["query_string"]),
        form=_pairs(body) if is_form else (),
        body=body,
        source_ip=client[0] if client else "",
        secure=scope["scheme"] == "https",
    )


async def _read_body(headers: Mapping[str, str], receive: Receive) -> bytes:
    length = headers.get("content-length", "")
    if length == "0" or (not length and "transfer-encoding" not in headers):
        return b""
    if length.isascii() and length.isdigit() and int(length) > BODY_LIMIT:
        raise RequestTooLargeError(BODY_LIMIT)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        body += message.get("body", b"")
        if len(body) > BODY_LIMIT:
            raise RequestTooLargeError(BODY_LIMIT)
        if not message.get("more_body", False):
            return bytes(body)


def _pairs(encoded: bytes) -> tuple[tuple[str, str], ...]:
    if not encoded:
        return ()
    if len(encoded) > BODY_LIMIT:
        raise RequestTooLargeError(BODY_LIMIT)
    if b"%00" in encoded or b"\0" in encoded:  # no name has it, and PostgreSQL has no text with it
        raise ParametersUnreadableError
    try:
        text = encoded.decode()
        return tuple(parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELD_LIMIT))
    except ValueError:  # not UTF-8, or more fields than any operation has
        raise ParametersUnreadableError from None

"""An HTTP request as the Alibaba edge receives it: bounded, decoded once, nothing dropped."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from alibaba_edge.errors import ClientGoneError, ParametersUnreadableError, RequestTooLargeError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Pairs = tuple[tuple[str, str], ...]

BODY_LIMIT = 1024 * 1024
_LENGTH_DIGITS = 10
_FIELD_LIMIT = 1000
_FORM = "application/x-www-form-urlencoded"
_WHITESPACE = " \t"
_PATH = re.compile(r"[\x21-\x7e]*")
_SINGLE = frozenset(
    {"authorization", "content-length", "content-md5", "content-type", "date", "host"}
)


@dataclass(frozen=True, slots=True)
class Sender:
    """Where a request came from, for the record. `host`: the name that it called us by."""

    source_ip: str = ""
    host: str = ""
    user_agent: str = ""
    secure: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """`path` as sent, still escaped; header names in lower case; `query` and `form` decoded."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: Pairs = ()
    form: Pairs = ()
    body: bytes = field(default=b"", repr=False)
    sender: Sender = field(default_factory=Sender)


def headers_of(scope: Scope) -> dict[str, str]:
    """By name; of one that came twice the last."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


async def read_request(scope: Scope, receive: Receive) -> Request:
    """Raises RequestTooLargeError, ParametersUnreadableError, ClientGoneError."""
    headers = _headers(scope["headers"])
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    if path != "/" and _PATH.fullmatch(path) is None:
        raise ParametersUnreadableError("The path has characters that must be escaped in it.")
    query = _pairs(scope["query_string"])
    body = await _read_body(headers, receive)
    client = scope.get("client")
    return Request(
        method=scope["method"],
        path=path,
        headers=headers,
        query=query,
        form=_pairs(body) if body and _is_form(headers) else (),
        body=body,
        sender=Sender(
            source_ip=client[0] if client else "",
            host=headers.get("host", ""),
            user_agent=headers.get("user-agent", ""),
            secure=scope["scheme"] == "https",
        ),
    )


def _headers(raw: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """What came twice is one list (RFC 9110, 5.3), or an error where it can be no list."""
    pairs = [(n.decode("latin-1"), v.decode("latin-1").strip(_WHITESPACE)) for n, v in raw]
    headers = dict(pairs)
    if len(headers) == len(pairs):
        return headers
    headers.clear()
    for name, value in pairs:
        if name not in headers:
            headers[name] = value
        elif name in _SINGLE or name.startswith("x-acs-"):
            raise ParametersUnreadableError(f"The header {name} may be given once only.")
        else:
            headers[name] = f"{headers[name]}, {value}"
    return headers


def _is_form(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM


async def _read_body(headers: Mapping[str, str], receive: Receive) -> bytes:
    length = headers.get("content-length", "")
    if length in {"", "0"} and "transfer-encoding" not in headers:
        return b""
    if length.isascii() and length.isdigit():
        digits = length.lstrip("0")
        if len(digits) > _LENGTH_DIGITS or int(digits or "0") > BODY_LIMIT:
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


def _pairs(encoded: bytes) -> Pairs:
    if not encoded:
        return ()
    if len(encoded) > BODY_LIMIT:
        raise RequestTooLargeError(BODY_LIMIT)
    if b"%00" in encoded or b"\0" in encoded:  # no name has it, and PostgreSQL has no text with it
        raise ParametersUnreadableError
    try:
        text = encoded.decode()
        pairs = parse_qsl(
            text, keep_blank_values=True, max_num_fields=_FIELD_LIMIT, errors="strict"
        )
    except ValueError:  # not UTF-8, or more fields than any operation has
        raise ParametersUnreadableError from None
    return tuple(pairs)

"""Answers as bytes, and the one table of HTTP statuses.

JSON, always: the new SDKs read nothing else reliably. XML only for a legacy client that asks for
it with Format=XML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote
from uuid import uuid4
from xml.sax.saxutils import escape

import orjson

from alibaba_edge.errors import ApiError
from alibaba_edge.gateway.product import Fields, Product
from alibaba_edge.request import Send

_JSON = b"application/json;charset=utf-8"
_XML = b"text/xml;charset=utf-8"
_XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_TROUBLESHOOT = "https://api.alibabacloud.com/troubleshoot"
_BAD_REQUEST = 400

_STATUSES: Mapping[str, int] = {
    "Forbidden.InDebtOverdue": 403,
    "InternalFailure": 500,
    "InvalidAccessKeyId.NotFound": 404,
    "InvalidAction.NotFound": 404,
    "InvalidRegionId.NotFound": 404,
    "NoPermission": 403,
    "RequestTooLarge": 413,
    "UnsupportedHTTPMethod": 403,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, ready to send."""

    status: int
    body: bytes
    content_type: bytes = _JSON

    async def send(self, send: Send, request_id: str) -> None:
        headers = [
            (b"content-type", self.content_type),
            (b"content-length", b"%d" % len(self.body)),
            (b"x-acs-request-id", request_id.encode()),
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def worded(error: ApiError, product: Product | None) -> ApiError:
    """The error in the product's own words, if it has any for it."""
    if product is None or error.code not in product.wording:
        return error
    wording = product.wording[error.code]
    if callable(wording):
        return wording(error)
    code, message = wording
    return ApiError(code, message, detail=error.detail)


def status_of(error: ApiError, product: Product | None) -> int:
    if product is not None and error.code in product.statuses:
        return product.statuses[error.code]
    return _STATUSES.get(error.code, _BAD_REQUEST)


def success(fields: Mapping[str, Any], *, action: str, request_id: str, xml: bool) -> Answer:
    body = {**fields, "RequestId": request_id}
    if xml:
        return Answer(200, _as_xml(f"{action}Response", body), _XML)
    return Answer(200, orjson.dumps(body))


def plain_success(fields: Fields, *, status: int) -> Answer:
    """An ROA answer: the body is all the operation's own."""
    return Answer(status, b"" if fields is None else orjson.dumps(fields))


def failure(
    error: ApiError,
    *,
    status: int,
    host: str,
    request_id: str,
    xml: bool,
    both_cases: bool = False,
) -> Answer:
    """The union of what the gateway and KMS document, so that every client finds its fields.

    `both_cases`: ROA services write the names small, and older clients read them large.
    """
    body: dict[str, Any] = {
        "HttpStatus": status,
        "RequestId": request_id,
        "HostId": host,
        "Code": error.code,
        "Message": error.message,
        "Recommend": f"{_TROUBLESHOOT}?q={quote(error.code)}",
    }
    if both_cases:
        body |= {"code": error.code, "message": error.message}
        body |= {"requestId": request_id, "status": status}
    if error.detail is not None:
        body["AccessDeniedDetail"] = dict(error.detail)
        if both_cases:
            body["accessDeniedDetail"] = dict(error.detail)
    if xml:
        return Answer(status, _as_xml("Error", body), _XML)
    return Answer(status, orjson.dumps(body))


_REFUSED: Mapping[HTTPStatus, str] = {
    HTTPStatus.METHOD_NOT_ALLOWED: "UnsupportedHTTPMethod",
    HTTPStatus.REQUEST_TIMEOUT: "RequestTimeout",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "RequestTooLarge",
    HTTPStatus.REQUEST_URI_TOO_LONG: "RequestTooLarge",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "RequestTooLarge",
    HTTPStatus.SERVICE_UNAVAILABLE: "ServiceUnavailable",
}


def refusal(status: HTTPStatus, message: str) -> tuple[bytes, bytes]:
    """Say why a request never reached the gateway; returns (content type, body)."""
    error = ApiError(_REFUSED.get(status, "InvalidRequest"), message)
    answer = failure(error, status=status, host="", request_id=str(uuid4()), xml=False)
    return answer.content_type, answer.body


def _as_xml(root: str, body: Mapping[str, Any]) -> bytes:
    return (_XML_DECLARATION + _element(root, body)).encode()


def _element(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_element(name, item) for item in value)
    if isinstance(value, Mapping):
        inner = "".join(_element(key, item) for key, item in value.items())
    elif isinstance(value, bool):
        inner = str(value).lower()
    else:
        inner = escape(str(value))
    return f"<{name}>{inner}</{name}>"

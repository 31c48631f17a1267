"""The four ways a client of Alibaba Cloud signs a request, as pure functions.

ACS3-HMAC-SHA256 ("V3 request structure and signature"), ACS4-HMAC-SHA256 (as the SDK package
alibabacloud-gateway-pop signs), RPC HMAC-SHA1 and ROA HMAC-SHA1 (aliyun-python-sdk-core). What each
covers, and what a request must then not say elsewhere, is `claim`'s business.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial

from alibaba_edge.errors import TimestampMissingError
from alibaba_edge.request import Request

Sign = Callable[[str], str]
"""From the AccessKeySecret to the signature that its owner would send."""

ACS3 = "ACS3-HMAC-SHA256"
ACS4 = "ACS4-HMAC-SHA256"

_UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_HTTP_DATE = re.compile(
    r"[A-Z][a-z]{2}, (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT", re.ASCII
)
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
_RESERVED = re.compile(rb"[^A-Za-z0-9\-._~]")
_ESCAPES = tuple(b"%%%02X" % byte for byte in range(256))


def acs_string_to_sign(request: Request, scheme: str, signed_headers: str) -> str:
    """Of `ACS3` and `ACS4`; `signed_headers` are names with `;` between, as the client lists them.

    It covers method, path, query, body and those headers.
    """
    headers, body = request.headers, request.body
    lines = [request.method, request.path, _canonical_pairs(request.query)]
    lines += [f"{name}:{headers.get(name, '')}" for name in signed_headers.split(";")]
    # The hash is of the body that came, so the header that repeats it needs no check of its own.
    lines += ["", signed_headers, hashlib.sha256(body).hexdigest() if body else _EMPTY_SHA256]
    canonical = "\n".join(lines).encode()
    return f"{scheme}\n{hashlib.sha256(canonical).hexdigest()}"


def acs3_sign(string_to_sign: str) -> Sign:
    return partial(_acs3, string_to_sign=string_to_sign)


def acs4_sign(string_to_sign: str, scope: tuple[str, ...]) -> Sign:
    """`scope`: date, region, product and terminator, as the client scoped its key."""
    return partial(_acs4, string_to_sign=string_to_sign, scope=scope)


def rpc_string_to_sign(request: Request) -> str:
    """It covers the method and every parameter of query and form; no path and no header."""
    signed = (pair for pair in request.query + request.form if pair[0] != "Signature")
    return f"{request.method}&%2F&{escape(_canonical_pairs(signed))}"


def rpc_sign(string_to_sign: str) -> Sign:
    return partial(_sha1, string_to_sign=string_to_sign, suffix="&")


def roa_string_to_sign(request: Request) -> str:
    """It covers method, path, query, four headers and all x-acs-*; of a body its Content-MD5."""
    headers = request.headers
    lines = [request.method]
    lines += [headers.get(n, "") for n in ("accept", "content-md5", "content-type", "date")]
    lines += [f"{name}:{headers[name]}" for name in sorted(headers) if name.startswith("x-acs-")]
    # Here the query is signed as it reads, not as it is escaped; an empty value leaves no "=".
    query = "&".join(f"{n}={v}" if v else n for n, v in sorted(request.query))
    lines.append(f"{request.path}?{query}" if query else request.path)
    return "\n".join(lines)


def roa_sign(string_to_sign: str) -> Sign:
    return partial(_sha1, string_to_sign=string_to_sign, suffix="")


def content_md5(body: bytes) -> str:
    return b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def _acs3(secret: str, *, string_to_sign: str) -> str:
    return hmac.digest(secret.encode(), string_to_sign.encode(), "sha256").hex()


def _acs4(secret: str, *, string_to_sign: str, scope: tuple[str, ...]) -> str:
    key = f"aliyun_v4{secret}".encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, string_to_sign.encode(), "sha256").hex()


def _sha1(secret: str, *, string_to_sign: str, suffix: str) -> str:
    digest = hmac.digest((secret + suffix).encode(), string_to_sign.encode(), "sha1")
    return b64encode(digest).decode()


def _canonical_pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return "&".join([f"{escape(name)}={escape(value)}" for name, value in sorted(pairs)])


def escape(text: str) -> str:
    """RFC 3986 percent-encoding of everything but unreserved characters."""
    return _RESERVED.sub(lambda found: _ESCAPES[found[0][0]], text.encode()).decode()


def utc_time(text: str) -> datetime:
    """Of `2026-01-02T03:04:05Z` and nothing else; raises TimestampMissingError."""
    if _UTC_TIME.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:  # a month 13
            pass
    raise TimestampMissingError


def http_date(text: str) -> datetime:
    """Of `Fri, 02 Jan 2026 03:04:05 GMT` (RFC 9110, 5.6.7) alone; raises TimestampMissingError."""
    found = _HTTP_DATE.fullmatch(text)
    if found is not None and found[2] in _MONTHS:
        day, _, year, hour, minute, second = found.groups()
        month = _MONTHS.index(found[2]) + 1
        try:
            return datetime(
                int(year), month, int(day), int(hour), int(minute), int(second), tzinfo=UTC
            )
        except ValueError:  # a 30th of February
            pass
    raise TimestampMissingError

"""The four ways a client of Alibaba Cloud signs a request, as pure functions.

ACS3-HMAC-SHA256 ("V3 request structure and signature"), ACS4-HMAC-SHA256 (as the SDK package
alibabacloud-gateway-pop signs), RPC HMAC-SHA1 and ROA HMAC-SHA1 (aliyun-python-sdk-core).
`read_claim` finds out which one a request carries and computes what had to be signed; whether to
believe it is `authentication`'s question.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial

from kms_emulator.errors import IncompleteSignatureError, TimestampMissingError
from kms_emulator.gateway.request import Request

_HEADER_LIFETIME = timedelta(minutes=15)
# The V3 pages say 15 minutes. For RPC the old documentation says 15 and the old gateway was known
# to take 31; the larger is chosen, so that no client the cloud accepts is refused here.
_RPC_LIFETIME = timedelta(minutes=31)

_MUST_BE_SIGNED = frozenset(
    {
        "host",
        "x-acs-action",
        "x-acs-content-sha256",
        "x-acs-date",
        "x-acs-signature-nonce",
        "x-acs-version",
    }
)
_ACS3 = "ACS3-HMAC-SHA256"
_ACS4 = "ACS4-HMAC-SHA256"
_TIME_CHARACTERS = 20
_EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
_RESERVED = re.compile(rb"[^A-Za-z0-9\-._~]")
_ESCAPES = tuple(b"%%%02X" % byte for byte in range(256))

Pairs = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Claim:
    """What a signed request asserts. `sign(secret)` is the signature an honest owner would send."""

    access_key_id: str
    signature: str
    string_to_sign: str = field(repr=False)
    sign: Callable[[str], str] = field(repr=False)
    timestamp: datetime
    lifetime: timedelta
    nonce: str | None
    security_token: str | None = field(repr=False)

    def proven_by(self, secret: str) -> bool:
        expected = self.sign(secret).encode()
        return hmac.compare_digest(expected, self.signature.encode())


def read_claim(request: Request) -> Claim:
    """Raises IncompleteSignatureError, TimestampMissingError."""
    authorization = request.headers.get("authorization", "")
    scheme, _, rest = authorization.partition(" ")
    if scheme in {_ACS3, _ACS4}:
        return _read_acs(request, scheme, rest)
    if scheme == "acs":
        return _read_roa(request, rest)
    if authorization:
        raise IncompleteSignatureError
    return _read_rpc(request)


def claimed_access_key_id(request: Request) -> str | None:
    """Whose key a request names, signed or not."""
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    if scheme in {_ACS3, _ACS4}:
        return _fields(rest).get("Credential", "").partition("/")[0] or None
    if scheme == "acs":
        return rest.partition(":")[0] or None
    return request.merged().get("AccessKeyId") or None


def _read_acs(request: Request, scheme: str, rest: str) -> Claim:
    given = _fields(rest)
    headers = request.headers
    signed = given.get("SignedHeaders", "")
    if not _MUST_BE_SIGNED.issubset(signed.split(";")):
        raise IncompleteSignatureError
    access_key_id, *credential = given.get("Credential", "").split("/")
    canonical = _canonical_request(request, signed)
    string_to_sign = f"{scheme}\n{hashlib.sha256(canonical).hexdigest()}"
    if scheme == _ACS3:
        sign = partial(_sign_acs3, string_to_sign=string_to_sign)
    elif len(credential) == 4:
        sign = partial(_sign_acs4, credential=tuple(credential), string_to_sign=string_to_sign)
    else:
        raise IncompleteSignatureError
    return Claim(
        access_key_id=_present(access_key_id),
        signature=_present(given.get("Signature")),
        string_to_sign=string_to_sign,
        sign=sign,
        timestamp=_utc_time(headers.get("x-acs-date")),
        lifetime=_HEADER_LIFETIME,
        nonce=_present(headers.get("x-acs-signature-nonce")),
        security_token=headers.get("x-acs-security-token"),
    )


def _canonical_request(request: Request, signed: str) -> bytes:
    headers = request.headers
    body = request.body
    lines = [request.method, request.path, _canonical_pairs(request.query)]
    lines += [f"{name}:{headers.get(name, '').strip()}" for name in signed.split(";")]
    # The hash is of the body that came, so the header that repeats it needs no check of its own.
    lines += ["", signed, hashlib.sha256(body).hexdigest() if body else _EMPTY_SHA256]
    return "\n".join(lines).encode("utf-8", "replace")


def _sign_acs3(secret: str, *, string_to_sign: str) -> str:
    return hmac.digest(secret.encode(), string_to_sign.encode(), "sha256").hex()


def _sign_acs4(secret: str, *, credential: tuple[str, ...], string_to_sign: str) -> str:
    """`credential`: date, region, product and terminator, as the client scoped its key."""
    key = f"aliyun_v4{secret}".encode()
    for part in credential:
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, string_to_sign.encode(), "sha256").hex()


def _read_rpc(request: Request) -> Claim:
    parameters = request.merged()
    if parameters.get("SignatureMethod", "HMAC-SHA1") != "HMAC-SHA1":
        raise IncompleteSignatureError
    signed = (pair for pair in request.query + request.form if pair[0] != "Signature")
    string_to_sign = f"{request.method}&%2F&{escape(_canonical_pairs(signed))}"
    return Claim(
        access_key_id=_present(parameters.get("AccessKeyId")),
        signature=_present(parameters.get("Signature")),
        string_to_sign=string_to_sign,
        sign=partial(_sign_sha1, string_to_sign=string_to_sign, suffix="&"),
        timestamp=_utc_time(parameters.get("Timestamp")),
        lifetime=_RPC_LIFETIME,
        nonce=_present(parameters.get("SignatureNonce")),
        security_token=parameters.get("SecurityToken"),
    )


def _read_roa(request: Request, rest: str) -> Claim:
    headers = request.headers
    access_key_id, _, signature = rest.partition(":")
    digest = headers.get("content-md5")
    if digest and digest != _content_md5(request.body):  # what is signed is the header alone
        raise IncompleteSignatureError
    lines = [request.method]
    lines += [headers.get(n, "") for n in ("accept", "content-md5", "content-type", "date")]
    lines += [f"{name}:{headers[name]}" for name in sorted(headers) if name.startswith("x-acs-")]
    # Here the query is signed as it reads, not as it is escaped; an empty value leaves no "=".
    query = "&".join(f"{n}={v}" if v else n for n, v in sorted(request.query))
    lines.append(f"{request.path}?{query}" if query else request.path)
    string_to_sign = "\n".join(lines)
    return Claim(
        access_key_id=_present(access_key_id),
        signature=_present(signature),
        string_to_sign=string_to_sign,
        sign=partial(_sign_sha1, string_to_sign=string_to_sign, suffix=""),
        timestamp=_http_date(headers.get("date")),
        lifetime=_HEADER_LIFETIME,
        nonce=headers.get("x-acs-signature-nonce"),  # python-core sends none
        security_token=headers.get("x-acs-security-token"),
    )


def _content_md5(body: bytes) -> str:
    return b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def _sign_sha1(secret: str, *, string_to_sign: str, suffix: str) -> str:
    digest = hmac.digest((secret + suffix).encode(), string_to_sign.encode(), "sha1")
    return b64encode(digest).decode()


def _canonical_pairs(pairs: Pairs) -> str:
    return "&".join([f"{escape(name)}={escape(value)}" for name, value in sorted(pairs)])


def escape(text: str) -> str:
    """RFC 3986 percent-encoding of everything but unreserved characters."""
    return _RESERVED.sub(lambda found: _ESCAPES[found[0][0]], text.encode()).decode()


def _fields(text: str) -> dict[str, str]:
    """`Credential=..,SignedHeaders=..,Signature=..`"""
    return dict(part.strip().partition("=")[::2] for part in text.split(","))


def _present(text: str | None) -> str:
    if not text:
        raise IncompleteSignatureError
    return text


def _utc_time(text: str | None) -> datetime:
    """`2026-01-02T03:04:05Z`"""
    try:
        if text and len(text) == _TIME_CHARACTERS and text[-1] == "Z":
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise TimestampMissingError


def _http_date(text: str | None) -> datetime:
    try:
        return parsedate_to_datetime(text or "").astimezone(UTC)
    except ValueError:
        raise TimestampMissingError from None

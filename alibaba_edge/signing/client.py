"""Alibaba Cloud request signing, ACS3-HMAC-SHA256."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol
from urllib.parse import quote

_ALGORITHM = "ACS3-HMAC-SHA256"
_VERSION = "2016-01-20"


class AccessKey(Protocol):
    """Whose signature it is; ``security_token`` is "" for a key that lasts."""

    @property
    def access_key_id(self) -> str: ...
    @property
    def access_key_secret(self) -> str: ...
    @property
    def security_token(self) -> str: ...


def canonical_query(parameters: Mapping[str, str]) -> str:
    """Return the query string, sorted and percent-encoded (RFC 3986); send exactly this."""
    return "&".join(f"{_encode(name)}={_encode(parameters[name])}" for name in sorted(parameters))


def authorization(
    query: str,
    headers: Mapping[str, str],
    *,
    access_key_id: str,
    access_key_secret: str,
    method: str = "POST",
    path: str = "/",
) -> str:
    """Sign ``POST /?query``, say, with every one of ``headers`` (lower case).

    ``headers`` must hold host, x-acs-action, x-acs-version, x-acs-date, x-acs-content-sha256 and
    x-acs-signature-nonce.
    """
    names = sorted(headers)
    signed_headers = ";".join(names)
    canonical_headers = "".join(f"{name}:{headers[name].strip()}\n" for name in names)
    canonical_request = "\n".join(
        (method, path, query, canonical_headers, signed_headers, headers["x-acs-content-sha256"])
    )
    digest = hashlib.sha256(canonical_request.encode()).hexdigest()
    text = f"{_ALGORITHM}\n{digest}".encode()
    signature = hmac.digest(access_key_secret.encode(), text, "sha256").hex()
    return (
        f"{_ALGORITHM} Credential={access_key_id},"
        f"SignedHeaders={signed_headers},Signature={signature}"
    )


def signed_headers(  # noqa: PLR0913 - the parts of a request
    action: str,
    query: str,
    *,
    host: str,
    signed_at: datetime,
    key: AccessKey,
    version: str = _VERSION,
    method: str = "POST",
    path: str = "/",
    body: bytes = b"",
) -> dict[str, str]:
    """Return all headers of a signed ``POST /?query``, or of another method, path and JSON."""
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-version": version,
        "x-acs-date": signed_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": secrets.token_hex(16),
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
    }
    if body:
        headers["content-type"] = "application/json"
    if key.security_token:
        headers["x-acs-accesskey-id"] = key.access_key_id
        headers["x-acs-security-token"] = key.security_token
    headers["authorization"] = authorization(
        query,
        headers,
        access_key_id=key.access_key_id,
        access_key_secret=key.access_key_secret,
        method=method,
        path=path,
    )
    return headers


def _encode(text: str) -> str:
    return quote(text, safe="~")

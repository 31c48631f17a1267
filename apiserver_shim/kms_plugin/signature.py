"""Alibaba Cloud request signing, ACS3-HMAC-SHA256, as a pure function."""

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import quote

_ALGORITHM = "ACS3-HMAC-SHA256"


def canonical_query(parameters: Mapping[str, str]) -> str:
    """Return the query string, sorted and percent-encoded (RFC 3986); send exactly this."""
    return "&".join(f"{_encode(name)}={_encode(parameters[name])}" for name in sorted(parameters))


def authorization(
    query: str, headers: Mapping[str, str], *, access_key_id: str, access_key_secret: str
) -> str:
    """Sign ``POST /?query`` with every one of ``headers`` (lower case), for an empty body.

    ``headers`` must hold host, x-acs-action, x-acs-version, x-acs-date, x-acs-content-sha256 and
    x-acs-signature-nonce.
    """
    names = sorted(headers)
    signed_headers = ";".join(names)
    canonical_headers = "".join(f"{name}:{headers[name].strip()}\n" for name in names)
    canonical_request = "\n".join(
        ("POST", "/", query, canonical_headers, signed_headers, headers["x-acs-content-sha256"])
    )
    digest = hashlib.sha256(canonical_request.encode()).hexdigest()
    text = f"{_ALGORITHM}\n{digest}".encode()
    signature = hmac.digest(access_key_secret.encode(), text, "sha256").hex()
    return (
        f"{_ALGORITHM} Credential={access_key_id},"
        f"SignedHeaders={signed_headers},Signature={signature}"
    )


def _encode(text: str) -> str:
    return quote(text, safe="~")

"""Requests as an honest client signs them, in all four ways, written from the public descriptions.

A request is kept as it would stand on the wire, so that a test can alter it after it was signed.
"""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from secrets import token_hex
from typing import Literal
from urllib.parse import quote

from alibaba_edge.ports import AccessKey

Family = Literal["ACS3", "ACS4", "RPC", "ROA"]
FAMILIES: tuple[Family, ...] = ("ACS3", "ACS4", "RPC", "ROA")
Pairs = tuple[tuple[str, str], ...]
FORM = "application/x-www-form-urlencoded"
HOST = "127.0.0.1:8700"


@dataclass(frozen=True, slots=True)
class Wire:
    """A request before it is escaped; `query` and `headers` in the order of their sending."""

    method: str
    path: str
    query: Pairs = ()
    headers: Pairs = ()
    body: bytes = b""

    def header(self, name: str) -> str:
        return dict(self.headers).get(name, "")

    def with_headers(self, **more: str) -> "Wire":
        """These instead of any of their names."""
        given = {name.replace("_", "-"): value for name, value in more.items()}
        kept = tuple((n, v) for n, v in self.headers if n not in given)
        return replace(self, headers=(*kept, *given.items()))

    def without_header(self, name: str) -> "Wire":
        return replace(self, headers=tuple(pair for pair in self.headers if pair[0] != name))


@dataclass(frozen=True, slots=True)
class Ask:
    """What a client wants.

    `form`, `json` and `unlabelled` are three kinds of body, the last without a content-type.
    `region`: empty where it names none. `scope`: of ACS4, where it is not the honest one.
    """

    product: str
    version: str
    action: str
    method: str = "POST"
    path: str = "/"
    query: Pairs = ()
    form: Pairs = ()
    json: bytes = b""
    unlabelled: bytes = b""
    region: str = "cn-shanghai"
    scope: tuple[str, ...] = ()
    key: AccessKey = field(kw_only=True)


def encoded(pairs: Pairs) -> str:
    return "&".join(f"{quote(n, safe='')}={quote(v, safe='')}" for n, v in pairs)


def signed(ask: Ask, family: Family) -> Wire:
    return _SIGNERS[family](ask)


def _acs3(ask: Ask) -> Wire:
    return _acs(ask, "ACS3-HMAC-SHA256", ask.key.access_key_id, ask.key.secret.encode())


def _acs4(ask: Ask) -> Wire:
    today = _now()[:10].replace("-", "")
    scope = ask.scope or (today, ask.region or "center", ask.product, "aliyun_v4_request")
    key = f"aliyun_v4{ask.key.secret}".encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    return _acs(ask, "ACS4-HMAC-SHA256", "/".join((ask.key.access_key_id, *scope)), key)


def _acs(ask: Ask, scheme: str, credential: str, key: bytes) -> Wire:
    wire = _body(ask, Wire(ask.method, ask.path, _with_region(ask)))
    digest = hashlib.sha256(wire.body).hexdigest()
    wire = wire.with_headers(
        host=HOST,
        x_acs_action=ask.action,
        x_acs_version=ask.version,
        x_acs_date=_now(),
        x_acs_signature_nonce=token_hex(16),
        x_acs_content_sha256=digest,
        user_agent="honest",
    )
    if ask.key.security_token:
        wire = wire.with_headers(x_acs_security_token=ask.key.security_token)
    names = sorted(n for n, _ in wire.headers if n != "user-agent")
    lines = [wire.method, wire.path, encoded(tuple(sorted(wire.query)))]
    lines += [f"{name}:{wire.header(name)}" for name in names]
    lines += ["", ";".join(names), digest]
    text = f"{scheme}\n{hashlib.sha256(chr(10).join(lines).encode()).hexdigest()}"
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    return wire.with_headers(
        authorization=f"{scheme} Credential={credential},"
        f"SignedHeaders={';'.join(names)},Signature={signature}"
    )


def _rpc(ask: Ask) -> Wire:
    common = {
        "Action": ask.action,
        "Version": ask.version,
        "AccessKeyId": ask.key.access_key_id,
        "Format": "JSON",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureType": "",
        "SignatureNonce": token_hex(16),
        "Timestamp": _now(),
    }
    if ask.key.security_token:
        common["SecurityToken"] = ask.key.security_token
    query = (*_with_region(ask), *common.items())
    text = encoded(tuple(sorted(query + ask.form)))
    text = f"{ask.method}&%2F&{quote(text, safe='')}"
    signature = _sha1(ask.key.secret + "&", text)
    wire = Wire(ask.method, ask.path, (*query, ("Signature", signature)))
    return _body(ask, wire).with_headers(host=HOST, user_agent="honest")


def _roa(ask: Ask) -> Wire:
    wire = _body(ask, Wire(ask.method, ask.path, _with_region(ask)))
    wire = wire.with_headers(
        accept="application/json",
        date=format_datetime(datetime.now(UTC), usegmt=True),
        x_acs_version=ask.version,
        x_acs_action=ask.action,
        x_acs_signature_method="HMAC-SHA1",
        x_acs_signature_version="1.0",
        x_acs_signature_nonce=token_hex(16),
    )
    if wire.body:
        digest = hashlib.md5(wire.body, usedforsecurity=False).digest()
        wire = wire.with_headers(content_md5=b64encode(digest).decode())
    if ask.key.security_token:
        wire = wire.with_headers(x_acs_security_token=ask.key.security_token)
    lines = [wire.method]
    lines += [wire.header(n) for n in ("accept", "content-md5", "content-type", "date")]
    lines += [f"{n}:{v}" for n, v in sorted(wire.headers) if n.startswith("x-acs-")]
    query = "&".join(f"{n}={v}" for n, v in sorted(wire.query))
    lines.append(f"{wire.path}?{query}" if query else wire.path)
    signature = _sha1(ask.key.secret, "\n".join(lines))
    return wire.with_headers(
        host=HOST, user_agent="honest", authorization=f"acs {ask.key.access_key_id}:{signature}"
    )


_SIGNERS: dict[Family, Callable[[Ask], Wire]] = {
    "ACS3": _acs3,
    "ACS4": _acs4,
    "RPC": _rpc,
    "ROA": _roa,
}


def _with_region(ask: Ask) -> Pairs:
    return (*ask.query, ("RegionId", ask.region)) if ask.region else ask.query


def _body(ask: Ask, wire: Wire) -> Wire:
    if ask.form:
        return replace(wire, body=encoded(ask.form).encode()).with_headers(content_type=FORM)
    if ask.json:
        return replace(wire, body=ask.json).with_headers(content_type="application/json")
    return replace(wire, body=ask.unlabelled)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _sha1(key: str, text: str) -> str:
    return b64encode(hmac.digest(key.encode(), text.encode(), "sha1")).decode()

"""What a request says: read once, and all that the rest of the gateway is given of it.

Each kind of signature covers other parts of a request. Where a part is not covered, either nothing
here is read from it, or the proof is an error: so what is verified is what is run.

              method  path  query  body             headers
  ACS3, ACS4    x      x      x    x                listed ones; what means something must be
  RPC           x      -      x    of a form alone  none
  ROA           x      x      x    by Content-MD5   date, content-type, x-acs-*

In a request that is not signed all of it counts; who believes it is `authentication`'s business.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from alibaba_edge.errors import (
    ApiError,
    IncompleteSignatureError,
    ParametersUnreadableError,
    TimestampMissingError,
)
from alibaba_edge.gateway.product import Style
from alibaba_edge.request import Pairs, Request
from alibaba_edge.signing import server as signature
from alibaba_edge.signing.server import Sign

Family = Literal["ACS3", "ACS4", "RPC", "ROA", "unsigned"]

_COVERS: Mapping[Family, frozenset[Style]] = {
    "ACS3": frozenset({"RPC", "ROA"}),
    "ACS4": frozenset({"RPC", "ROA"}),
    "RPC": frozenset({"RPC"}),
    "ROA": frozenset({"ROA"}),
    "unsigned": frozenset(),
}
_HEADER_LIFETIME = timedelta(minutes=15)
# The V3 pages say 15 minutes. For RPC the old documentation says 15 and the old gateway was known
# to take 31; the larger is chosen, so that no client the cloud accepts is refused here.
LONGEST_LIFETIME = timedelta(minutes=31)

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
_SCOPE_END = "aliyun_v4_request"
_NO_REGION = "center"  # what the SDK writes where it knows none
_ROOT = frozenset({"/", ""})
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Scope:
    """What an ACS4 key was made for. `region`: None where the client knew none."""

    region: str | None
    product: str


@dataclass(frozen=True, slots=True)
class Proof:
    """Why a claim should be believed. `sign(secret)` is what an honest owner would have sent."""

    signature: str
    string_to_sign: str = field(repr=False)
    sign: Sign = field(repr=False)
    timestamp: datetime
    lifetime: timedelta
    nonce: str | None
    security_token: str | None = field(repr=False)
    scope: Scope | None = None

    def given_by(self, secret: str) -> bool:
        """Whether the owner of this AccessKeySecret signed."""
        return hmac.compare_digest(self.sign(secret).encode(), self.signature.encode())


@dataclass(frozen=True, slots=True)
class Claim:
    """One request as its client meant it.

    `parameters`: query and form by name; `query`: of the query alone, for products that read a
    body of another kind. `host`: where it may choose a region, else empty. `access_key_id`: whose
    key it names, or empty. `proof`: an error if it cannot be one.
    """

    family: Family
    version: str
    action: str
    method: str
    path: str
    parameters: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    host: str
    region_id: str | None
    access_key_id: str
    proof: Proof | ApiError

    def covers(self, style: Style) -> bool:
        """Whether its signature covers all that a product of this style reads."""
        return style in _COVERS[self.family]


def read_claim(request: Request) -> Claim:
    """Raises ParametersUnreadableError where a parameter has two values."""
    authorization = request.headers.get("authorization")
    if authorization is not None:
        scheme, _, rest = authorization.partition(" ")
        if scheme == signature.ACS3:
            return _acs(request, "ACS3", rest)
        if scheme == signature.ACS4:
            return _acs(request, "ACS4", rest)
        if scheme == "acs":
            return _roa(request, rest)
        return _unsigned(request, "The Authorization header is of no known kind.")
    if any(name == "Signature" for name, _ in request.query + request.form):
        return _rpc(request)
    return _unsigned(request, "It is not signed.")


def _unsigned(request: Request, reason: str) -> Claim:
    """Parameters and headers alike; parameters first."""
    headers = request.headers
    parameters = _by_name(request.query + request.form)
    return Claim(
        family="unsigned",
        version=parameters.get("Version") or headers.get("x-acs-version", ""),
        action=parameters.get("Action") or headers.get("x-acs-action", ""),
        method=request.method,
        path=request.path,
        parameters=parameters,
        query=_by_name(request.query),
        body=request.body,
        host=headers.get("host", ""),
        region_id=parameters.get("RegionId") or headers.get("x-acs-region-id"),
        access_key_id=parameters.get("AccessKeyId", ""),
        proof=IncompleteSignatureError(reason),
    )


def _acs(request: Request, family: Literal["ACS3", "ACS4"], rest: str) -> Claim:
    headers = request.headers
    parameters = _by_name(request.query + request.form)
    given = _fields(rest)
    access_key_id, *scope = given.get("Credential", "").split("/")
    region_id = parameters.get("RegionId") or headers.get("x-acs-region-id")
    proof = _proof_or_error(access_key_id, lambda: _acs_proof(request, family, given, tuple(scope)))
    if isinstance(proof, Proof) and proof.scope is not None:
        region_id = region_id or proof.scope.region
    return Claim(
        family=family,
        version=headers.get("x-acs-version", ""),
        action=headers.get("x-acs-action", ""),
        method=request.method,
        path=request.path,
        parameters=parameters,
        query=_by_name(request.query) if request.form else parameters,
        body=request.body,
        host=headers.get("host", ""),
        region_id=region_id,
        access_key_id=access_key_id,
        proof=proof,
    )


def _acs_proof(
    request: Request, family: Family, given: Mapping[str, str], scope: tuple[str, ...]
) -> Proof:
    headers = request.headers
    signed_headers = given.get("SignedHeaders", "")
    signed = frozenset(signed_headers.split(";"))
    unsigned = [name for name in headers if name not in signed and name.startswith("x-acs-")]
    unsigned += _MUST_BE_SIGNED - signed
    if request.body and "content-type" in headers and "content-type" not in signed:
        unsigned.append("content-type")  # it says how the body is to be read
    if unsigned:
        raise IncompleteSignatureError(f"SignedHeaders must list {unsigned[0][:_SHOWN]}.")
    date = headers.get("x-acs-date", "")
    timestamp = signature.utc_time(date)
    if family == "ACS3":
        if scope:
            raise IncompleteSignatureError("The Credential of ACS3 is an AccessKey id alone.")
        text = signature.acs_string_to_sign(request, signature.ACS3, signed_headers)
        sign, made_for = signature.acs3_sign(text), None
    else:
        made_for = _scope(scope, date)
        text = signature.acs_string_to_sign(request, signature.ACS4, signed_headers)
        sign = signature.acs4_sign(text, scope)
    return Proof(
        signature=_present(given.get("Signature"), "Signature"),
        string_to_sign=text,
        sign=sign,
        timestamp=timestamp,
        lifetime=_HEADER_LIFETIME,
        nonce=_present(headers.get("x-acs-signature-nonce"), "x-acs-signature-nonce"),
        security_token=headers.get("x-acs-security-token"),
        scope=made_for,
    )


def _scope(parts: tuple[str, ...], date: str) -> Scope:
    """`<yyyymmdd>/<region>/<product>/aliyun_v4_request`, the day that of `x-acs-date`."""
    if len(parts) != 4 or parts[0] != date[:10].replace("-", "") or parts[3] != _SCOPE_END:
        raise IncompleteSignatureError(
            "The Credential of ACS4 is AccessKeyId/yyyymmdd/region/product/aliyun_v4_request, "
            "with the day of x-acs-date."
        )
    return Scope(None if parts[1] == _NO_REGION else parts[1], parts[2])


def _rpc(request: Request) -> Claim:
    parameters = _by_name(request.query + request.form)
    access_key_id = parameters.get("AccessKeyId", "")
    return Claim(
        family="RPC",
        version=parameters.get("Version", ""),
        action=parameters.get("Action", ""),
        method=request.method,
        path=request.path,
        parameters=parameters,
        query=parameters,
        body=request.body,
        host="",
        region_id=parameters.get("RegionId"),
        access_key_id=access_key_id,
        proof=_proof_or_error(access_key_id, lambda: _rpc_proof(request, parameters)),
    )


def _rpc_proof(request: Request, parameters: Mapping[str, str]) -> Proof:
    _check_kind(
        method=parameters.get("SignatureMethod"),
        version=parameters.get("SignatureVersion"),
        type_=parameters.get("SignatureType"),
    )
    if request.path not in _ROOT:
        raise IncompleteSignatureError("A signature in the parameters is for the path / alone.")
    if request.body and not request.form:
        raise IncompleteSignatureError("A signature in the parameters is for a form as body alone.")
    text = signature.rpc_string_to_sign(request)
    return Proof(
        signature=_present(parameters.get("Signature"), "Signature"),
        string_to_sign=text,
        sign=signature.rpc_sign(text),
        timestamp=signature.utc_time(parameters.get("Timestamp", "")),
        lifetime=LONGEST_LIFETIME,
        nonce=_present(parameters.get("SignatureNonce"), "SignatureNonce"),
        security_token=parameters.get("SecurityToken"),
    )


def _roa(request: Request, rest: str) -> Claim:
    headers = request.headers
    access_key_id, _, given = rest.partition(":")
    query = _by_name(request.query)
    return Claim(
        family="ROA",
        version=headers.get("x-acs-version", ""),
        action=headers.get("x-acs-action", ""),
        method=request.method,
        path=request.path,
        parameters=query,
        query=query,
        body=request.body,
        host="",
        region_id=query.get("RegionId") or headers.get("x-acs-region-id"),
        access_key_id=access_key_id,
        proof=_proof_or_error(access_key_id, lambda: _roa_proof(request, given)),
    )


def _roa_proof(request: Request, given: str) -> Proof:
    headers = request.headers
    _check_kind(
        method=headers.get("x-acs-signature-method"),
        version=headers.get("x-acs-signature-version"),
        type_=headers.get("x-acs-signature-type"),
    )
    digest = headers.get("content-md5")  # what is signed is the header alone
    if (request.body or digest) and digest != signature.content_md5(request.body):
        raise IncompleteSignatureError("A body must be signed by its Content-MD5.")
    if any("&" in name or "=" in name or "&" in value for name, value in request.query):
        raise IncompleteSignatureError(
            "This kind of signature cannot tell an & or = in the query from the one between two "
            "parameters; use ACS3-HMAC-SHA256."
        )
    text = signature.roa_string_to_sign(request)
    return Proof(
        signature=_present(given, "the signature after AccessKeyId:"),
        string_to_sign=text,
        sign=signature.roa_sign(text),
        timestamp=signature.http_date(headers.get("date", "")),
        lifetime=_HEADER_LIFETIME,
        nonce=headers.get("x-acs-signature-nonce"),  # python-core sends none
        security_token=headers.get("x-acs-security-token"),
    )


def _check_kind(*, method: str | None, version: str | None, type_: str | None) -> None:
    """Of the two older families: what a client says of its signature, if it does."""
    if method not in {None, "HMAC-SHA1"}:
        raise IncompleteSignatureError("SignatureMethod must be HMAC-SHA1.")
    if version not in {None, "1.0"}:
        raise IncompleteSignatureError("SignatureVersion must be 1.0.")
    if type_ not in {None, ""}:
        raise IncompleteSignatureError("SignatureType must be empty.")


def _by_name(pairs: Pairs) -> dict[str, str]:
    """Signatures sort their parameters, so which of two values came first is not covered."""
    parameters = dict(pairs)
    if len(parameters) != len(pairs):
        for name, value in pairs:
            if parameters[name] != value:
                raise ParametersUnreadableError(
                    f"The parameter {name[:_SHOWN]} is given twice, with different values."
                )
    return parameters


def _proof_or_error(access_key_id: str, make: Callable[[], Proof]) -> Proof | ApiError:
    try:
        _present(access_key_id, "AccessKeyId")
        return make()
    except (IncompleteSignatureError, TimestampMissingError) as error:
        return error


def _fields(text: str) -> dict[str, str]:
    """`Credential=..,SignedHeaders=..,Signature=..`"""
    return dict(part.strip().partition("=")[::2] for part in text.split(","))


def _present(text: str | None, name: str) -> str:
    if not text:
        raise IncompleteSignatureError(f"It has no {name}.")
    return text

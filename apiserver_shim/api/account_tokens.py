"""The ``token`` subresource of ServiceAccounts, and how others may check what it issues.

After pkg/registry/core/serviceaccount and pkg/routes/openidmetadata.go of Kubernetes.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from apiserver_shim.api import negotiation
from apiserver_shim.api.answers import status_reply
from apiserver_shim.api.options import check_write_options, field_validation
from apiserver_shim.api.request import ApiRequest, Reply, RequestInfo
from apiserver_shim.errors import NotFoundError
from apiserver_shim.objects import names
from apiserver_shim.objects.decoding import FieldValidation
from apiserver_shim.objects.errors import (
    BadRequestError,
    ConflictError,
    FieldError,
    InvalidError,
    invalid,
)
from apiserver_shim.objects.metadata import timestamp
from apiserver_shim.objects.schema import INT, STRING, List, Struct, Time, read_object, top_level
from apiserver_shim.storage.store import Key

Object = dict[str, Any]

_KIND, _GROUP = "TokenRequest", "authentication.k8s.io"
_VERSION = f"{_GROUP}/v1"
_BINDABLE = {"Node": "nodes", "Pod": "pods", "Secret": "secrets"}
_SHORTEST, _LONGEST, _DEFAULT = 600, 1 << 32, 3600
_REFERENCE = Struct(
    "BoundObjectReference", dict.fromkeys(("kind", "apiVersion", "name", "uid"), STRING)
)
_SHAPE = top_level(
    _KIND,
    {
        "spec": Struct(
            "TokenRequestSpec",
            {
                "audiences": List(STRING),
                "expirationSeconds": INT,
                "boundObjectRef": _REFERENCE,
            },
        ),
        "status": Struct("TokenRequestStatus", {"token": STRING, "expirationTimestamp": Time()}),
    },
)


async def token_request(request: ApiRequest, now: Callable[[], datetime]) -> Reply:
    """Issue a token for the account that the path names; refusals in the order of upstream."""
    info, accounts = request.info, request.cluster.accounts
    check_write_options(request, "CreateOptions")
    asked = await _asked(request)
    if found := _place_errors(asked.get("metadata") or {}, info):
        raise InvalidError(_KIND, info.name, found, group=_GROUP)
    account = await request.cluster.registry.get(Key("serviceaccounts", info.namespace, info.name))
    spec = asked.get("spec") or {}
    seconds = spec.get("expirationSeconds", _DEFAULT)
    if found := _duration_errors(seconds):
        raise InvalidError(_KIND, "", found, group=_GROUP)
    audiences = spec.get("audiences") or []
    token, expires = await accounts.issue(
        account,
        audiences=audiences,
        seconds=seconds,
        bound=await _bound(request, spec.get("boundObjectRef")),
    )
    answer = {
        "kind": _KIND,
        "apiVersion": _VERSION,
        "metadata": {
            "name": info.name,
            "namespace": info.namespace,
            "creationTimestamp": timestamp(now()),
        },
        "spec": {
            "audiences": audiences or [accounts.issuer],
            "expirationSeconds": seconds,
            "boundObjectRef": spec.get("boundObjectRef"),
        },
        "status": {
            "token": token,
            "expirationTimestamp": timestamp(datetime.fromtimestamp(expires, UTC)),
        },
    }
    return status_reply(request, answer, 201)


async def _asked(request: ApiRequest) -> Object:
    content_type = request.header(b"content-type")
    sent = await request.body()
    body = await request.run(lambda: negotiation.decode(sent, content_type, _KIND))
    if not isinstance(body, dict) or (body.get("kind") or _KIND) != _KIND:
        raise BadRequestError(f"the object provided is unrecognized (must be of type {_KIND})")
    version = body.get("apiVersion") or _VERSION
    if version != _VERSION:
        raise BadRequestError(
            f"the API version in the data ({version}) does not match "
            f"the expected API version ({_VERSION})"
        )
    validation = FieldValidation(field_validation(request), warnings=request.warnings)
    if negotiation.is_json(content_type):
        validation.duplicates = negotiation.duplicate_fields(sent, body)
    try:
        asked, unknown = read_object(body, _SHAPE)
        complaint = validation.judge(unknown)
    except BadRequestError as error:
        complaint = error.message
    if complaint:
        detail = f'{_KIND} in version "v1" cannot be handled as a {_KIND}: {complaint}'
        raise BadRequestError(detail)
    return asked


def _place_errors(meta: Object, info: RequestInfo) -> list[FieldError]:
    for what, wanted in (("name", info.name), ("namespace", info.namespace)):
        if meta.get(what) and meta[what] != wanted:
            detail = f"must match the service account {what} if specified"
            return [invalid(f"metadata.{what}", meta[what], detail)]
    return []


def _duration_errors(seconds: int) -> list[FieldError]:
    field = "spec.expirationSeconds"
    if seconds < _SHORTEST:
        detail = "may not specify a duration less than 10 minutes"
        return [invalid(field, seconds, detail)]
    if seconds > _LONGEST:
        return [invalid(field, seconds, "may not specify a duration larger than 2^32 seconds")]
    return []


async def _bound(request: ApiRequest, reference: Object | None) -> tuple[str, Object] | None:
    if reference is None:
        return None
    kind, version = reference.get("kind", ""), reference.get("apiVersion", "")
    name, wanted = reference.get("name", ""), reference.get("uid", "")
    # any version of the core group will do, as a version that cannot be read does upstream
    group, _, rest = version.rpartition("/")
    group, rest = ("", "") if "/" in group else (group, rest)
    if group or kind not in _BINDABLE:
        shown = f"{group}/{rest}, Kind={kind}"
        raise BadRequestError(f"cannot bind token to object of type {shown}")
    if not name:
        raise BadRequestError("Name parameter required.")
    if messages := names.path_segment(name):
        raise BadRequestError(f'Name parameter invalid: "{name}": {";".join(messages)}')
    key = Key(_BINDABLE[kind], request.info.namespace, name)
    if kind != "Secret":
        raise NotFoundError(key)  # there are none here
    obj = await request.cluster.registry.get(key)
    found = obj["metadata"].get("uid", "")
    if wanted and wanted != found:
        raise ConflictError(
            kind,
            name,
            f"the UID in the bound object reference ({wanted}) does not match the UID in record "
            f"({found}). The object might have been deleted and then recreated",
        )
    return kind.lower(), obj


_CACHED = b"public, max-age=3600"


async def openid_configuration(request: ApiRequest) -> Reply:
    """Answer with the OpenID Connect discovery document."""
    accounts = request.cluster.accounts
    host = request.header(b"host")
    document = {
        "issuer": accounts.issuer,
        "jwks_uri": f"https://{host}{request.scope['apiserver_shim.prefix']}/openid/v1/jwks",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [(await accounts.key()).algorithm],
    }
    return Reply(200, negotiation.encode_json(document), caching=_CACHED)


async def openid_keys(request: ApiRequest) -> Reply:
    """Answer with the JSON Web Key Set of the tokens' public key."""
    keys = {"keys": [(await request.cluster.accounts.key()).jwk()]}
    content_type = b"application/jwk-set+json"
    return Reply(200, negotiation.encode_json(keys), content_type, caching=_CACHED)

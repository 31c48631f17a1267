"""The ``token`` subresource of ServiceAccounts, and how others may check what it issues.

After pkg/registry/core/serviceaccount and pkg/routes/openidmetadata.go of Kubernetes.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from apiserver_shim.api import negotiation
from apiserver_shim.api.answers import status_reply
from apiserver_shim.api.request import ApiRequest, Reply
from apiserver_shim.errors import NotFoundError
from apiserver_shim.objects.errors import (
    BadRequestError,
    ConflictError,
    FieldError,
    InvalidError,
    invalid,
)
from apiserver_shim.objects.metadata import timestamp
from apiserver_shim.objects.schema import INT, STRING, List, Struct, read_object, top_level
from apiserver_shim.storage.store import Key

Object = dict[str, Any]

_KIND, _GROUP = "TokenRequest", "authentication.k8s.io"
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
        "status": Struct("TokenRequestStatus", {"token": STRING, "expirationTimestamp": STRING}),
    },
)


async def token_request(request: ApiRequest, now: Callable[[], datetime]) -> Reply:
    """Issue a token for the account that the path names."""
    info, accounts = request.info, request.cluster.accounts
    body = negotiation.decode(await request.body(), request.header(b"content-type"), _KIND)
    if not isinstance(body, dict) or body.get("kind", _KIND) != _KIND:
        raise BadRequestError(f"the object provided is unrecognized (must be of type {_KIND})")
    asked, _ = read_object(body, _SHAPE)
    spec = asked.get("spec") or {}
    seconds = spec.get("expirationSeconds") or _DEFAULT
    if found := _duration_errors(seconds):
        raise InvalidError(_KIND, info.name, found, group=_GROUP)
    account = await request.cluster.registry.get(Key("serviceaccounts", info.namespace, info.name))
    audiences = [audience for audience in spec.get("audiences") or () if audience]
    token, expires = await accounts.issue(
        account,
        audiences=audiences,
        seconds=seconds,
        bound=await _bound(request, spec.get("boundObjectRef")),
    )
    answer = {
        "kind": _KIND,
        "apiVersion": f"{_GROUP}/v1",
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
    if version != "v1" or kind not in {"Node", "Pod", "Secret"}:
        shown = f"{version}, Kind={kind}" if "/" in version else f"/{version}, Kind={kind}"
        raise BadRequestError(f"cannot bind token to object of type {shown}")
    key = Key(f"{kind.lower()}s", request.info.namespace, name)
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

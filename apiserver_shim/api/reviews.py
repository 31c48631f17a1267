"""Questions about oneself: ``kubectl auth whoami`` and ``kubectl auth can-i``."""

from typing import Any

from apiserver_shim.api import negotiation
from apiserver_shim.api.authentication import AuthMode
from apiserver_shim.api.authorization import authorize
from apiserver_shim.api.request import ApiRequest, Reply, RequestInfo
from apiserver_shim.objects.errors import BadRequestError, InvalidError, required

Object = dict[str, Any]


async def self_subject_review(request: ApiRequest) -> Reply:
    """Say who asks (authentication.k8s.io/v1 SelfSubjectReview)."""
    await _body(request, "SelfSubjectReview")
    user = request.user
    info: Object = {"username": user.name, "groups": list(user.groups)}
    if user.uid:
        info["uid"] = user.uid
    if user.extra:
        info["extra"] = {key: list(values) for key, values in user.extra.items()}
    return _answer(request, "SelfSubjectReview", "authentication.k8s.io/v1", {}, {"userInfo": info})


async def self_subject_access_review(request: ApiRequest, mode: AuthMode) -> Reply:
    """Say whether the asker may (authorization.k8s.io/v1 SelfSubjectAccessReview)."""
    kind = "SelfSubjectAccessReview"
    spec = (await _body(request, kind)).get("spec") or {}
    asked = _asked(spec)
    if asked is None:
        detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        raise InvalidError(
            kind,
            "",
            [required("spec.resourceAttributes", detail)],
            group="authorization.k8s.io",
        )
    decision = authorize(mode, request.user, asked)
    status: Object = {"allowed": decision.allowed}
    if decision.reason:
        status["reason"] = decision.reason
    return _answer(request, kind, "authorization.k8s.io/v1", {"spec": spec}, status)


def _asked(spec: Object) -> RequestInfo | None:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if isinstance(resource, dict) and not path:
        return RequestInfo(
            verb=_text(resource, "verb"),
            path="",
            group=_text(resource, "group"),
            version=_text(resource, "version"),
            namespace=_text(resource, "namespace"),
            resource=_text(resource, "resource") or "*",
            name=_text(resource, "name"),
            subresource=_text(resource, "subresource"),
        )
    if isinstance(path, dict) and not resource:
        return RequestInfo(verb=_text(path, "verb"), path=_text(path, "path") or "/")
    return None


def _text(attributes: Object, name: str) -> str:
    value = attributes.get(name, "")
    if not isinstance(value, str):
        raise BadRequestError(f"json: cannot unmarshal into field {name} of type string")
    return value


async def _body(request: ApiRequest, kind: str) -> Object:
    body = negotiation.decode(await request.body(), request.header(b"content-type"), kind)
    if not isinstance(body, dict) or not isinstance(body.get("spec") or {}, dict):
        raise BadRequestError(f"the object provided is unrecognized (must be of type {kind})")
    if body.get("kind", kind) != kind:
        raise BadRequestError(f"{body.get('kind')} cannot be handled as a {kind}")
    return body


def _answer(
    request: ApiRequest, kind: str, api_version: str, spec: Object, status: Object
) -> Reply:
    answer = {
        "kind": kind,
        "apiVersion": api_version,
        "metadata": {"creationTimestamp": None},
        **spec,
        "status": status,
    }
    wanted = negotiation.accepted(request.header(b"accept"))
    body, content_type = negotiation.encode(answer, wanted, pretty=request.pretty)
    return Reply(201, body, content_type)

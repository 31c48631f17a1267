"""Questions about users: ``kubectl auth whoami``, ``kubectl auth can-i`` and their kin."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from apiserver_shim.access.grants import joined
from apiserver_shim.access.rules import Rule
from apiserver_shim.access.users import UserInfo
from apiserver_shim.api import negotiation, status
from apiserver_shim.api.authentication import AuthMode, BadCredentialError, authenticate_token
from apiserver_shim.api.authorization import authorize
from apiserver_shim.api.request import ApiRequest, Reply, RequestInfo, not_found_page
from apiserver_shim.api.status import StatusError
from apiserver_shim.objects.errors import (
    BadRequestError,
    FieldError,
    InvalidError,
    invalid,
    required,
)

Object = dict[str, Any]

AUTHENTICATION = "authentication.k8s.io"
AUTHORIZATION = "authorization.k8s.io"
_LOCAL = "localsubjectaccessreviews"


class Reviews:
    """Answers every request for a review."""

    def __init__(self, *, mode: AuthMode) -> None:
        self._mode = mode
        self._handlers: Mapping[tuple[str, str], Callable[[ApiRequest], Awaitable[Reply]]] = {
            (AUTHENTICATION, "selfsubjectreviews"): self._who_am_i,
            (AUTHENTICATION, "tokenreviews"): self._whose_token,
            (AUTHORIZATION, "selfsubjectaccessreviews"): self._may_i,
            (AUTHORIZATION, "selfsubjectrulesreviews"): self._what_may_i,
            (AUTHORIZATION, "subjectaccessreviews"): self._may_somebody,
            (AUTHORIZATION, _LOCAL): self._may_somebody,
        }

    async def __call__(self, request: ApiRequest) -> Reply:
        info = request.info
        handler = self._handlers.get((info.group, info.resource))
        placed = bool(info.namespace) == (info.resource == _LOCAL)
        if handler is None or info.version != "v1" or info.subresource or not placed:
            return not_found_page()
        if info.verb != "create" or info.name:
            raise StatusError(status.method_not_allowed(info.resource, info.verb))
        return await handler(request)

    async def _who_am_i(self, request: ApiRequest) -> Reply:
        await _body(request, "SelfSubjectReview")
        return _answer(
            request,
            "SelfSubjectReview",
            AUTHENTICATION,
            {},
            {"userInfo": user_object(request.user)},
        )

    async def _whose_token(self, request: ApiRequest) -> Reply:
        kind = "TokenReview"
        spec = (await _body(request, kind)).get("spec") or {}
        token, audiences = _text(spec, "token"), _texts(spec, "audiences")
        if not token:
            raise BadRequestError("token is required for TokenReview in authentication")
        try:
            found = await authenticate_token(request.cluster, token.encode(), audiences)
        except BadCredentialError as error:
            told = f"[invalid bearer token, {error}]" if str(error) else "invalid bearer token"
            return _answer(
                request, kind, AUTHENTICATION, {"spec": spec}, {"user": {}, "error": told}
            )
        answer: Object = {"authenticated": True, "user": user_object(found.user)}
        if found.audiences:
            answer["audiences"] = list(found.audiences)
        return _answer(request, kind, AUTHENTICATION, {"spec": spec}, answer)

    async def _may_i(self, request: ApiRequest) -> Reply:
        kind = "SelfSubjectAccessReview"
        spec = (await _body(request, kind)).get("spec") or {}
        return await self._decided(request, kind, spec, request.user)

    async def _may_somebody(self, request: ApiRequest) -> Reply:
        local = request.info.resource == _LOCAL
        kind = "LocalSubjectAccessReview" if local else "SubjectAccessReview"
        spec = (await _body(request, kind)).get("spec") or {}
        user = UserInfo(_text(spec, "user"), _texts(spec, "groups"), _text(spec, "uid"))
        if not user.name and not user.groups:
            detail = "at least one of user or group must be specified"
            raise _invalid(kind, required("spec.user", detail))
        if local:
            asked = spec.get("resourceAttributes")
            wanted = asked.get("namespace", "") if isinstance(asked, dict) else ""
            if wanted != request.info.namespace:
                detail = f"must match the namespace on the request ({request.info.namespace})"
                field = "spec.resourceAttributes.namespace"
                raise _invalid(kind, invalid(field, wanted, detail))
        return await self._decided(request, kind, spec, user)

    async def _decided(self, request: ApiRequest, kind: str, spec: Object, user: UserInfo) -> Reply:
        asked = _asked(spec)
        if asked is None:
            detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
            raise _invalid(kind, required("spec.resourceAttributes", detail))
        decision = await authorize(self._mode, user, asked, request.cluster)
        answer: Object = {"allowed": decision.allowed}
        if reason := decision.warning or decision.reason:
            answer["reason"] = reason
        return _answer(request, kind, AUTHORIZATION, {"spec": spec}, answer)

    async def _what_may_i(self, request: ApiRequest) -> Reply:
        kind = "SelfSubjectRulesReview"
        spec = (await _body(request, kind)).get("spec") or {}
        namespace = _text(spec, "namespace")
        if not namespace:
            raise BadRequestError("no namespace on request")
        await request.cluster.ready()
        grants = await request.cluster.roles.grants()
        rules, problems = grants.rules(request.user, namespace)
        if self._mode != "strict":
            rules = [Rule(("*",), ("*",), ("*",)), Rule(("*",), urls=("*",))]
        answer: Object = {
            "resourceRules": [rule.as_object() for rule in rules if rule.resources],
            "nonResourceRules": [rule.as_object() for rule in rules if rule.urls],
            "incomplete": bool(problems),
        }
        if problems:
            answer["evaluationError"] = joined(problems)
        return _answer(request, kind, AUTHORIZATION, {"spec": spec}, answer)


def user_object(user: UserInfo) -> Object:
    """Return a UserInfo of authentication.k8s.io/v1."""
    info: Object = {"username": user.name, "groups": list(user.groups)}
    if user.uid:
        info["uid"] = user.uid
    if user.extra:
        info["extra"] = {key: list(values) for key, values in user.extra.items()}
    return info


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


def _invalid(kind: str, error: FieldError) -> InvalidError:
    return InvalidError(kind, "", [error], group=AUTHORIZATION)


def _text(attributes: Object, name: str) -> str:
    value = attributes.get(name) or ""
    if not isinstance(value, str):
        raise BadRequestError(f"json: cannot unmarshal into field {name} of type string")
    return value


def _texts(attributes: Object, name: str) -> tuple[str, ...]:
    values = attributes.get(name) or []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise BadRequestError(f"json: cannot unmarshal into field {name} of type []string")
    return tuple(values)


async def _body(request: ApiRequest, kind: str) -> Object:
    sent, content_type = await request.body(), request.header(b"content-type")
    body = await request.run(lambda: negotiation.decode(sent, content_type, kind))
    if not isinstance(body, dict) or not isinstance(body.get("spec") or {}, dict):
        raise BadRequestError(f"the object provided is unrecognized (must be of type {kind})")
    if body.get("kind", kind) != kind:
        raise BadRequestError(f"{body.get('kind')} cannot be handled as a {kind}")
    return body


def _answer(request: ApiRequest, kind: str, group: str, spec: Object, answer: Object) -> Reply:
    document = {
        "kind": kind,
        "apiVersion": f"{group}/v1",
        "metadata": {"creationTimestamp": None},
        **spec,
        "status": answer,
    }
    wanted = negotiation.accepted(request.header(b"accept"))
    body, content_type = negotiation.encode(document, wanted, pretty=request.pretty)
    return Reply(201, body, content_type)

"""The steps every request passes before a route: errors, cluster, who asks, whether they may."""

import logging
from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apiserver_shim.access.users import ANONYMOUS, MASTERS, UserInfo
from apiserver_shim.api import negotiation, status
from apiserver_shim.api.audit import REASON_KEY
from apiserver_shim.api.authentication import (
    AuthMode,
    BadCredentialError,
    authenticate,
    authenticate_token,
    bearer,
)
from apiserver_shim.api.authorization import ALLOWED, authorize, forbidden
from apiserver_shim.api.impersonation import impersonated, is_impersonating
from apiserver_shim.api.request import ApiRequest, Reply, RequestInfo
from apiserver_shim.api.status import Status, StatusError
from apiserver_shim.clusters import DEFAULT_CLUSTER, Clusters

log = logging.getLogger(__name__)

_CLUSTERS = "/clusters/"
_JWT_DOTS = 2


class ErrorStatus:
    """Turns whatever goes wrong further in into a Status; what is unknown also into a log entry."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:
            info = _info(scope)
            found = status.of(error, verb=info.verb, resource=info.resource)
            if found is None:
                log.exception("%s %s failed", scope["method"], scope["path"])
                found = status.unexpected()
            if started:
                raise
            scope[REASON_KEY] = found.get("reason")
            await _render(scope, found).send(send)


def _info(scope: Scope) -> RequestInfo:
    try:
        return ApiRequest.of(scope).info
    except KeyError:
        return RequestInfo(scope["method"].lower(), scope["path"])


def _render(scope: Scope, found: Status) -> Reply:
    accept = next((value for name, value in scope["headers"] if name == b"accept"), b"")
    try:
        wanted = negotiation.accepted(accept.decode("latin-1"))
    except StatusError:
        wanted = negotiation.Format()
    body, content_type = negotiation.encode(found, wanted)
    retry = found.get("details", {}).get("retryAfterSeconds")
    headers = ((b"retry-after", b"%d" % retry),) if retry else ()
    return Reply(found["code"], body, content_type, headers)


class ClusterSelection:
    """Finds the logical cluster that the path names and takes its prefix off the path."""

    def __init__(self, app: ASGIApp, *, clusters: Clusters) -> None:
        self._app = app
        self._clusters = clusters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        cluster_id, prefix, path = _split(scope["path"])
        cluster = self._clusters.get(cluster_id)
        if cluster is None:
            details = {"name": cluster_id, "kind": "clusters"}
            message = f'clusters "{cluster_id}" not found'
            raise StatusError(status.failure(404, "NotFound", message, details))
        scope["path"] = path
        scope["apiserver_shim.prefix"] = prefix
        ApiRequest(scope, receive, send, cluster)
        await self._app(scope, receive, send)


def _split(path: str) -> tuple[str, str, str]:
    """Return (cluster id, prefix of the path, the rest without trailing slashes)."""
    cluster_id, prefix = DEFAULT_CLUSTER, ""
    if path.startswith(_CLUSTERS):
        cluster_id, _, rest = path.removeprefix(_CLUSTERS).partition("/")
        prefix, path = f"{_CLUSTERS}{cluster_id}", f"/{rest}"
    return cluster_id, prefix, path.rstrip("/") or "/"


class Authentication:
    """Establishes who asks; a credential that is not this cluster's stops here."""

    def __init__(self, app: ASGIApp, *, mode: AuthMode) -> None:
        self._app = app
        self._mode = mode

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = ApiRequest.of(scope)
            certificate = scope.get("extensions", {}).get("tls", {}).get("client_cert")
            authorization = request.headers.get(b"authorization", b"")
            try:
                request.user = await self._user(request, authorization, certificate)
            except BadCredentialError:
                if self._mode != "off":
                    raise StatusError(status.unauthorized()) from None
                request.user = ANONYMOUS
        await self._app(scope, receive, send)

    async def _user(
        self, request: ApiRequest, authorization: bytes, certificate: Mapping[str, Any] | None
    ) -> UserInfo:
        cluster = request.cluster
        try:
            return authenticate(cluster.spec, authorization, certificate)
        except BadCredentialError:
            if authorization.count(b".") != _JWT_DOTS:
                raise
        return (await authenticate_token(cluster, bearer(authorization), ())).user


class Impersonation:
    """Makes the request that of the user it wants to act as, if its own may."""

    def __init__(self, app: ASGIApp, *, mode: AuthMode) -> None:
        self._app = app
        self._mode = mode

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = ApiRequest.of(scope)
            if is_impersonating(request):
                request.impersonator = request.user
                request.user = await impersonated(request, self._mode) or request.user
        await self._app(scope, receive, send)


class Authorization:
    """Lets through what the user may do."""

    def __init__(self, app: ASGIApp, *, mode: AuthMode) -> None:
        self._app = app
        self._mode = mode

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = ApiRequest.of(scope)
            # most requests are an administrator's: they need not even be put into words
            if self._mode == "off" or MASTERS in request.user.groups:
                request.decision = ALLOWED
            else:
                await self._check(request)
        await self._app(scope, receive, send)

    async def _check(self, request: ApiRequest) -> None:
        user, info = request.user, request.info
        request.decision = decision = await authorize(self._mode, user, info, request.cluster)
        if not decision.allowed:
            raise forbidden(user, info, decision.reason)
        if decision.warning:
            log.info("%s", decision.warning)
            request.warnings.append(decision.warning)

"""Where paths lead, below a cluster's root."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from functools import cache

from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from apiserver_shim.api import aggregated, discovery, negotiation, openapi, openapi_v2, status
from apiserver_shim.api.account_tokens import openid_configuration, openid_keys
from apiserver_shim.api.answers import status_reply
from apiserver_shim.api.authentication import AuthMode
from apiserver_shim.api.health import ENDPOINTS, health
from apiserver_shim.api.observation import metrics
from apiserver_shim.api.request import ApiRequest, Reply, not_found_page
from apiserver_shim.api.resources import Resources
from apiserver_shim.api.reviews import AUTHENTICATION, AUTHORIZATION, Reviews
from apiserver_shim.api.status import StatusError
from apiserver_shim.objects.kinds import KINDS

Handler = Callable[[ApiRequest], Awaitable[Reply | None]]


class PathRoute(BaseRoute):
    """Leads fixed paths, and everything below a few prefixes, to their handlers: one look-up each.

    Starlette's own Route tries one regular expression after another.
    """

    def __init__(
        self, method: str, exact: Mapping[str, Handler], below: Mapping[str, Handler]
    ) -> None:
        self._methods = {method, "HEAD"} if method == "GET" else {method}
        self._exact = exact
        self._below = below

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        handler = self._handler(scope["path"]) if scope["type"] == "http" else None
        if handler is None:
            return Match.NONE, {}
        match = Match.FULL if scope["method"] in self._methods else Match.PARTIAL
        return match, {"endpoint": handler}

    def _handler(self, path: str) -> Handler | None:
        found = self._exact.get(path)
        if found is None and self._below:
            first = path[: path.find("/", 1) + 1]
            found = self._below.get(first)
        return found

    async def handle(self, scope: Scope, _receive: Receive, send: Send) -> None:
        request = ApiRequest.of(scope)
        if request.method not in self._methods:
            info = request.info
            raise StatusError(status.method_not_allowed(info.resource or info.path, info.verb))
        await _answer(scope["endpoint"], request, send)


class ResourceRoute(BaseRoute):
    """Leads every path with a resource of some groups to one handler."""

    def __init__(self, groups: Iterable[str], handler: Handler) -> None:
        self._groups = frozenset(groups)
        self._handler = handler

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        leads = scope["type"] == "http" and self.leads(scope)
        return (Match.FULL if leads else Match.NONE), {}

    def leads(self, scope: Scope) -> bool:
        """Tell whether a request is for a resource of these groups."""
        info = ApiRequest.of(scope).info
        return bool(info.resource) and info.group in self._groups

    async def handle(self, scope: Scope, _receive: Receive, send: Send) -> None:
        await _answer(self._handler, ApiRequest.of(scope), send)


async def _answer(handler: Handler, request: ApiRequest, send: Send) -> None:
    reply = await handler(request)
    if reply is not None:
        await reply.send(send)


async def not_found(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer for all other paths."""
    await not_found_page().send(send)


def objects_route(*, mode: AuthMode, now: Callable[[], datetime]) -> ResourceRoute:
    """Return the route of everything that is stored."""
    stored = {strategy.group for strategy in KINDS.values()}
    return ResourceRoute(stored, Resources(mode=mode, now=now))


def other_routes(*, mode: AuthMode) -> list[BaseRoute]:
    """Return the routes of everything else."""
    reading: dict[str, Handler] = {
        "/": _fixed(lambda _: discovery.root()),
        "/version": _fixed(lambda r: discovery.version(r.cluster.spec.version)),
        "/api": _aggregated(aggregated.core, _core_versions),
        "/api/v1": _fixed(lambda _: discovery.core_resources()),
        "/apis": _aggregated(aggregated.groups, lambda _: discovery.groups()),
        "/metrics": metrics,
        "/openapi/v2": _openapi_v2,
        "/openapi/v3": _fixed(lambda r: openapi.v3_index(r.scope["apiserver_shim.prefix"])),
    }
    for path, group in openapi.group_paths().items():
        reading[openapi.PREFIX + path] = _openapi_v3(group)
    for name in discovery.GROUPS:
        reading[f"/apis/{name}"] = _group(name)
        reading[f"/apis/{name}/v1"] = _group_resources(name)
    reading["/.well-known/openid-configuration"] = openid_configuration
    reading["/openid/v1/jwks"] = openid_keys
    reading.update({f"/{endpoint}": health for endpoint in ENDPOINTS})
    below: dict[str, Handler] = {f"/{endpoint}/": health for endpoint in ENDPOINTS}
    return [
        PathRoute("GET", reading, below),
        ResourceRoute((AUTHENTICATION, AUTHORIZATION), Reviews(mode=mode)),
    ]


def _fixed(document: Callable[[ApiRequest], dict[str, object]]) -> Handler:
    async def handler(request: ApiRequest) -> Reply:
        body = negotiation.encode_json(document(request), pretty=request.pretty)
        return Reply(200, body)

    return handler


def _aggregated(
    document: Callable[[str], dict[str, object]],
    plain: Callable[[ApiRequest], dict[str, object]],
) -> Handler:
    otherwise = _fixed(plain)

    async def handler(request: ApiRequest) -> Reply | None:
        version = aggregated.wanted_version(request.header(b"accept"))
        if not version:
            return await otherwise(request)
        body = negotiation.encode_json(document(version), pretty=request.pretty)
        return Reply(200, body, aggregated.content_type(version))

    return handler


def _core_versions(request: ApiRequest) -> dict[str, object]:
    server = request.scope.get("server") or ("", 0)
    return discovery.core_versions(f"{server[0]}:{server[1]}")


def _group(name: str) -> Handler:
    async def handler(request: ApiRequest) -> Reply:
        return status_reply(request, discovery.group(name) or {}, 200)

    return handler


def _group_resources(name: str) -> Handler:
    async def handler(request: ApiRequest) -> Reply:
        return status_reply(request, discovery.group_resources(name) or {}, 200)

    return handler


_v2 = cache(openapi_v2.document)


async def _openapi_v2(_request: ApiRequest) -> Reply:
    return Reply(200, _v2(), openapi_v2.CONTENT_TYPE)


def _openapi_v3(group: str) -> Handler:
    document = cache(lambda: negotiation.encode_json(openapi.v3(group)))

    async def handler(_request: ApiRequest) -> Reply:
        return Reply(200, document())

    return handler

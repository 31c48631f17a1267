"""One request on its way through the pipeline: what is asked, by whom, of which cluster."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from apiserver_shim.access.grants import Decision
from apiserver_shim.access.users import ANONYMOUS, UserInfo
from apiserver_shim.api.status import StatusError, too_large
from apiserver_shim.api.workers import WORKERS
from apiserver_shim.clusters import Cluster
from apiserver_shim.objects.errors import BadRequestError
from apiserver_shim.objects.selectors import exact_name

BODY_LIMIT = 3 * 1024 * 1024
# what takes longer than some ten milliseconds at worst
_LARGE_BODY = 64 * 1024
_LARGE_YAML = 8 * 1024

_VERBS: Mapping[str, str] = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_OF_NAMESPACES = frozenset(("status", "finalize"))
Result = TypeVar("Result")
_SCOPE_KEY = "apiserver_shim.request"


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """What a path and method mean (k8s.io/apiserver endpoints/request).

    ``resource`` is "" for paths outside the API, whose verb is the HTTP method in lower case.
    ``namespace`` of a request for one Namespace is its name, as upstream has it.
    """

    verb: str
    path: str
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    name: str = ""
    subresource: str = ""
    extra: bool = False  # more path segments than any resource has
    selected: bool = False  # a field selector, not the path, has the name


def parse_info(method: str, path: str, *, watch: bool = False, selected: str = "") -> RequestInfo:
    """Read a path below the cluster's root.

    ``selected`` is the one name that a list's or watch's field selector lets through: a rule's
    resourceNames are then about it. A deletecollection has no name, whatever it selects.
    """
    group, version, rest = _api_parts(path)
    if not rest:
        return RequestInfo(method.lower(), path)
    legacy = rest[0] == "watch" and len(rest) > 1
    if legacy:
        rest = rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _OF_NAMESPACES:
            rest = rest[2:]
    resource, name, subresource = (*rest, "", "")[:3]
    verb = _VERBS.get(method, method.lower())
    if legacy and verb == "get":
        # /api/v1/watch/..., from before there was a parameter; may name one object
        verb = "watch"
    elif not name and verb == "get":
        verb = "watch" if watch else "list"
        if selected:
            return RequestInfo(
                verb, path, group, version, namespace, resource, selected, selected=True
            )
    elif not name and verb == "delete":
        verb = "deletecollection"
    return RequestInfo(
        verb, path, group, version, namespace, resource, name, subresource, len(rest) > 3
    )


def _api_parts(path: str) -> tuple[str, str, list[str]]:
    """Return (group, version, the segments after them); no segments outside the API."""
    parts = path.split("/")[1:]
    if parts and parts[-1] == "":
        parts.pop()
    if len(parts) > 2 and parts[0] == "api":
        return "", parts[1], parts[2:]
    if len(parts) > 3 and parts[0] == "apis":
        return parts[1], parts[2], parts[3:]
    return "", "", []


class ApiRequest:
    """A request as handlers see it; made once, filled in as it passes the pipeline."""

    __slots__ = (
        "_query",
        "cluster",
        "decision",
        "headers",
        "impersonator",
        "info",
        "large",
        "method",
        "path",
        "receive",
        "scope",
        "send",
        "user",
        "warnings",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, cluster: Cluster) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self.cluster = cluster
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self._query: dict[str, list[str]] | None = None
        self.info = parse_info(
            self.method, self.path, watch=self.flag("watch"), selected=self._selected_name()
        )
        self.user: UserInfo = ANONYMOUS
        self.impersonator: UserInfo | None = None  # who asks to act as the user
        self.decision: Decision | None = None
        self.warnings: list[str] = []
        self.large = False  # whether its body is more than the event loop should work on
        scope[_SCOPE_KEY] = self

    @staticmethod
    def of(scope: Scope) -> "ApiRequest":
        """Return the request that the pipeline keeps in an ASGI scope."""
        request: ApiRequest = scope[_SCOPE_KEY]
        return request

    @staticmethod
    def is_in(scope: Scope) -> bool:
        """Tell whether the pipeline got as far as to make the request."""
        return _SCOPE_KEY in scope

    @staticmethod
    def in_scope(scope: Scope) -> "ApiRequest | None":
        """Return it if the request has come so far."""
        return scope.get(_SCOPE_KEY)

    @property
    def query(self) -> dict[str, list[str]]:
        if self._query is None:
            text = self.scope["query_string"]
            try:
                self._query = (
                    parse_qs(text.decode("ascii"), keep_blank_values=True, max_num_fields=100)
                    if text
                    else {}
                )
            except ValueError:
                self._query = {}
                raise BadRequestError("invalid query string") from None
        return self._query

    def _selected_name(self) -> str:
        """Return the name in a field selector; "" when the options cannot be read, as upstream."""
        fields = self.parameter("fieldSelector") if self.query else ""
        if not fields:
            return ""
        try:
            for number in ("limit", "timeoutSeconds"):
                self.number(number)
            return exact_name(labels=self.parameter("labelSelector"), fields=fields)
        except BadRequestError:
            return ""

    def parameter(self, name: str) -> str:
        values = self.query.get(name)
        return values[0] if values else ""

    def flag(self, name: str) -> bool:
        """Read a boolean as Go's conversion does: present and neither false nor 0."""
        values = self.query.get(name)
        return values is not None and values[0].lower() not in {"false", "0"}

    def number(self, name: str) -> int | None:
        """Read an integer parameter; raises BadRequestError."""
        text = self.parameter(name)
        if not text:
            return None
        if len(text) > 18 or not text.removeprefix("-").isascii() or not text.lstrip("-").isdigit():
            raise BadRequestError(f'strconv.ParseInt: parsing "{text}": invalid syntax')
        return int(text)

    def header(self, name: bytes) -> str:
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def pretty(self) -> bool:
        """Tell whether a human reads the answer."""
        if "pretty" in self.query:
            return self.flag("pretty")
        return self.headers.get(b"user-agent", b"").startswith((b"curl/", b"Wget/", b"Mozilla/5.0"))

    async def body(self) -> bytes:
        """Read the whole body; raises StatusError 413 beyond the limit."""
        announced = self.headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced) > BODY_LIMIT:
            raise StatusError(too_large(BODY_LIMIT))
        parts, size, more = list[bytes](), 0, True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                # half a body is not to be mistaken for a whole one
                raise BadRequestError("the client went away before the end of the body")
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
            size += len(parts[-1])
            if size > BODY_LIMIT:
                raise StatusError(too_large(BODY_LIMIT))
        body = b"".join(parts)
        self.large = self._is_large(body)
        return body

    def _is_large(self, body: bytes) -> bool:
        if len(body) > _LARGE_BODY:
            return True
        if b"yaml" not in self.headers.get(b"content-type", b""):
            return False
        # a few aliases stand for a large document
        return len(body) > _LARGE_YAML or b"*" in body

    async def run(self, function: Callable[[], Result]) -> Result:
        """Return what ``function`` makes of the body: here, or on a thread if it is large."""
        return await WORKERS.run(function) if self.large else function()


@dataclass(slots=True)
class Reply:
    """A whole answer."""

    status: int
    body: bytes
    content_type: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()
    caching: bytes = b"no-cache, private"

    async def send(self, send: Send) -> None:
        head: list[tuple[bytes, bytes]] = [
            (b"cache-control", self.caching),
            (b"content-type", self.content_type),
            (b"content-length", b"%d" % len(self.body)),
            *self.headers,
        ]
        start: dict[str, Any] = {
            "type": "http.response.start",
            "status": self.status,
            "headers": head,
        }
        await send(start)
        await send({"type": "http.response.body", "body": self.body})


def text_reply(status: int, text: str) -> Reply:
    return Reply(status, text.encode(), b"text/plain; charset=utf-8")


def not_found_page() -> Reply:
    """Answer for a path that leads nowhere; clients have words of their own for it."""
    return text_reply(404, "404 page not found\n")

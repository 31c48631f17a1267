"""Objects and lists as the client asked to see them: whole, as a Table, or metadata alone."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from apiserver_shim.api import negotiation, tables
from apiserver_shim.api.negotiation import Format
from apiserver_shim.api.request import ApiRequest, Reply
from apiserver_shim.objects.lists import ListResult
from apiserver_shim.objects.strategy import Strategy

Object = dict[str, Any]
Now = Callable[[], datetime]


def object_reply(
    request: ApiRequest, strategy: Strategy, obj: Object, *, status: int, now: Now
) -> Reply:
    """Answer with one object."""
    wanted = negotiation.accepted(request.header(b"accept"))
    return reply(request, shown(request, strategy, obj, wanted, now), wanted, status)


def list_reply(request: ApiRequest, strategy: Strategy, found: ListResult, *, now: Now) -> Reply:
    """Answer with a list."""
    wanted = negotiation.accepted(request.header(b"accept"))
    metadata: Object = {"resourceVersion": str(found.revision)}
    if found.continue_token:
        metadata["continue"] = found.continue_token
    if found.remaining:
        metadata["remainingItemCount"] = found.remaining
    if wanted.form == "Table":
        answer = _table(request, strategy, found.items, metadata, wanted, now)
    elif wanted.form:
        answer = {
            "kind": "PartialObjectMetadataList",
            "apiVersion": f"meta.k8s.io/{wanted.version}",
            "metadata": metadata,
            "items": [tables.partial(obj, wanted.version) for obj in found.items],
        }
    else:
        kind = f"{strategy.kind}List"
        answer = {
            "kind": kind,
            "apiVersion": strategy.api_version,
            "metadata": metadata,
            "items": found.items,
        }
    return reply(request, answer, wanted, 200)


def status_reply(request: ApiRequest, answer: Object, code: int) -> Reply:
    """Answer with something that has one form only."""
    return reply(request, answer, negotiation.accepted(request.header(b"accept")), code)


def shown(request: ApiRequest, strategy: Strategy, obj: Object, wanted: Format, now: Now) -> Object:
    """Return ``obj`` in the form asked for."""
    if not wanted.form:
        return obj
    if wanted.form == "Table":
        metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        return _table(request, strategy, [obj], metadata, wanted, now)
    return tables.partial(obj, wanted.version)


def _table(
    request: ApiRequest,
    strategy: Strategy,
    objects: Sequence[Object],
    metadata: Object,
    wanted: Format,
    now: Now,
) -> Object:
    return tables.table(
        strategy.resource,
        objects,
        metadata,
        version=wanted.version,
        include=request.parameter("includeObject"),
        now=now(),
    )


def reply(request: ApiRequest, answer: Object, wanted: Format, status: int) -> Reply:
    body, content_type = negotiation.encode(answer, wanted, pretty=request.pretty)
    warnings = tuple(
        (b"warning", f'299 - "{_quoted(text)}"'.encode("latin-1", "replace"))
        for text in request.warnings
    )
    return Reply(status, body, content_type, warnings)


def _quoted(text: str) -> str:
    printable = "".join(c if c.isprintable() else "?" for c in text)
    return printable.replace("\\", "\\\\").replace('"', '\\"')

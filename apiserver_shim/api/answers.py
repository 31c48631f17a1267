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

_WARNINGS_RUNES = 4 * 1024
_WARNING_RUNES = 256  # of each, once all together are too long


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
    warnings = warning_headers(request.warnings) if request.warnings else ()
    return Reply(status, body, content_type, warnings)


def warning_headers(texts: Sequence[str]) -> tuple[tuple[bytes, bytes], ...]:
    """Return a header for each text, once; what is too long together is cut or left out.

    After k8s.io/apiserver endpoints/filters/warning.go, which counts runes of texts.
    """
    shown = list(dict.fromkeys(text for text in texts if text))
    if sum(map(len, shown)) > _WARNINGS_RUNES:
        cut, written = [], 0
        for text in shown:
            if written >= _WARNINGS_RUNES:
                break
            cut.append(text[:_WARNING_RUNES])
            written += len(cut[-1])
        shown = cut
    return tuple(
        (b"warning", f'299 - "{_quoted(text)}"'.encode("latin-1", "replace")) for text in shown
    )


def _quoted(text: str) -> str:
    printable = "".join(c if c.isprintable() else "?" for c in text)
    return printable.replace("\\", "\\\\").replace('"', '\\"')

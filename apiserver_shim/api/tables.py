"""Tables: what ``kubectl get`` prints (meta.k8s.io/v1 Table)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

Object = dict[str, Any]
Cells = Callable[[Object, datetime], list[Any]]

_NAME_DOC = (
    "Name must be unique within a namespace. Is required when creating resources, although some "
    "resources may allow a client to request the generation of an appropriate name automatically."
)
_AGE_DOC = "CreationTimestamp is the server time when this object was created, in RFC 3339."


def _column(name: str, kind: str, description: str, *, form: str = "", priority: int = 0) -> Object:
    return {
        "name": name,
        "type": kind,
        "format": form,
        "description": description,
        "priority": priority,
    }


_NAME = _column("Name", "string", _NAME_DOC, form="name")
_AGE = _column("Age", "string", _AGE_DOC)

_ROLE_COLUMNS = (_NAME, _column("Created At", "date", _AGE_DOC))
_BINDING_COLUMNS = (
    _NAME,
    _column("Role", "string", "The role that is bound."),
    _AGE,
    _column("Users", "string", "Users in the roleBinding", priority=1),
    _column("Groups", "string", "Groups in the roleBinding", priority=1),
    _column("ServiceAccounts", "string", "ServiceAccounts in the roleBinding", priority=1),
)

_LAST_SEEN = _column("Last Seen", "string", "When this event was seen last.")
_COLUMNS: Mapping[str, Sequence[Object]] = {
    "roles": _ROLE_COLUMNS,
    "clusterroles": _ROLE_COLUMNS,
    "rolebindings": _BINDING_COLUMNS,
    "clusterrolebindings": _BINDING_COLUMNS,
    "secrets": (
        _NAME,
        _column("Type", "string", "Used to facilitate programmatic handling of secret data."),
        _column("Data", "integer", "Data contains the secret data."),
        _AGE,
    ),
    "configmaps": (
        _NAME,
        _column("Data", "integer", "Data contains the configuration data."),
        _AGE,
    ),
    "events": (
        _LAST_SEEN,
        _column("Type", "string", "Normal or Warning."),
        _column("Reason", "string", "What happened, in one word."),
        _column("Object", "string", "The object that the event is about."),
        _column("Message", "string", "What happened, in a sentence."),
    ),
    "serviceaccounts": (
        _NAME,
        _column("Secrets", "integer", "Secrets that pods using this account may mount."),
        _AGE,
    ),
    "namespaces": (
        _NAME,
        _column("Status", "string", "The status of the namespace"),
        _AGE,
    ),
}


def _name(obj: Object) -> str:
    name: str = obj["metadata"].get("name", "")
    return name


def _binding(obj: Object, now: datetime) -> list[Any]:
    reference, subjects = obj.get("roleRef") or {}, obj.get("subjects") or ()
    users, groups = (
        ", ".join(subject.get("name", "") for subject in subjects if subject.get("kind") == kind)
        for kind in ("User", "Group")
    )
    accounts = ", ".join(
        f"{subject.get('namespace', '')}/{subject.get('name', '')}"
        for subject in subjects
        if subject.get("kind") == "ServiceAccount"
    )
    role = f"{reference.get('kind', '')}/{reference.get('name', '')}"
    return [_name(obj), role, age(obj, now), users, groups, accounts]


def _count(obj: Object, *fields: str) -> int:
    return sum(len(obj.get(field) or ()) for field in fields)


def _last_seen(event: Object) -> str:
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return next((time for time in times if time), "")


_CELLS: Mapping[str, Cells] = {
    "roles": lambda obj, _: [_name(obj), obj["metadata"].get("creationTimestamp")],
    "clusterroles": lambda obj, _: [_name(obj), obj["metadata"].get("creationTimestamp")],
    "rolebindings": _binding,
    "clusterrolebindings": _binding,
    "secrets": lambda obj, now: [_name(obj), obj.get("type"), _count(obj, "data"), age(obj, now)],
    "configmaps": lambda obj, now: [_name(obj), _count(obj, "data", "binaryData"), age(obj, now)],
    "events": lambda obj, now: [
        age({"metadata": {"creationTimestamp": _last_seen(obj)}}, now),
        obj.get("type", ""),
        obj.get("reason", ""),
        "{kind}/{name}".format_map(
            {"kind": "", "name": ""} | (obj.get("involvedObject") or {})
        ).lower(),
        obj.get("message", "").strip(),
    ],
    "serviceaccounts": lambda obj, now: [_name(obj), _count(obj, "secrets"), age(obj, now)],
    "namespaces": lambda obj, now: [
        _name(obj),
        (obj.get("status") or {}).get("phase", ""),
        age(obj, now),
    ],
}


def table(
    resource: str,
    objects: Sequence[Object],
    metadata: Object,
    *,
    version: str,
    include: str,
    now: datetime,
) -> Object:
    """Return the rows of ``objects``; ``include`` is None, Metadata or Object."""
    cells = _CELLS[resource]
    rows = [_row(obj, cells(obj, now), version, include) for obj in objects]
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": metadata,
        "columnDefinitions": _COLUMNS[resource],
        "rows": rows,
    }


def _row(obj: Object, cells: list[Any], version: str, include: str) -> Object:
    if include == "None":
        return {"cells": cells}
    shown = obj if include == "Object" else partial(obj, version)
    return {"cells": cells, "object": shown}


def partial(obj: Object, version: str) -> Object:
    """Return the object's metadata alone."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": obj["metadata"],
    }


def age(obj: Object, now: datetime) -> str:
    """Return how long ago the object was made, as kubectl says it."""
    created = obj["metadata"].get("creationTimestamp")
    if not created:
        return "<unknown>"
    return human_duration(int((now - datetime.fromisoformat(created)).total_seconds()))


def human_duration(seconds: int) -> str:
    """Shorten a duration to two units at most (k8s.io/apimachinery util/duration)."""
    if seconds < -1:
        return "<invalid>"
    if seconds < 120:
        return f"{max(seconds, 0)}s"
    minutes, hours = seconds // 60, seconds // 3600
    if minutes < 10:
        return _two(minutes, "m", seconds % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    if hours < 192:
        return _two(days, "d", hours % 24, "h")
    if days < 365 * 2:
        return f"{days}d"
    if days < 365 * 8:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"

"""Who set which field: ``metadata.managedFields``, kept on every write.

After k8s.io/apimachinery util/managedfields.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from apiserver_shim.objects import fieldset
from apiserver_shim.objects.fieldset import NOTHING, Paths, Topology

Object = dict[str, Any]

MANAGER_LIMIT = 128
UPDATERS_LIMIT = 10
_ANCIENT = "ancient-changes"


class Manager(NamedTuple):
    """Who writes: what one entry of managedFields stands for."""

    name: str
    operation: str = "Update"
    subresource: str = ""
    api_version: str = "v1"


class Owned(NamedTuple):
    """What a manager owns, and since when at the latest."""

    paths: Paths
    time: str


Managed = dict[Manager, Owned]


@dataclass(frozen=True, slots=True)
class Writer:
    """A write about to be tracked: by whom, and when (RFC 3339)."""

    manager: Manager
    time: str


def manager_name(field_manager: str, user_agent: str) -> str:
    """Return the name a writer goes by: what it says, else its program's name."""
    if field_manager:
        return field_manager
    name = "".join(filter(str.isprintable, user_agent.partition("/")[0]))
    return name.encode()[:MANAGER_LIMIT].decode(errors="ignore")


def decode(entries: Any) -> Managed:
    """Read managedFields; raises ValueError when they are not to be understood."""
    managed: Managed = {}
    for entry in entries or ():
        operation = entry.get("operation", "")
        if operation not in {"Apply", "Update"} or entry.get("fieldsType") != "FieldsV1":
            raise ValueError("unknown operation or fieldsType in managedFields")
        manager = Manager(
            entry.get("manager", ""),
            operation,
            entry.get("subresource", ""),
            entry.get("apiVersion", ""),
        )
        managed[manager] = Owned(fieldset.decode(entry.get("fieldsV1")), entry.get("time", ""))
    return managed


def encode(managed: Mapping[Manager, Owned]) -> list[Object]:
    """Return managedFields in upstream's order."""
    entries = [
        _entry(manager, owned.time, fieldset.encode(owned.paths))
        for manager, owned in managed.items()
    ]
    entries.sort(key=lambda e: (e["operation"], e.get("time", ""), e["manager"]))
    return entries


def _entry(manager: Manager, time: str, fields: Object) -> Object:
    entry: Object = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.api_version,
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    if not time:
        del entry["time"]
    if manager.subresource:
        entry["subresource"] = manager.subresource
    return entry


def track_create(obj: Object, of: Topology, writer: Writer, *, server_set: Sequence[str]) -> None:
    """Make the writer of a new object the owner of its fields, save those the server sets."""
    obj["metadata"].pop("managedFields", None)
    given = {name: value for name, value in obj.items() if name not in server_set}
    if fields := fieldset.whole(given, of):
        obj["metadata"]["managedFields"] = [_entry(writer.manager, writer.time, fields)]


def track_update(obj: Object, old: Object, of: Topology, writer: Writer) -> None:
    """Make the writer the owner of what it changed between ``old`` and ``obj``."""
    meta, before = obj["metadata"], old["metadata"].get("managedFields") or []
    given = meta.pop("managedFields", None) or []
    if given == [{}]:
        return  # the way to give managedFields up
    try:
        managed = decode(given) if given and given != before else None
    except (AttributeError, ValueError):
        managed = None
    entries = given if managed else before
    difference = fieldset.compare(old, obj, of)
    if entries and not difference.empty:
        managed = managed or _decoded(entries)
        owner = managed.pop(writer.manager, Owned(NOTHING, writer.time))
        managed = without(managed, difference.changed | difference.removed)
        paths = (owner.paths - difference.removed) | difference.changed
        if paths:
            time = writer.time if difference.changed else owner.time
            managed[writer.manager] = Owned(paths, time)
        entries = encode(_capped(managed))
    if entries:
        meta["managedFields"] = entries


def _decoded(entries: Any) -> Managed:
    try:
        return decode(entries)
    except (AttributeError, ValueError):
        return {}


def without(managed: Mapping[Manager, Owned], paths: Paths) -> Managed:
    """Take ``paths`` from everybody; who then owns nothing is forgotten."""
    left = {manager: Owned(owned.paths - paths, owned.time) for manager, owned in managed.items()}
    return {manager: owned for manager, owned in left.items() if owned.paths}


def _capped(managed: Managed) -> Managed:
    """Fold the oldest updaters into one when there are too many."""
    updaters = [manager for manager in managed if manager.operation == "Update"]
    surplus = len(updaters) - UPDATERS_LIMIT
    if surplus <= 0:
        return managed
    updaters.sort(key=lambda manager: (managed[manager].time, manager))
    oldest = updaters[: surplus + 1]
    paths = NOTHING.union(*(managed[manager].paths for manager in oldest))
    time = managed[oldest[-1]].time
    kept = {manager: owned for manager, owned in managed.items() if manager not in oldest}
    ancient = Manager(_ANCIENT, api_version=oldest[0].api_version)
    return {**kept, ancient: Owned(paths, time)}


def owners(managed: Mapping[Manager, Owned], paths: Paths) -> dict[Manager, Paths]:
    """Return who owns which of ``paths``."""
    found = {manager: owned.paths & paths for manager, owned in managed.items()}
    return {manager: mine for manager, mine in found.items() if mine}


def union(managed: Iterable[Owned]) -> Paths:
    return NOTHING.union(*(owned.paths for owned in managed))

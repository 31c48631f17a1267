"""Server-side apply: an applier says what it wants, owns that, and gives up what it left out.

After k8s.io/apimachinery util/managedfields and sigs.k8s.io/structured-merge-diff merge.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from apiserver_shim.objects import fieldset, managedfields
from apiserver_shim.objects.errors import ApplyConflictError, FieldError
from apiserver_shim.objects.fieldset import Paths, Topology
from apiserver_shim.objects.managedfields import Managed, Manager, Owned

Object = dict[str, Any]

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_KUBECTL = "kubectl"
_BEFORE = "before-first-apply"


@dataclass(frozen=True, slots=True)
class Apply:
    """One apply: the configuration as sent, by whom, and whether by force."""

    config: Object
    manager: Manager
    force: bool = False

    def to(self, live: Object, of: Topology, time: str) -> Object:
        """Return the object as applied over ``live`` at ``time``; raises ApplyConflictError."""
        managed = self._managed(live, of, time)
        merged: Object = fieldset.merge(live, self.config, of)
        applied = fieldset.listed(self.config, of)
        last = managed.get(self.manager)
        managed[self.manager] = Owned(applied, last.time if last else "")
        if last is not None:
            gone = last.paths - managedfields.union(managed.values())
            merged = fieldset.remove(merged, of, _outermost(gone, managed))
        meta = merged["metadata"] = dict(merged["metadata"])
        difference = fieldset.compare(live, merged, of)
        managed = self._settled(live, managed, difference, of)
        changed = not difference.empty or last is None or last.paths != applied
        if applied:
            since = time if changed or last is None else last.time
            managed[self.manager] = Owned(applied, since)
        self._follow_annotation(live, meta)
        entries = managedfields.encode(managed)
        meta["managedFields"] = entries
        if not entries:
            del meta["managedFields"]
        return merged

    def _managed(self, live: Object, of: Topology, time: str) -> Managed:
        entries = live["metadata"].get("managedFields")
        try:
            managed = managedfields.decode(entries)
        except (AttributeError, ValueError):
            managed = {}
        if not managed and live["metadata"].get("uid"):
            # what was there before anybody counted belongs to somebody, so that it can conflict
            paths = fieldset.compare({}, live, of).changed
            if paths:
                before = Manager(_BEFORE, api_version=self.manager.api_version)
                managed[before] = Owned(paths, time)
        return managed

    def _settled(
        self, live: Object, managed: Managed, difference: fieldset.Difference, of: Topology
    ) -> Managed:
        """Take from the others what changes, if they may be robbed."""
        others = {who: owned for who, owned in managed.items() if who != self.manager}
        conflicts = managedfields.owners(others, difference.changed)
        if conflicts and not self.force:
            forgiven = self._forgiven(live, of)
            left = {who: paths - forgiven for who, paths in conflicts.items()}
            left = {who: paths for who, paths in left.items() if paths}
            if left:
                raise _conflict(left)
        return managedfields.without(others, difference.changed | difference.removed)

    def _forgiven(self, live: Object, of: Topology) -> Paths:
        """Return what client-side ``kubectl apply`` set and nobody has changed since."""
        text = (live["metadata"].get("annotations") or {}).get(LAST_APPLIED)
        if self.manager.name != _KUBECTL or not text:
            return fieldset.NOTHING
        try:
            last = orjson.loads(text)
        except orjson.JSONDecodeError:
            return fieldset.NOTHING
        if not isinstance(last, dict):
            return fieldset.NOTHING
        difference = fieldset.compare(last, live, of)
        return fieldset.listed(last, of) - difference.changed - difference.removed

    def _follow_annotation(self, live: Object, meta: Object) -> None:
        """Keep the annotation of client-side apply true, so that kubectl may go back to it."""
        annotations = live["metadata"].get("annotations") or {}
        if self.manager.name == _KUBECTL and LAST_APPLIED in annotations:
            text = orjson.dumps(self.config, option=orjson.OPT_SORT_KEYS).decode() + "\n"
            meta["annotations"] = {**(meta.get("annotations") or {}), LAST_APPLIED: text}


def _outermost(gone: Paths, managed: Managed) -> list[fieldset.Path]:
    """Leave out items that somebody else still owns something in."""
    owned = managedfields.union(managed.values())
    kept = {path[:n] for path in owned for n in range(len(path))}
    return [path for path in gone if path not in kept]


def _conflict(conflicts: dict[Manager, Paths]) -> ApplyConflictError:
    causes = [
        FieldError(fieldset.shown(path), "FieldManagerConflict", f"conflict with {_shown(who)}")
        for who, paths in sorted(conflicts.items())
        for path in sorted(paths)
    ]
    if len(causes) == 1:
        message = f"Apply failed with 1 conflict: {causes[0].body}: {causes[0].field}"
        return ApplyConflictError(message, causes)
    lines = []
    for who, paths in sorted(conflicts.items()):
        lines.append(f"conflicts with {_shown(who)}:")
        lines += [f"- {fieldset.shown(path)}" for path in sorted(paths)]
    listed = "\n".join(lines)
    return ApplyConflictError(f"Apply failed with {len(causes)} conflicts: {listed}", causes)


def _shown(manager: Manager) -> str:
    name = orjson.dumps(manager.name).decode()
    if manager.subresource:
        name += f" with subresource {orjson.dumps(manager.subresource).decode()}"
    return f"{name} using {manager.api_version}" if manager.operation == "Update" else name

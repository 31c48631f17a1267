"""JSON schemas of the kinds served, made from the shapes that bodies are decoded by."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from apiserver_shim.groups import RBAC
from apiserver_shim.objects.fieldset import ATOMIC_STRUCTS
from apiserver_shim.objects.schema import Bytes, Integer, List, Map, Raw, Scalar, Struct, Time, Type
from apiserver_shim.objects.strategy import Strategy

Schema = dict[str, Any]

GVK = "x-kubernetes-group-version-kind"

_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_OF_META = frozenset(
    ("LabelSelector", "LabelSelectorRequirement", "ManagedFieldsEntry", "ObjectMeta")
).union(("OwnerReference",))
_PACKAGES = {"": "io.k8s.api.core.v1.", RBAC: "io.k8s.api.rbac.v1."}
_TYPE_META = {
    "apiVersion": "Version of this representation of the object.",
    "kind": "What the object is.",
}
_SCALARS: Mapping[type, Schema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
}


@cache
def descriptions() -> Mapping[str, Mapping[str, str]]:
    """Return what kinds and their fields mean."""
    found: Mapping[str, Mapping[str, str]] = yaml.safe_load(
        Path(__file__).with_name("fields.yaml").read_text()
    )
    return found


def gvk(strategy: Strategy, kind: str = "") -> Schema:
    return {"group": strategy.group, "kind": kind or strategy.kind, "version": "v1"}


def definition_name(name: str, group: str) -> str:
    return f"{_META if name in _OF_META else _PACKAGES[group]}{name}"


def definitions(strategies: Iterable[Strategy], reference: str) -> dict[str, Schema]:
    """Return every definition by name; ``reference`` is where references point into."""
    found: dict[str, Schema] = {}
    for strategy in strategies:
        _Definitions(strategy, reference, found).add()
    return dict(sorted(found.items()))


class _Definitions:
    """Adds one kind, its list, and what both are made of."""

    def __init__(self, strategy: Strategy, reference: str, found: dict[str, Schema]) -> None:
        self._strategy = strategy
        self._reference = reference
        self._found = found

    def add(self) -> None:
        strategy = self._strategy
        name = self._struct(strategy.shape, "")
        self._found[name][GVK] = [gvk(strategy)]
        kind = f"{strategy.kind}List"
        self._found[definition_name(kind, strategy.group)] = {
            "description": f"A list of objects of kind {strategy.kind}.",
            "type": "object",
            "required": ["items"],
            "properties": {
                **{key: {"type": "string", "description": d} for key, d in _TYPE_META.items()},
                "metadata": {"type": "object", "description": "Version and position of the list."},
                "items": {"type": "array", "items": {"$ref": f"{self._reference}{name}"}},
            },
            GVK: [gvk(strategy, kind)],
        }

    def _struct(self, struct: Struct, path: str) -> str:
        """Add a struct; returns its name."""
        name = definition_name(struct.name, self._strategy.group)
        if name not in self._found:
            texts = descriptions().get(struct.name, {})
            schema: Schema = {"description": texts.get("", ""), "type": "object"}
            self._found[name] = schema
            schema["properties"] = {
                field: self._field(of, f"{path}.{field}" if path else field)
                | {"description": texts.get(field) or _TYPE_META.get(field, "")}
                for field, of in sorted(struct.fields.items())
            }
            if struct.name in ATOMIC_STRUCTS:
                schema["x-kubernetes-map-type"] = "atomic"
        return name

    def _field(self, of: Type, path: str) -> Schema:
        match of:
            case Scalar():
                return dict(_SCALARS[of.accepts])
            case Integer():
                return {"type": "integer", "format": of.go}
            case Bytes():
                return {"type": "string", "format": "byte"}
            case Time():
                return {"type": "string", "format": "date-time"}
            case Raw():
                return {"type": "object"}
            case Map():
                return {"type": "object", "additionalProperties": self._field(of.values, path)}
            case List():
                items = {"type": "array", "items": self._field(of.items, path)}
                return items | self._list_extensions(path)
            case Struct():
                return {"$ref": f"{self._reference}{self._struct(of, path)}"}
        raise TypeError(of)

    def _list_extensions(self, path: str) -> Schema:
        key = self._strategy.merge_lists.get(path)
        if key is None:
            return {"x-kubernetes-list-type": "atomic"}
        merging = {"x-kubernetes-patch-strategy": "merge"}
        if not key:
            return {"x-kubernetes-list-type": "set", **merging}
        return {
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": [key],
            "x-kubernetes-patch-merge-key": key,
            **merging,
        }

"""Which fields an object has, and which differ between two (sigs.k8s.io/structured-merge-diff).

A set of fields is a frozenset of paths; a path is a tuple of elements as FieldsV1 spells them:
``f:name`` for a field, ``k:{"uid":"x"}`` for an item of a list that is a map, ``v:"x"`` for an item
of a list that is a set. Other lists, and references, are atomic: owned whole.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from apiserver_shim.objects.schema import OBJECT_META, List, Map, Struct, Type

Object = dict[str, Any]
Path = tuple[str, ...]
Paths = frozenset[Path]

NOTHING: Paths = frozenset()

_BARE: Paths = frozenset([("f:metadata",)])  # each object has it, so it is nobody's
_UNTRACKED_META = frozenset(
    (
        "creationTimestamp",
        "generation",
        "managedFields",
        "name",
        "namespace",
        "resourceVersion",
        "selfLink",
        "uid",
    )
)
ATOMIC_STRUCTS = frozenset(
    ("LabelSelector", "LocalObjectReference", "ObjectReference", "OwnerReference", "RoleRef")
)


@dataclass(frozen=True, slots=True)
class Topology:
    """How a value is owned: ``form`` is leaf, struct, map, set or keyed (by ``key``)."""

    form: str = "leaf"
    fields: Mapping[str, "Topology"] = field(default_factory=dict)
    key: str = ""
    items: "Topology | None" = None


LEAF = Topology()


class Difference(NamedTuple):
    """The paths that a change added or modified, and those that it removed."""

    changed: Paths
    removed: Paths

    @property
    def empty(self) -> bool:
        return not self.changed and not self.removed


def topology(shape: Struct, lists: Mapping[str, str]) -> Topology:
    """Return how objects of ``shape`` are owned; ``lists`` as ``Strategy.merge_lists``."""
    fields = {
        name: _topology(of, name, lists)
        for name, of in shape.fields.items()
        if name not in {"apiVersion", "kind", "metadata"}
    }
    kept = {
        name: _topology(of, f"metadata.{name}", lists)
        for name, of in OBJECT_META.fields.items()
        if name not in _UNTRACKED_META
    }
    return Topology("struct", {**fields, "metadata": Topology("struct", kept)})


def _topology(of: Type, path: str, lists: Mapping[str, str]) -> Topology:
    if isinstance(of, Map):
        return Topology("map")
    if isinstance(of, Struct) and of.name not in ATOMIC_STRUCTS:
        fields = {name: _topology(t, f"{path}.{name}", lists) for name, t in of.fields.items()}
        return Topology("struct", fields)
    if isinstance(of, List) and path in lists:
        key = lists[path]
        return Topology("keyed", key=key, items=_topology(of.items, path, {})) if key else _SET
    return LEAF


_SET = Topology("set")


@lru_cache(maxsize=1024)
def _key_element(key: str, value: Any) -> str:
    return f"k:{orjson.dumps({key: value}).decode()}"


def _value_element(value: Any) -> str:
    return f"v:{orjson.dumps(value).decode()}"


def _children(value: Any, of: Topology) -> Mapping[str, tuple[Any, Topology]] | None:
    """Return the elements of a value with what they hold; None if it is owned whole."""
    if of.form == "struct" and isinstance(value, dict):
        fields = of.fields
        return {f"f:{k}": (v, fields[k]) for k, v in value.items() if k in fields}
    if of.form == "map" and isinstance(value, dict):
        return {f"f:{k}": (v, LEAF) for k, v in value.items()}
    if of.form == "set" and isinstance(value, list):
        return {_value_element(v): (v, LEAF) for v in value}
    if of.form == "keyed" and isinstance(value, list):
        item, key = of.items or LEAF, of.key
        return {_key_element(key, v.get(key)): (v, item) for v in value if isinstance(v, dict)}
    return None


def list_faults(value: Any, of: Topology, at: str = "") -> Iterator[str]:
    """Yield what keeps the items of lists from being told apart, in upstream's words."""
    if of.form == "struct" and isinstance(value, dict):
        for name, child in value.items():
            yield from list_faults(child, of.fields.get(name, LEAF), f"{at}.{name}")
    if of.form not in {"set", "keyed"} or not isinstance(value, list):
        return
    seen: set[str] = set()
    for index, item in enumerate(value):
        if of.form == "keyed" and of.key not in item:
            omits = f'an element that omits key field "{of.key}" (and doesn\'t have default value)'
            yield f"{at}: element {index}: associative list with keys has {omits}"
            continue
        shown = orjson.dumps(item.get(of.key) if of.form == "keyed" else item).decode()
        if shown in seen:
            yield f"{at}: duplicate entries for key [{of.key}={shown}]"
        seen.add(shown)


def listed(obj: Object, of: Topology) -> Paths:
    """Return the fields that an applied configuration names."""
    found: set[Path] = set()
    _list(obj, of, (), found)
    return frozenset(found - _BARE)


def _list(value: Any, of: Topology, at: Path, found: set[Path]) -> None:
    children = _children(value, of)
    if children is None or (not children and at):
        found.add(at)
        return
    for element, (child, child_of) in children.items():
        path = (*at, element)
        if of.form != "struct":
            found.add(path)
        _list(child, child_of, path, found)


def whole(obj: Object, of: Topology) -> Object:
    """Return, as FieldsV1, all that a new object has: what ``compare`` with nothing would say.

    Written apart because every create passes here.
    """
    fields = _whole(obj, of)
    fields.pop(".", None)
    meta = fields.get("f:metadata", {})
    meta.pop(".", None)
    if not meta:
        fields.pop("f:metadata", None)
    return fields


def _whole(value: Any, of: Topology) -> Object:
    children = _children(value, of)
    if not children:
        return {}
    node: Object = {".": {}}
    for element in sorted(children):
        child, child_of = children[element]
        node[element] = {} if child_of is LEAF else _whole(child, child_of)
    return node


def compare(old: Object, new: Object, of: Topology) -> Difference:
    """Return what differs; a container that comes or goes is a path of its own."""
    changed: set[Path] = set()
    removed: set[Path] = set()
    _compare(old, new, of, (), (changed, removed))
    return Difference(frozenset(changed - _BARE), frozenset(removed - _BARE))


def _compare(
    old: Any, new: Any, of: Topology, at: Path, found: tuple[set[Path], set[Path]]
) -> None:
    if old == new:
        return
    before = None if old is None else _children(old, of)
    after = None if new is None else _children(new, of)
    if before is None and after is None:
        found[new is None].add(at)
        return
    if at and (old is None or new is None):
        found[new is None].add(at)
    before, after = before or {}, after or {}
    for element in before.keys() | after.keys():
        was, child_of = before.get(element) or (None, LEAF)
        now, child_of = after.get(element) or (None, child_of)
        _compare(was, now, child_of, (*at, element), found)


def encode(paths: Paths) -> Object:
    """Return FieldsV1: elements nested, ``.`` for a container that is itself owned."""
    root: Object = {}
    for path in sorted(paths):
        node = root
        for element in path[:-1]:
            node = node.setdefault(element, {})
        node[path[-1]] = {}
    _dot(root, (), paths)
    return root


def _dot(node: Object, at: Path, paths: Paths) -> None:
    for element, child in node.items():
        if child:
            path = (*at, element)
            _dot(child, path, paths)
            if path in paths:
                node[element] = {".": {}, **child}


def decode(fields: Any) -> Paths:
    """Read FieldsV1; raises ValueError."""
    found: set[Path] = set()
    _decode(fields, (), found)
    return frozenset(found)


def _decode(node: Any, at: Path, found: set[Path]) -> None:
    if not isinstance(node, dict):
        raise ValueError("FieldsV1 is made of objects")  # noqa: TRY004 - it is from a client
    if at and not node:
        found.add(at)
    for element, child in node.items():
        if element == ".":
            # of the whole object it says nothing
            if at:
                found.add(at)
        elif element[:2] in {"f:", "k:", "v:", "i:"}:
            _decode(child, (*at, element), found)
        else:
            raise ValueError(f"unknown path element {element!r}")


def shown(path: Path) -> str:
    """Return a path as conflicts name it: ``.metadata.ownerReferences[uid="x"]``."""
    return "".join(map(_shown, path))


def _shown(element: str) -> str:
    kind, rest = element[:2], element[2:]
    if kind == "f:":
        return f".{rest}"
    if kind == "v:":
        return f"[={rest}]"
    pairs = orjson.loads(rest).items()
    return f"[{','.join(f'{k}={orjson.dumps(v).decode()}' for k, v in pairs)}]"


def remove(value: Any, of: Topology, paths: Iterable[Path]) -> Any:
    """Return ``value`` without ``paths``, nor the containers that are empty without them."""
    by_element: dict[str, list[Path]] = {}
    for path in paths:
        by_element.setdefault(path[0], []).append(path[1:])
    children = _children(value, of)
    if not children or not by_element:
        return value
    kept: list[tuple[str, Any]] = []
    for element, (child, child_of) in children.items():
        below = by_element.get(element)
        if below is None:
            kept.append((element, child))
        elif () not in below:
            rest = remove(child, child_of, below)
            if rest not in ({}, []):
                kept.append((element, rest))
    if isinstance(value, list):
        return [child for _, child in kept]
    rest = {element[2:]: child for element, child in kept}
    # what is not tracked stays
    return {k: rest.get(k, v) for k, v in value.items() if k in rest or f"f:{k}" not in children}


def merge(live: Any, applied: Any, of: Topology) -> Any:
    """Lay an applied configuration over the live value."""
    if of.form in {"struct", "map"} and isinstance(live, dict) and isinstance(applied, dict):
        merged = dict(live)
        for key, value in applied.items():
            child_of = of.fields.get(key, LEAF) if of.form == "struct" else LEAF
            merged[key] = merge(live.get(key), value, child_of)
        return merged
    if of.form == "set" and isinstance(live, list) and isinstance(applied, list):
        return [*live, *(item for item in applied if item not in live)]
    if of.form == "keyed" and isinstance(live, list) and isinstance(applied, list):
        return _merge_keyed(live, applied, of)
    return applied


def _merge_keyed(live: list[Any], applied: list[Any], of: Topology) -> list[Any]:
    wanted = {item.get(of.key): item for item in applied}
    item_of = of.items or LEAF
    merged = [
        merge(item, wanted.pop(item.get(of.key)), item_of) if item.get(of.key) in wanted else item
        for item in live
    ]
    return [*merged, *wanted.values()]

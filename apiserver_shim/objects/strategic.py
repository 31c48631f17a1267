"""Strategic merge patch: a merge patch that knows which lists merge, and by what.

After k8s.io/apimachinery util/strategicpatch.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from apiserver_shim.objects.errors import BadRequestError

Object = dict[str, Any]

_DELETE_FROM = "$deleteFromPrimitiveList/"
_SET_ORDER = "$setElementOrder/"


def apply(obj: Object, patch: Any, merge_lists: Mapping[str, str]) -> Object:
    """Return ``obj`` patched; raises BadRequestError. ``merge_lists`` as in ``Strategy``."""
    if not isinstance(patch, dict):
        raise BadRequestError("invalid JSON patch")
    return _merge_map(obj, patch, "", merge_lists)


def _merge_map(original: Object, patch: Object, path: str, lists: Mapping[str, str]) -> Object:
    directive = patch.get("$patch", "merge")
    if directive == "replace":
        return {k: v for k, v in patch.items() if k != "$patch"}
    if directive == "delete":
        return {}
    if directive != "merge":
        raise BadRequestError(f"unknown patch type {directive} found in map")
    merged = dict(original)
    _retain(merged, patch)
    for key, value in patch.items():
        if key.startswith(_DELETE_FROM):
            name = key.removeprefix(_DELETE_FROM)
            removed = set(_strings(value))
            merged[name] = [item for item in merged.get(name) or [] if not _is_in(item, removed)]
        elif key.startswith("$"):
            continue
        elif value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value, f"{path}.{key}" if path else key, lists)
    for key, value in patch.items():
        if key.startswith(_SET_ORDER):
            _order(merged, key.removeprefix(_SET_ORDER), value, path, lists)
    return merged


def _retain(merged: Object, patch: Object) -> None:
    if "$retainKeys" not in patch:
        return
    kept = _strings(patch["$retainKeys"])
    stray = [k for k, v in patch.items() if not k.startswith("$") and v is not None]
    if not set(stray) <= set(kept):
        raise BadRequestError("patch content doesn't match its $retainKeys list")
    for key in merged.keys() - set(kept):
        del merged[key]


def _strings(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadRequestError("invalid patch format of a directive: a list of strings is expected")
    return value


def _merge(original: Any, value: Any, path: str, lists: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return _merge_map(original if isinstance(original, dict) else {}, value, path, lists)
    if isinstance(value, list) and path in lists:
        return _merge_list(original if isinstance(original, list) else [], value, lists[path])
    return value


def _merge_list(original: list[Any], patch: list[Any], key: str) -> list[Any]:
    if not key:
        present = set(map(_identity, original))
        return [*original, *(item for item in patch if _identity(item) not in present)]
    items = [item for item in patch if not _is_replace(item)]
    if len(items) != len(patch):
        return items
    merged = _KeyedList(original, key)
    for item in items:
        merged.merge(item)
    return merged.items()


def _is_replace(item: Any) -> bool:
    return isinstance(item, dict) and item.get("$patch") == "replace"


def _identity(value: Any) -> Any:
    """Return something that is equal for equal values, and can be looked up."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS) if _is_nested(value) else value


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict | list)


def _is_in(item: Any, texts: set[str]) -> bool:
    return isinstance(item, str) and item in texts


class _KeyedList:
    """A list under way, with where each key stands: patches may be as long as lists."""

    def __init__(self, items: list[Any], key: str) -> None:
        self._key = key
        self._items: dict[int, Any] = dict(enumerate(items))  # a deleted one leaves a gap
        self._places: dict[Any, list[int]] = {}  # the first one last
        for at in reversed(range(len(items))):
            found = items[at].get(key) if isinstance(items[at], dict) else None
            self._places.setdefault(_identity(found), []).append(at)
        self._next = len(items)

    def items(self) -> list[Any]:
        return list(self._items.values())

    def merge(self, item: Any) -> None:
        key = self._key
        if not isinstance(item, dict) or key not in item:
            raise BadRequestError(f"map: {item} does not contain declared merge key: {key}")
        places = self._places.setdefault(_identity(item[key]), [])
        if item.get("$patch") == "delete":
            if places:
                del self._items[places.pop()]
        elif places:
            at = places[-1]
            self._items[at] = _merge_map(self._items[at], item, "", {})
        else:
            self._items[self._next] = _merge_map({}, item, "", {})
            places.append(self._next)
            self._next += 1


def _order(merged: Object, name: str, order: Any, path: str, lists: Mapping[str, str]) -> None:
    """Put the items the patch names into its order; each other one stays behind its neighbour."""
    items = merged.get(name)
    key = lists.get(f"{path}.{name}" if path else name)
    if not isinstance(items, list) or not isinstance(order, list) or key is None:
        return

    def identity(item: Any) -> Any:
        return _identity(item.get(key) if key and isinstance(item, dict) else item)

    ranks: dict[Any, int] = {}
    for item in order:
        ranks.setdefault(identity(item), len(ranks))
    first: list[Any] = []
    named: list[tuple[int, list[Any]]] = []  # (its rank, it and those that stay behind it)
    behind = first
    for item in items:
        rank = ranks.get(identity(item))
        if rank is None:
            behind.append(item)
        else:
            behind = [item]
            named.append((rank, behind))
    named.sort(key=lambda ranked: ranked[0])
    merged[name] = [*first, *(item for _, group in named for item in group)]

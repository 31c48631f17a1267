"""Strategic merge patch: a merge patch that knows which lists merge, and by what.

After k8s.io/apimachinery util/strategicpatch.
"""

from collections.abc import Mapping
from typing import Any

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
            removed = _strings(value)
            merged[name] = [item for item in merged.get(name) or [] if item not in removed]
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
        return [*original, *(item for item in patch if item not in original)]
    items = [item for item in patch if not _is_replace(item)]
    if len(items) != len(patch):
        return items
    merged = list(original)
    for item in items:
        _merge_item(merged, item, key)
    return merged


def _is_replace(item: Any) -> bool:
    return isinstance(item, dict) and item.get("$patch") == "replace"


def _merge_item(merged: list[Any], item: Any, key: str) -> None:
    if not isinstance(item, dict) or key not in item:
        raise BadRequestError(f"map: {item} does not contain declared merge key: {key}")
    at = next((i for i, old in enumerate(merged) if old.get(key) == item[key]), None)
    if item.get("$patch") == "delete":
        if at is not None:
            del merged[at]
    elif at is None:
        merged.append(_merge_map({}, item, "", {}))
    else:
        merged[at] = _merge_map(merged[at], item, "", {})


def _order(merged: Object, name: str, order: Any, path: str, lists: Mapping[str, str]) -> None:
    """Put the items the patch names into its order; each other one stays behind its neighbour."""
    items = merged.get(name)
    key = lists.get(f"{path}.{name}" if path else name)
    if not isinstance(items, list) or not isinstance(order, list) or key is None:
        return

    def identity(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, dict) else item

    wanted = [identity(item) for item in order]
    named = [item for item in items if identity(item) in wanted]
    ordered = sorted(named, key=lambda item: wanted.index(identity(item)))
    for index, item in enumerate(items):
        if identity(item) not in wanted:
            before = items[index - 1] if index else None
            ordered.insert(ordered.index(before) + 1 if before in ordered else 0, item)
    merged[name] = ordered

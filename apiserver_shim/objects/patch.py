"""JSON merge patch (RFC 7386) and JSON patch (RFC 6902).

Neither changes the object it is given.
"""

from collections.abc import Callable
from typing import Any

import orjson

from apiserver_shim.objects.errors import BadRequestError, UnprocessablePatchError

Object = dict[str, Any]

OPERATIONS_LIMIT = 10_000
COPY_LIMIT = 3 * 1024 * 1024
_SHIFT_LIMIT = 20_000_000  # items of lists moved up or down, in all


def merge(target: Any, patch: Any) -> Any:
    """Apply a merge patch: maps merge, null deletes, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def apply_json_patch(obj: Object, operations: Any) -> Object:
    """Apply a JSON patch; raises BadRequestError or UnprocessablePatchError."""
    if not isinstance(operations, list) or not all(isinstance(op, dict) for op in operations):
        raise BadRequestError("invalid JSON patch")
    if len(operations) > OPERATIONS_LIMIT:
        raise UnprocessablePatchError(
            f"The allowed maximum operations in a JSON patch is {OPERATIONS_LIMIT}, "
            f"got {len(operations)}"
        )
    document = _Document(_deep_copy(obj))
    for operation in operations:
        document.apply(operation)
    return document.root


def _deep_copy(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value))


class _Document:
    """The object while operations work on it."""

    def __init__(self, root: Object) -> None:
        self.root = root
        self._copied = 0
        self._shifted = 0
        self._by_name: dict[str, Callable[[Object], None]] = {
            "add": lambda op: self._add(_pointer(op, "path"), _value(op)),
            "remove": lambda op: self._remove(_pointer(op, "path"), "remove"),
            "replace": self._replace,
            "move": self._move,
            "copy": self._copy,
            "test": self._test,
        }

    def apply(self, operation: Object) -> None:
        run = self._by_name.get(str(operation.get("op")))
        if run is None:
            raise UnprocessablePatchError(f"Unexpected kind: {operation.get('op')}")
        run(operation)

    def _parent(self, path: list[str], name: str) -> Any:
        parent: Any = self.root
        for part in path[:-1]:
            parent = self._child(parent, part, path, name)
        if not isinstance(parent, dict | list):
            raise _missing(name, path)
        return parent

    def _child(self, parent: Any, part: str, path: list[str], name: str) -> Any:
        if isinstance(parent, dict) and part in parent:
            return parent[part]
        if isinstance(parent, list):
            return parent[_index(part, len(parent), path, name)]
        raise _missing(name, path)

    def _get(self, path: list[str], name: str) -> Any:
        return self._child(self._parent(path, name), path[-1], path, name) if path else self.root

    def _add(self, path: list[str], value: Any, name: str = "add") -> None:
        if not path:
            self._become(value)
            return
        parent = self._parent(path, name)
        if isinstance(parent, dict):
            parent[path[-1]] = value
        elif path[-1] == "-":
            parent.append(value)
        else:
            self._shift(parent)
            parent.insert(_index(path[-1], len(parent) + 1, path, name), value)

    def _shift(self, items: list[Any]) -> None:
        self._shifted += len(items)
        if self._shifted > _SHIFT_LIMIT:
            raise UnprocessablePatchError("the patch moves too many items of its lists")

    def _become(self, value: Any) -> None:
        if not isinstance(value, dict):
            raise UnprocessablePatchError("the patched document is not an object")
        self.root = value

    def _remove(self, path: list[str], name: str) -> Any:
        if not path:
            raise _missing(name, path)
        value = self._get(path, name)
        parent = self._parent(path, name)
        if isinstance(parent, dict):
            del parent[path[-1]]
        else:
            self._shift(parent)
            del parent[_index(path[-1], len(parent), path, name)]
        return value

    def _replace(self, operation: Object) -> None:
        path, value = _pointer(operation, "path"), _value(operation)
        if not path:
            self._become(value)
            return
        self._get(path, "replace")
        parent = self._parent(path, "replace")
        key = path[-1] if isinstance(parent, dict) else int(path[-1])
        parent[key] = value

    def _move(self, operation: Object) -> None:
        source, target = _pointer(operation, "from"), _pointer(operation, "path")
        if target[: len(source)] == source and target != source:
            raise UnprocessablePatchError("move operation does not apply: into its own child")
        self._add(target, self._remove(source, "move"), "move")

    def _copy(self, operation: Object) -> None:
        encoded = _encoded(self._get(_pointer(operation, "from"), "copy"))
        # a few dozen copies of the document into itself would fill any memory
        self._copied += len(encoded)
        if self._copied > COPY_LIMIT:
            raise UnprocessablePatchError(
                f"Unable to complete the copy, the accumulated size increase of copy is "
                f"{self._copied}, exceeding the limit {COPY_LIMIT}"
            )
        self._add(_pointer(operation, "path"), orjson.loads(encoded), "copy")

    def _test(self, operation: Object) -> None:
        path, wanted = _pointer(operation, "path"), operation.get("value")
        try:
            found = self._get(path, "test")
        except UnprocessablePatchError:
            # the library upstream uses lets null stand for absence
            if wanted is None:
                return
            raise
        if not _same(found, wanted):
            raise UnprocessablePatchError(f"testing value {_shown(path)} failed: test failed")


def _same(left: Any, right: Any) -> bool:
    # Python holds True == 1, JSON does not
    return _encoded(left) == _encoded(right)


def _encoded(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        raise UnprocessablePatchError("the document has become nested too deeply") from None


def _pointer(operation: Object, field: str) -> list[str]:
    text = operation.get(field)
    if not isinstance(text, str):
        raise UnprocessablePatchError(f'operation missing "{field}" field')
    if text and not text.startswith("/"):
        raise UnprocessablePatchError(f'"{text}" is not a JSON pointer')
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _value(operation: Object) -> Any:
    if "value" not in operation:
        raise UnprocessablePatchError('operation missing "value" field')
    return operation["value"]


def _index(part: str, length: int, path: list[str], name: str) -> int:
    if not part.isascii() or not part.isdigit() or int(part) >= length:
        raise _missing(name, path)
    return int(part)


def _shown(path: list[str]) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def _missing(name: str, path: list[str]) -> UnprocessablePatchError:
    return UnprocessablePatchError(
        f'{name} operation does not apply: doc is missing path: "{_shown(path)}": missing value'
    )

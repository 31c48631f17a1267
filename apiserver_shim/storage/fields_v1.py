"""metav1.FieldsV1: any JSON, kept as text in a message of its own."""

import re
from typing import Any

import orjson

from apiserver_shim.storage.wire import LENGTH_DELIMITED, Field, Message, delimited, payload, tag_of

# Inside of a list or a watch event it must still be written; orjson writes 254 levels.
_DEEPEST = 100
_NULL = b"null"
_RAW = Message(payload(1, "raw"))
# brackets, and strings whole, as brackets in them do not count
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[][{}]')


def fields_v1(number: int, name: str) -> Field:
    """A FieldsV1, whose field 1 holds JSON text; raises ValueError for what nobody could write."""
    tag, _ = tag_of(number, LENGTH_DELIMITED)

    def write(out: list[bytes], value: Any) -> None:
        raw = orjson.dumps(value)
        if raw != _NULL:
            _check_depth(raw)
            out.append(delimited(tag, delimited(b"\x0a", raw)))

    def read(obj: dict[str, Any], value: bytes) -> None:
        raw = _RAW.decode(value).get("raw", b"") or b"{}"
        if raw != _NULL:
            obj[name] = orjson.loads(raw)
            _check_depth(raw)

    return Field(number << 3 | LENGTH_DELIMITED, name, write, read)


def _check_depth(raw: bytes) -> None:
    """Refuse valid JSON that is nested too deeply."""
    if raw.count(b"{") + raw.count(b"[") <= _DEEPEST:
        return
    depth = 0
    for token in _BRACKETS.findall(raw):
        if token in {b"{", b"["}:
            depth += 1
        elif token in {b"}", b"]"}:
            depth -= 1
        if depth > _DEEPEST:
            raise ValueError("nested too deeply")

"""Objects as Kubernetes protobuf: ``k8s\\0``, then runtime.Unknown around the object's message.

JSON stored by somebody else is read as well; upstream tells the two apart by their first bytes.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from apiserver_shim.errors import DecodeError, EncodeError
from apiserver_shim.storage.kinds import API_VERSIONS, BODIES, STORED
from apiserver_shim.storage.wire import Message, delimited, message, payload, text

MAGIC = b"k8s\x00"

_NO_CONTENT_TYPE = b"\x1a\x00\x22\x00"  # contentEncoding and contentType: empty, always written
_MISFIT = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)
_UNKNOWN = Message(
    message(1, "type", Message(text(1, "apiVersion"), text(2, "kind"))),
    payload(2, "raw"),
)


def _head(api_version: str, kind: str) -> bytes:
    type_meta = delimited(b"\x0a", api_version.encode()) + delimited(b"\x12", kind.encode())
    return MAGIC + delimited(b"\x0a", type_meta)


_STORED_HEADS = {kind: _head(API_VERSIONS.get(kind, "v1"), kind) for kind in STORED}


def encode(obj: Mapping[str, Any]) -> bytes:
    """Encode one of the stored kinds, with resourceVersion and selfLink left blank."""
    try:
        kind = obj["kind"]
        return _framed(kind, STORED[kind].encode(obj))
    except _MISFIT as error:
        raise EncodeError(f"unable to encode {obj.get('kind')}: {error}") from None


def as_stored(obj: Mapping[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """Return (the encoding of ``obj``, the object that will be read from it).

    Every write passes here, so that what is written can be read, and writer and reader see the
    same: raises EncodeError where that cannot be.
    """
    try:
        kind = obj["kind"]
        of = STORED[kind]
        raw = of.encode(obj)
        read = {"kind": kind, "apiVersion": API_VERSIONS.get(kind, "v1"), **of.decode(raw)}
    except _MISFIT as error:
        raise EncodeError(f"unable to encode {obj.get('kind')}: {error}") from None
    return _framed(kind, raw), read


def _framed(kind: str, raw: bytes) -> bytes:
    return b"".join((_STORED_HEADS[kind], delimited(b"\x12", raw), _NO_CONTENT_TYPE))


def decode(data: bytes, kind: str = "") -> dict[str, Any]:
    """Decode a stored value, protobuf or JSON; ``metadata`` is always there.

    Every field has its type, whoever wrote it. Raises DecodeError, also for an object of another
    ``kind`` than asked for.
    """
    if not data:
        raise DecodeError("empty data")
    if data.startswith(MAGIC):
        obj = _decode(data, STORED)
        found, version = obj["kind"], obj["apiVersion"]
    else:
        obj = _parsed(data)
        found, version = obj.get("kind") or kind, obj.get("apiVersion")
    known = isinstance(found, str) and found in STORED
    if not known or version != API_VERSIONS.get(found, "v1"):
        raise DecodeError(_unregistered(found, version))
    if kind and found != kind:
        raise DecodeError(
            f"converting ({version.rpartition('/')[2]}.{found}) to (core.{kind}): "
            "unknown conversion"
        )
    if not data.startswith(MAGIC):
        try:
            obj = as_stored({**obj, "kind": found})[1]
        except EncodeError as error:
            raise DecodeError(f"unable to decode the stored value: {error.message}") from None
    obj.setdefault("metadata", {})
    return obj


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        stored = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise DecodeError(f"unable to decode the stored value: {error}") from None
    if not isinstance(stored, dict) or not isinstance(stored.get("metadata"), dict):
        raise DecodeError("unable to decode the stored value: not an object")
    return stored


def encode_body(obj: Mapping[str, Any]) -> bytes:
    """Encode a response: one of the stored kinds, their lists, Status or a review."""
    try:
        kind = obj["kind"]
        raw = BODIES[kind].encode(obj)
        head = _head(obj["apiVersion"], kind)
        return b"".join((head, delimited(b"\x12", raw), _NO_CONTENT_TYPE))
    except _MISFIT as error:
        raise EncodeError(f"unable to encode {obj.get('kind')}: {error}") from None


def decode_body(data: bytes) -> dict[str, Any]:
    """Decode a request body in protobuf."""
    if not data:
        raise DecodeError("empty data")
    if not data.startswith(MAGIC):
        raise DecodeError(
            "provided data does not appear to be a protobuf message, "
            f"expected prefix [{' '.join(str(byte) for byte in MAGIC)}]"
        )
    return _decode(data, BODIES)


def _decode(data: bytes, messages: Mapping[str, Message]) -> dict[str, Any]:
    try:
        unknown = _UNKNOWN.decode(data[len(MAGIC) :])
        type_meta = unknown["type"]
        kind, api_version = type_meta.get("kind", ""), type_meta.get("apiVersion", "")
        of = messages.get(kind)
        if of is None:
            raise DecodeError(_unregistered(kind, api_version))
        return {"kind": kind, "apiVersion": api_version, **of.decode(unknown.get("raw", b""))}
    except _MISFIT as error:
        raise DecodeError(f"unable to decode the message: {error}") from None


def _unregistered(kind: Any, api_version: Any) -> str:
    return f'no kind "{kind}" is registered for version "{api_version}" in scheme'

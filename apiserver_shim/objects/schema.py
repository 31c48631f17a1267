"""The shape of JSON objects: what a field may hold, and which fields there are.

Decoding drops what the kind does not know, as Go's typed decoder does, and reports it for
``fieldValidation``. Error texts are those of Go's encoding/json.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from apiserver_shim import go_base64
from apiserver_shim.objects.errors import BadRequestError
from apiserver_shim.storage import times

Object = dict[str, Any]


@dataclass(slots=True)
class Place:
    """Where the decoder stands, for messages, and the unknown fields it met so far."""

    struct: str
    unknown: list[str]


class Type(Protocol):
    @property
    def go(self) -> str: ...

    def read(self, value: Any, path: str, place: Place) -> Any:
        """Return ``value`` without unknown fields; raises BadRequestError with Go's text."""


def _mismatch(value: Any, go: str, path: str, place: Place) -> BadRequestError:
    if isinstance(value, bool):
        found = "bool"
    elif isinstance(value, int | float):
        found = f"number {value!r}" if go.startswith("int") else "number"
    else:
        found = {"str": "string", "list": "array"}.get(type(value).__name__, "object")
    field = re.sub(r"\[\d+\]", "", path)
    where = f"Go struct field {place.struct}.{field}" if field else "Go value"
    return BadRequestError(f"json: cannot unmarshal {found} into {where} of type {go}")


@dataclass(frozen=True, slots=True)
class Scalar:
    go: str
    accepts: type

    def read(self, value: Any, path: str, place: Place) -> Any:
        if type(value) is not self.accepts:
            raise _mismatch(value, self.go, path, place)
        return value


@dataclass(frozen=True, slots=True)
class Integer:
    bits: int = 64

    @property
    def go(self) -> str:
        return f"int{self.bits}"

    def read(self, value: Any, path: str, place: Place) -> Any:
        limit = 1 << self.bits - 1
        if type(value) is not int or not -limit <= value < limit:
            raise _mismatch(value, self.go, path, place)
        return value


@dataclass(frozen=True, slots=True)
class Bytes:
    go: str = "[]uint8"

    def read(self, value: Any, path: str, place: Place) -> Any:
        if type(value) is not str:
            raise _mismatch(value, self.go, path, place)
        try:
            decoded = go_base64.decode(value)
        except go_base64.CorruptInputError as error:
            raise BadRequestError(str(error)) from None
        # as it will be read back: the last letter may hold bits that nobody sees
        return binascii.b2a_base64(decoded, newline=False).decode()


@dataclass(frozen=True, slots=True)
class Time:
    """A moment as it will be read back: in UTC, whole seconds or (``micro``) microseconds."""

    micro: bool = False
    go: str = "string"

    def read(self, value: Any, path: str, place: Place) -> Any:
        if type(value) is not str:
            raise _mismatch(value, self.go, path, place)
        try:
            return times.read_micro_time(value) if self.micro else times.read_time(value)
        except ValueError as error:
            raise BadRequestError(str(error)) from None


@dataclass(frozen=True, slots=True)
class Raw:
    """Any JSON value, kept as it is."""

    go: str = "interface {}"

    def read(self, value: Any, path: str, place: Place) -> Any:  # noqa: ARG002 - the protocol's
        return value


@dataclass(frozen=True, slots=True)
class Map:
    values: Type

    @property
    def go(self) -> str:
        return f"map[string]{self.values.go}"

    def read(self, value: Any, path: str, place: Place) -> Any:
        if type(value) is not dict:
            raise _mismatch(value, self.go, path, place)
        zero = "" if isinstance(self.values, Scalar | Bytes) else {}
        read = self.values.read
        return {k: zero if v is None else read(v, path, place) for k, v in value.items()}


@dataclass(frozen=True, slots=True)
class List:
    items: Type

    @property
    def go(self) -> str:
        return f"[]{self.items.go}"

    def read(self, value: Any, path: str, place: Place) -> Any:
        if type(value) is not list:
            raise _mismatch(value, self.go, path, place)
        zero: Any = {} if isinstance(self.items, Struct) else ""
        return [
            zero if item is None else self.items.read(item, f"{path}[{i}]", place)
            for i, item in enumerate(value)
        ]


@dataclass(frozen=True, slots=True)
class Struct:
    name: str
    fields: Mapping[str, Type]

    @property
    def go(self) -> str:
        return f"v1.{self.name}"

    def read(self, value: Any, path: str, place: Place) -> Any:
        if type(value) is not dict:
            raise _mismatch(value, self.go, path, place)
        outer, place.struct = place.struct, self.name
        known = self.fields
        read: Object = {}
        for key, item in value.items():
            at = f"{path}.{key}" if path else key
            field = known.get(key)
            if field is None:
                place.unknown.append(at)
            # null is nothing, and so is what a field reads as None: the zero time
            elif item is not None and (found := field.read(item, at, place)) is not None:
                read[key] = found
        place.struct = outer
        return read


STRING = Scalar("string", str)
BOOL = Scalar("bool", bool)
INT, INT32 = Integer(), Integer(32)
STRINGS = Map(STRING)

OWNER_REFERENCE = Struct(
    "OwnerReference",
    {
        "apiVersion": STRING,
        "kind": STRING,
        "name": STRING,
        "uid": STRING,
        "controller": BOOL,
        "blockOwnerDeletion": BOOL,
    },
)
MANAGED_FIELDS = Struct(
    "ManagedFieldsEntry",
    {
        "manager": STRING,
        "operation": STRING,
        "apiVersion": STRING,
        "time": Time(),
        "fieldsType": STRING,
        "fieldsV1": Raw(),
        "subresource": STRING,
    },
)
OBJECT_META = Struct(
    "ObjectMeta",
    {
        "name": STRING,
        "generateName": STRING,
        "namespace": STRING,
        "selfLink": STRING,
        "uid": STRING,
        "resourceVersion": STRING,
        "generation": INT,
        "creationTimestamp": Time(),
        "deletionTimestamp": Time(),
        "deletionGracePeriodSeconds": INT,
        "labels": STRINGS,
        "annotations": STRINGS,
        "ownerReferences": List(OWNER_REFERENCE),
        "finalizers": List(STRING),
        "managedFields": List(MANAGED_FIELDS),
    },
)
_REFERENCE_FIELDS = (
    "kind",
    "namespace",
    "name",
    "uid",
    "apiVersion",
    "resourceVersion",
    "fieldPath",
)
OBJECT_REFERENCE = Struct("ObjectReference", dict.fromkeys(_REFERENCE_FIELDS, STRING))


def top_level(kind: str, fields: Mapping[str, Type]) -> Struct:
    """Return the shape of an API object: type, metadata and its own fields."""
    return Struct(kind, {"apiVersion": STRING, "kind": STRING, "metadata": OBJECT_META, **fields})


def read_object(value: Any, shape: Struct) -> tuple[Object, list[str]]:
    """Return (the object with known fields only, the paths of the unknown ones)."""
    unknown: list[str] = []
    obj: Object = shape.read(value, "", Place(shape.name, unknown))
    return obj, unknown


def decoded_size(data: Mapping[str, str]) -> int:
    """Return how many bytes base64 values hold, without decoding them."""
    return sum(len(v) // 4 * 3 - (v.endswith("=") + v.endswith("==")) for v in data.values())


def decode_bytes(value: str) -> bytes:
    return base64.b64decode(value)

"""Protobuf messages as tables of fields, between bytes and JSON-form dicts.

Kubernetes' messages are proto2 with fields that are emitted even when empty, so that equal objects
have equal bytes; ordinary generated code does not reproduce that. Each field here is a pair of
closures, built once a table: one writes a JSON value, one reads a decoded payload.
"""

import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

Write = Callable[[list[bytes], Any], None]
Read = Callable[[dict[str, Any], Any], None]

_SMALL = tuple(bytes([n]) for n in range(128))
_VARINT, _I64, LENGTH_DELIMITED, _I32 = 0, 1, 2, 5


class Field(NamedTuple):
    """One field: its tag (number and wire type), its JSON name, and how to write and read it."""

    tag: int
    name: str
    write: Write
    read: Read


class Message:
    """A message type. Fields are written in the order given, which must be ascending."""

    def __init__(self, *fields: Field) -> None:
        self._writers = tuple((field.name, field.write) for field in fields)
        self._readers = {field.tag: field.read for field in fields}

    def encode(self, obj: Mapping[str, Any]) -> bytes:
        """Encode ``obj``; raises ValueError, TypeError or AttributeError for a misfit value."""
        out: list[bytes] = []
        get = obj.get
        for name, write in self._writers:
            write(out, get(name))
        return b"".join(out)

    def decode(self, data: bytes) -> dict[str, Any]:
        """Decode, skipping unknown fields; raises ValueError or IndexError for malformed bytes."""
        obj: dict[str, Any] = {}
        readers = self._readers
        at, end = 0, len(data)
        while at < end:
            # Tags and lengths are mostly single bytes, read here without a call.
            tag, at = data[at], at + 1
            if tag > 127:
                tag, at = read_varint(data, at - 1)
            wire_type = tag & 7
            value: bytes | int
            if wire_type == LENGTH_DELIMITED:
                size, at = data[at], at + 1
                if size > 127:
                    size, at = read_varint(data, at - 1)
                stop = at + size
                value = data[at:stop]
                at = stop
            elif wire_type == _VARINT:
                value, at = read_varint(data, at)
            elif wire_type in (_I64, _I32):
                at += 8 if wire_type == _I64 else 4
                value = b""
            else:
                raise ValueError(f"proto: illegal wireType {wire_type}")
            if at > end:
                raise ValueError("unexpected EOF")
            read = readers.get(tag)
            if read is not None:
                read(obj, value)
        return obj


def varint(number: int) -> bytes:
    """Encode a varint; negative numbers take ten bytes, as int64 does."""
    if 0 <= number < 128:
        return _SMALL[number]
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a varint at ``at``; return it and the place after it."""
    byte = data[at]
    if byte < 128:
        return byte, at + 1
    number, shift = byte & 127, 7
    while True:
        at += 1
        byte = data[at]
        number |= (byte & 127) << shift
        if byte < 128:
            return number & (1 << 64) - 1, at + 1
        shift += 7
        if shift > 63:
            raise ValueError("proto: integer overflow")


def delimited(tag: bytes, data: bytes) -> bytes:
    """Return a length-delimited field."""
    size = len(data)
    return tag + (_SMALL[size] if size < 128 else varint(size)) + data


def text(number: int, name: str, *, optional: bool = False) -> Field:
    """A string, written even when empty unless ``optional`` (a pointer upstream)."""
    tag, empty = tag_of(number, LENGTH_DELIMITED)

    def write(out: list[bytes], value: Any) -> None:
        if value:
            out.append(delimited(tag, value.encode()))
        elif not optional or value is not None:
            out.append(empty)

    def read(obj: dict[str, Any], value: bytes) -> None:
        if value or optional:
            obj[name] = value.decode()

    return Field(number << 3 | LENGTH_DELIMITED, name, write, read)


def blank(number: int, name: str) -> Field:
    """A string that is always stored empty, whatever the object says."""
    _, empty = tag_of(number, LENGTH_DELIMITED)

    def write(out: list[bytes], _value: Any) -> None:
        out.append(empty)

    def read(_obj: dict[str, Any], _value: bytes) -> None:
        return

    return Field(number << 3 | LENGTH_DELIMITED, name, write, read)


def integer(number: int, name: str, *, optional: bool = False, bits: int = 64) -> Field:
    """An int32 or int64 (``bits``), written even when zero unless ``optional``."""
    tag, zero = tag_of(number, _VARINT)
    limit = 1 << bits - 1

    def write(out: list[bytes], value: Any) -> None:
        if value:
            if type(value) is not int or not -limit <= value < limit:
                raise ValueError(f"{name}: {value!r} is not an int{bits}")
            out.append(tag + varint(value))
        elif not optional or value is not None:
            out.append(zero)

    def read(obj: dict[str, Any], value: int) -> None:
        # what does not fit loses its upper bits, as upstream's decoder has it
        value = (value + limit) % (limit << 1) - limit
        if value or optional:
            obj[name] = value

    return Field(number << 3 | _VARINT, name, write, read)


def boolean(number: int, name: str, *, optional: bool = True) -> Field:
    """A bool, by default a pointer upstream: written only when set."""
    tag, false = tag_of(number, _VARINT)

    def write(out: list[bytes], value: Any) -> None:
        if value is True:
            out.append(tag + b"\x01")
        elif value:
            raise ValueError(f"{name}: {value!r} is not a bool")
        elif not optional or value is not None:
            out.append(false)

    def read(obj: dict[str, Any], value: int) -> None:
        if value or optional:
            obj[name] = bool(value)

    return Field(number << 3 | _VARINT, name, write, read)


def message(number: int, name: str, of: Message, *, optional: bool = False) -> Field:
    """A nested message, written even when empty unless ``optional``."""
    tag, _ = tag_of(number, LENGTH_DELIMITED)
    empty = delimited(tag, of.encode({}))

    def write(out: list[bytes], value: Any) -> None:
        if value is not None:
            out.append(delimited(tag, of.encode(value)))
        elif not optional:
            out.append(empty)

    def read(obj: dict[str, Any], value: bytes) -> None:
        obj[name] = of.decode(value)

    return Field(number << 3 | LENGTH_DELIMITED, name, write, read)


def messages(number: int, name: str, of: Message) -> Field:
    """A list of messages."""
    tag, _ = tag_of(number, LENGTH_DELIMITED)

    def write(out: list[bytes], value: Any) -> None:
        out.extend(delimited(tag, of.encode(item)) for item in _listed(name, value))

    def read(obj: dict[str, Any], value: bytes) -> None:
        obj.setdefault(name, []).append(of.decode(value))

    return Field(number << 3 | LENGTH_DELIMITED, name, write, read)


def texts(number: int, name: str) -> Field:
    """A list of strings."""
    tag, _ = tag_of(number, LENGTH_DELIMITED)

    def write(out: list[bytes], value: Any) -> None:
        out.extend(delimited(tag, item.encode()) for item in _listed(name, value))

    def read(obj: dict[str, Any], value: bytes) -> None:
        obj.setdefault(name, []).append(value.decode())

    return Field(number << 3 | LENGTH_DELIMITED, name, write, read)


def text_list(number: int, name: str) -> Field:
    """A message around one list of strings, which is a bare list in JSON."""
    tag, _ = tag_of(number, LENGTH_DELIMITED)

    def write(out: list[bytes], value: Any) -> None:
        out.append(delimited(tag, _ITEMS.encode({"items": value})))

    def read(obj: dict[str, Any], value: bytes) -> None:
        obj[name] = _ITEMS.decode(value).get("items", [])

    return Field(number << 3 | LENGTH_DELIMITED, name, write, read)


def mapping(number: int, name: str, value_field: Field) -> Field:
    """A map from string, entries sorted by key; ``value_field`` is number 2 of the entry."""
    tag, _ = tag_of(number, LENGTH_DELIMITED)
    entry = Message(text(1, "key"), value_field)
    write_value = value_field.write

    def write(out: list[bytes], value: Any) -> None:
        if not value:
            return
        for key in sorted(value):
            pair = [delimited(b"\x0a", key.encode())]
            write_value(pair, value[key])
            out.append(delimited(tag, b"".join(pair)))

    def read(obj: dict[str, Any], value: bytes) -> None:
        pair = entry.decode(value)
        obj.setdefault(name, {})[pair.get("key", "")] = pair.get("value", "")

    return Field(number << 3 | LENGTH_DELIMITED, name, write, read)


def octets(number: int, name: str) -> Field:
    """Bytes, base64 in JSON; null is left out, as a nil slice is upstream."""
    tag, _ = tag_of(number, LENGTH_DELIMITED)

    def write(out: list[bytes], value: Any) -> None:
        if value is not None:
            out.append(delimited(tag, _from_base64(value)))

    def read(obj: dict[str, Any], value: bytes) -> None:
        obj[name] = binascii.b2a_base64(value, newline=False).decode("ascii")

    return Field(number << 3 | LENGTH_DELIMITED, name, write, read)


def payload(number: int, name: str) -> Field:
    """Bytes that stay bytes: an encoded message of another type."""
    tag, _ = tag_of(number, LENGTH_DELIMITED)

    def write(out: list[bytes], value: Any) -> None:
        out.append(delimited(tag, value or b""))

    def read(obj: dict[str, Any], value: bytes) -> None:
        obj[name] = value

    return Field(number << 3 | LENGTH_DELIMITED, name, write, read)


def _listed(name: str, value: Any) -> Sequence[Any]:
    if not value:
        return ()
    if not isinstance(value, list | tuple):
        raise TypeError(f"{name}: not a list")
    return value


def tag_of(number: int, wire_type: int) -> tuple[bytes, bytes]:
    """Return a field's tag, and the whole field when it is empty."""
    tag = varint(number << 3 | wire_type)
    return tag, tag + b"\x00"


def _from_base64(value: str) -> bytes:
    try:
        return binascii.a2b_base64(value, strict_mode=True)
    except binascii.Error:
        # Upstream's decoder passes over line breaks; anything else stays an error.
        lines = value.replace("\r", "").replace("\n", "")
        return binascii.a2b_base64(lines, strict_mode=True)


_ITEMS = Message(texts(1, "items"))

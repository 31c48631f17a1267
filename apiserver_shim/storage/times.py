"""Fields that hold a moment: metav1.Time and metav1.MicroTime, RFC 3339 in JSON."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from apiserver_shim.storage.wire import (
    LENGTH_DELIMITED,
    Field,
    Message,
    delimited,
    integer,
    tag_of,
    varint,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_TIME = Message(integer(1, "seconds", optional=True), integer(2, "nanos", optional=True))


def time(number: int, name: str, *, optional: bool = False) -> Field:
    """A metav1.Time, RFC 3339 in JSON; whole seconds. The zero time is an empty message."""
    tag, empty = tag_of(number, LENGTH_DELIMITED)

    def write(out: list[bytes], value: Any) -> None:
        if value:
            out.append(delimited(tag, b"\x08" + varint(_seconds(value)) + b"\x10\x00"))
        elif not optional:
            out.append(empty)

    def read(obj: dict[str, Any], value: bytes) -> None:
        if (moment := _rfc3339(value)) is not None:
            obj[name] = moment

    return Field(number << 3 | LENGTH_DELIMITED, name, write, read)


def micro_time(number: int, name: str) -> Field:
    """A metav1.MicroTime: as ``time``, to the microsecond."""
    tag, empty = tag_of(number, LENGTH_DELIMITED)

    def write(out: list[bytes], value: Any) -> None:
        if not value:
            out.append(empty)
            return
        nanos = datetime.fromisoformat(value).microsecond * 1000
        body = b"\x08" + varint(_seconds(value)) + b"\x10" + varint(nanos)
        out.append(delimited(tag, body))

    def read(obj: dict[str, Any], value: bytes) -> None:
        decoded = _TIME.decode(value)
        if "seconds" in decoded:
            micros = decoded.get("nanos", 0) // 1000
            moment = _EPOCH + timedelta(seconds=decoded["seconds"], microseconds=micros)
            obj[name] = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    return Field(number << 3 | LENGTH_DELIMITED, name, write, read)


@lru_cache(maxsize=4096)  # what was stored together, and everything in a list, has few moments
def _rfc3339(encoded: bytes) -> str | None:
    seconds = _TIME.decode(encoded).get("seconds")
    if seconds is None:
        return None
    moment = _EPOCH + timedelta(seconds=seconds)
    return moment.isoformat()[:19] + "Z"


def _seconds(value: str) -> int:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError(f"time without a zone: {value}")
    return (moment - _EPOCH) // _SECOND

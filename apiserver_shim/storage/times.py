"""Fields that hold a moment: metav1.Time and metav1.MicroTime, RFC 3339 in JSON.

A moment has a spelling in UTC, in the years 1 to 9999. Others are refused when they are written and
when they are read, for nobody could read them back. Go's zero time, the first moment of year 1, is
no time at all.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

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
_ZERO = -62135596800  # seconds at 0001-01-01T00:00:00Z
_END = 253402300800  # and at 10000-01-01T00:00:00Z
_LONGEST_KEPT = 40
_TIME = Message(integer(1, "seconds", optional=True), integer(2, "nanos", optional=True))


class _Layout(NamedTuple):
    """A layout of Go's time package: its name, and its elements with what fits them."""

    name: str
    elements: tuple[tuple[str, str], ...]
    whole: re.Pattern[str]

    def complaint(self, text: str) -> str:
        """Return what Go says about a text that does not fit."""
        at = 0
        for element, pattern in self.elements:
            match = re.compile(pattern).match(text, at)
            if match is None:
                detail = f'cannot parse "{text[at:]}" as "{element}"'
                return f'parsing time "{text}" as "{self.name}": {detail}'
            at = match.end()
        return f'parsing time "{text}": extra text: "{text[at:]}"'


def _layout(fraction: tuple[str, str], shown: str = "") -> _Layout:
    two = r"[0-9]{2}"
    date = (("2006", r"[0-9]{4}"), ("-", "-"), ("01", two), ("-", "-"), ("02", two), ("T", "T"))
    clock = (("15", r"[0-9]{1,2}"), (":", ":"), ("04", two), (":", ":"), ("05", two))
    zone = ("Z07:00", r"Z|[+-][0-9]{2}:[0-9]{2}")
    elements = (*date, *clock, fraction, zone)
    whole = re.compile("".join(f"({pattern})" for _, pattern in elements))
    return _Layout(f"2006-01-02T15:04:05{shown}Z07:00", elements, whole)


_SECONDS = _layout(("", r"(?:[.,][0-9]+)?"))
_MICROS = _layout((".000000", r"[.,][0-9]{6}"), ".000000")


def read_time(text: str) -> str | None:
    """Return RFC 3339 as it will be read back: whole seconds, in UTC; None for the zero time.

    Raises ValueError in the words of Go's time package.
    """
    return _time_text(_moment(text, _SECONDS)[0])


def read_micro_time(text: str) -> str | None:
    """Return RFC 3339 with the six digits that a MicroTime must have; else as ``read_time``."""
    return _micro_text(*_moment(text, _MICROS))


def _moment(text: str, layout: _Layout) -> tuple[int, int]:
    """Return (seconds since 1970, microseconds)."""
    # a fraction may have any number of digits, and nobody's memory is kept for it
    return (_parsed if len(text) <= _LONGEST_KEPT else _parsed.__wrapped__)(text, layout)


@lru_cache(maxsize=1024)
def _parsed(text: str, layout: _Layout) -> tuple[int, int]:
    match = layout.whole.fullmatch(text)
    if match is None:
        raise ValueError(layout.complaint(text))
    year, _, month, _, day, _, hour, _, minute, _, second, fraction, zone = match.groups()
    sign, offset_hour, offset_minute = 1, 0, 0
    if zone != "Z":
        sign, offset_hour, offset_minute = (
            -1 if zone[0] == "-" else 1,
            int(zone[1:3]),
            int(zone[4:]),
        )
    for what, found, least, most in (
        ("month", int(month), 1, 12),
        ("hour", int(hour), 0, 23),
        ("minute", int(minute), 0, 59),
        ("second", int(second), 0, 59),
        # as generous as Go is
        ("time zone offset hour", offset_hour, 0, 24),
        ("time zone offset minute", offset_minute, 0, 60),
    ):
        if not least <= found <= most:
            raise ValueError(f'parsing time "{text}": {what} out of range')
    if int(year) == 0:
        raise ValueError(f'parsing time "{text}": year out of range')
    try:
        date = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second))  # noqa: DTZ001
    except ValueError:
        raise ValueError(f'parsing time "{text}": day out of range') from None
    since = date.replace(tzinfo=UTC) - _EPOCH
    offset = sign * (offset_hour * 60 + offset_minute) * 60
    seconds = since.days * 86400 + since.seconds - offset
    if not _ZERO <= seconds < _END:
        raise ValueError(f'parsing time "{text}": year out of range')
    return seconds, int(fraction[1:7].ljust(6, "0")) if fraction else 0


def _time_text(seconds: int) -> str | None:
    if not _ZERO <= seconds < _END:
        raise ValueError(f"time out of range: {seconds} seconds")
    if seconds == _ZERO:
        return None
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19] + "Z"


def _micro_text(seconds: int, micros: int) -> str | None:
    if seconds == _ZERO and not micros:
        return None
    text = _time_text(seconds) or "0001-01-01T00:00:00Z"
    return f"{text[:19]}.{micros:06d}Z"


def time(number: int, name: str, *, optional: bool = False) -> Field:
    """A metav1.Time, RFC 3339 in JSON; whole seconds. The zero time is an empty message."""
    return _field(number, name, _encoded_time, _decoded_time, optional=optional)


def micro_time(number: int, name: str) -> Field:
    """A metav1.MicroTime: as ``time``, to the microsecond."""
    return _field(number, name, _encoded_micro_time, _decoded_micro_time, optional=False)


def _field(
    number: int,
    name: str,
    encoded: Callable[[str], bytes | None],
    decoded: Callable[[bytes], str | None],
    *,
    optional: bool,
) -> Field:
    tag, empty = tag_of(number, LENGTH_DELIMITED)

    def write(out: list[bytes], value: Any) -> None:
        body = encoded(value) if value else None
        if body is not None:
            out.append(delimited(tag, body))
        elif not optional:
            out.append(empty)

    def read(obj: dict[str, Any], value: bytes) -> None:
        if (moment := decoded(value)) is not None:
            obj[name] = moment

    return Field(number << 3 | LENGTH_DELIMITED, name, write, read)


@lru_cache(maxsize=4096)  # what was stored together, and everything in a list, has few moments
def _decoded_time(encoded: bytes) -> str | None:
    seconds = _TIME.decode(encoded).get("seconds")
    return None if seconds is None else _time_text(seconds)


@lru_cache(maxsize=1024)
def _decoded_micro_time(encoded: bytes) -> str | None:
    decoded = _TIME.decode(encoded)
    if "seconds" not in decoded:
        return None
    more, micros = divmod(decoded.get("nanos", 0) // 1000, 1_000_000)
    return _micro_text(decoded["seconds"] + more, micros)


def _encoded_time(text: str) -> bytes | None:
    seconds = _moment(text, _SECONDS)[0]
    return None if seconds == _ZERO else b"\x08" + varint(seconds) + b"\x10\x00"


def _encoded_micro_time(text: str) -> bytes | None:
    seconds, micros = _moment(text, _MICROS)
    if seconds == _ZERO and not micros:
        return None
    return b"\x08" + varint(seconds) + b"\x10" + varint(micros * 1000)

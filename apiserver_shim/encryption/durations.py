"""Go's durations, such as ``1m30s``, in nanoseconds (time.ParseDuration, Duration.String)."""

import re

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_SECOND = _UNITS["s"]
_LARGEST = 1 << 63
_PART = re.compile(r"(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?([^0-9.]*)")


def parse(text: str) -> int:
    """Read a duration; raises ValueError in Go's words."""
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text[:1] in {"-", "+"} else text
    if rest == "0":
        return 0
    total = 0
    while (part := _PART.match(rest)) is not None and total <= _LARGEST:
        whole, fraction, unit = part.groups()
        size = int(whole.lstrip("0")[:20] or 0)
        if size > _LARGEST:
            break
        total += _nanoseconds(size, fraction or "", unit, text)
        rest = rest[part.end() :]
        if not rest and total < _LARGEST + (sign < 0):
            return sign * total
    raise ValueError(f"time: invalid duration {_quoted(text)}")


def _nanoseconds(size: int, fraction: str, unit: str, text: str) -> int:
    if not unit:
        raise ValueError(f"time: missing unit in duration {_quoted(text)}")
    if unit not in _UNITS:
        raise ValueError(f"time: unknown unit {_quoted(unit)} in duration {_quoted(text)}")
    digits = fraction[:18]  # the rest is far below a nanosecond
    part = int(digits) * (_UNITS[unit] / 10.0 ** len(digits)) if digits else 0
    return size * _UNITS[unit] + int(part)


def shown(nanoseconds: int) -> str:
    """Return a duration as Go prints it."""
    if not nanoseconds:
        return "0s"
    sign, size = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if size < _SECOND:
        unit = next(name for name in ("ms", "µs", "ns") if size >= _UNITS[name])
        return f"{sign}{_decimal(size, _UNITS[unit])}{unit}"
    minutes, rest = divmod(size, 60 * _SECOND)
    hours, minutes = divmod(minutes, 60)
    seconds = _decimal(rest, _SECOND)
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}s"
    return f"{sign}{minutes}m{seconds}s" if minutes else f"{sign}{seconds}s"


def _decimal(size: int, unit: int) -> str:
    whole, rest = divmod(size, unit)
    fraction = f"{rest:0{len(str(unit)) - 1}d}".rstrip("0") if rest else ""
    return f"{whole}.{fraction}" if fraction else str(whole)


def _quoted(text: str) -> str:
    """Return ``text`` as package time quotes it, which is not as the rest of Go does."""
    parts = []
    for char in text:
        if char < " " or char > "\x7f":
            parts += [f"\\x{byte:02x}" for byte in char.encode()]
        else:
            parts.append(f"\\{char}" if char in '"\\' else char)
    return f'"{"".join(parts)}"'

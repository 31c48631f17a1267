"""What a YAML scalar means, as the library behind Kubernetes' YAML reads it (yaml.v2, resolve.go).

That is YAML 1.1 with departures: ``yes`` and ``y`` are booleans, ``1e3`` is a number, ``12:30``
and ``=`` are texts, and so are moments.
"""

import base64
import binascii
import re
from datetime import date

from apiserver_shim.errors import YamlError

Scalar = str | int | float | bool | None

_PREFIX = "tag:yaml.org,2002:"
STR, BOOL, INT, FLOAT, NULL, TIMESTAMP, BINARY, MERGE = (
    _PREFIX + name
    for name in ("str", "bool", "int", "float", "null", "timestamp", "binary", "merge")
)
_RESOLVED = frozenset({BOOL, INT, FLOAT, NULL, TIMESTAMP})

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(
        ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"], True
    ),
    **dict.fromkeys(
        ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"], False
    ),
    **dict.fromkeys(["", "~", "null", "Null", "NULL"]),
    **dict.fromkeys([".nan", ".NaN", ".NAN"], float("nan")),
    **dict.fromkeys([".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"], float("inf")),
    **dict.fromkeys(["-.inf", "-.Inf", "-.INF"], float("-inf")),
}
_WORDS_START = frozenset("yYnNtTfFoO~")
_NUMBERS_START = frozenset("+-0123456789")
_INTEGER = re.compile(r"([+-]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|([1-9][0-9]*|0))")
_ODD_BINARY = re.compile(r"0b([+-])([01]+)")
_LONGEST_DECIMAL = 20
_BAD_UNDERSCORE = re.compile(r"(?<![0-9])_|_(?![0-9])")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_MOMENT = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:[Tt ]([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)


def resolve(tag: str | None, text: str) -> Scalar:
    """Return the value of a scalar that is plain, or that names a type itself.

    ``tag`` is the full one, None for a plain scalar. Raises YamlError when it does not fit.
    """
    if tag is None:
        return _plain(text)
    if tag == BINARY:
        return _binary(text)
    if tag not in _RESOLVED:
        return text
    if tag == TIMESTAMP and _is_moment(text):
        return text
    value = _plain(text)
    found = _tag_of(value)
    if found == tag:
        return value
    if tag == FLOAT and found == INT and isinstance(value, int):
        return float(value)
    raise YamlError(f"yaml: cannot decode {_short(found)} `{text}` as a {_short(tag)}")


def _plain(text: str) -> Scalar:
    first = text[:1]
    if not first or first in _WORDS_START:
        return _WORDS.get(text, text)
    if first == "." or first in _NUMBERS_START:
        return _WORDS[text] if text in _WORDS else _number(text)
    return text


def _number(text: str) -> int | float | str:
    # underscores may stand anywhere, except in a number that starts with its point
    if text.startswith(".") and _BAD_UNDERSCORE.search(text):
        return text
    digits = text.replace("_", "")
    integer = _integer(digits)
    if integer is not None:
        return integer
    if _FLOAT.fullmatch(digits):
        real = float(digits)
        if abs(real) != float("inf"):
            return real
    return text


def _integer(digits: str) -> int | None:
    """Read what fits 64 bits, unsigned ones only without a sign; None otherwise."""
    if match := _INTEGER.fullmatch(digits):
        sign, *groups = match.groups()
        base, magnitude = next(
            (base, group) for base, group in zip((16, 2, 8, 10), groups, strict=True) if group
        )
    elif odd := _ODD_BINARY.fullmatch(digits):
        sign, base, magnitude = odd[1], 2, odd[2]
    else:
        return None
    if base == 10 and len(magnitude) > _LONGEST_DECIMAL:
        return None
    number = int(sign + magnitude, base)
    fits = -(1 << 63) <= number < (1 << (63 if sign else 64))
    return number if fits else None


def _binary(text: str) -> str:
    try:
        data = base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        raise YamlError("yaml: !!binary value contains invalid base64 data") from None
    # JSON holds no bytes: Go writes U+FFFD for each that is no UTF-8
    escaped = data.decode(errors="surrogateescape")
    return re.sub("[\udc80-\udcff]", "\N{REPLACEMENT CHARACTER}", escaped)


def _is_moment(text: str) -> bool:
    match = _MOMENT.fullmatch(text)
    if match is None:
        return False
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    try:
        date(year or 4, month, day)
    except ValueError:
        return False
    spaced, zoned = " " in text, match[7] is not None
    in_day = hour < 24 and minute < 60 and second < 60
    return in_day and (match[4] is None or spaced != zoned)


def _tag_of(value: Scalar) -> str:
    kinds = {bool: BOOL, int: INT, float: FLOAT, str: STR, type(None): NULL}
    return kinds[type(value)]


def _short(tag: str) -> str:
    return "!!" + tag.removeprefix(_PREFIX)

"""How Go prints values in messages that operators search for (strconv.Quote, fmt's ``%#v``)."""

import math
import re
import struct
from decimal import Decimal
from typing import Any

import orjson

_LARGEST_FLOAT32 = 3.4028235677973366e38
_ESCAPES = {
    "\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v",
    '"': r"\"", "\\": r"\\",
}  # fmt: skip


def quoted(text: str) -> str:
    """Return ``text`` as ``%q`` does."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(char: str) -> str:
    if char in _ESCAPES or char.isprintable():
        return _ESCAPES.get(char, char)
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def of(value: Any) -> str:
    """Return a value of JSON's types as ``%#v`` shows the one that yaml.v2 makes of it."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return shortest(value)
    if isinstance(value, list):
        return f"[]interface {{}}{{{', '.join(map(_element, value))}}}"
    if isinstance(value, dict):
        # Go sorts keys, and those of one type beside each other
        keys = sorted(value, key=lambda key: (not isinstance(key, str), str(key)))
        pairs = (f"{_element(key)}:{_element(value[key])}" for key in keys)
        return f"map[interface {{}}]interface {{}}{{{', '.join(pairs)}}}"
    return "<nil>" if value is None else str(value)


def shortest(value: float, bits: int = 64) -> str:
    """Return the shortest text that reads as the same float (``strconv.FormatFloat``, ``g``)."""
    if bits == 32 and abs(value) > _LARGEST_FLOAT32:
        value = math.copysign(math.inf, value)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    layout = "<f" if bits == 32 else "<d"
    packed = struct.pack(layout, value)
    texts = (f"{value:.{precision}e}" for precision in range(17))
    text = next(one for one in texts if struct.pack(layout, float(one)) == packed)
    mantissa, _, exponent = text.partition("e")
    if -4 <= int(exponent) < 6:
        decimals = max(0, len(mantissa.lstrip("-").replace(".", "")) - 1 - int(exponent))
        return f"{value:.{decimals}f}"
    return f"{mantissa}e{int(exponent):+03d}"


def _element(value: Any) -> str:
    return "interface {}(nil)" if value is None else of(value)


def json_number(value: Any) -> str:
    """Return a number as encoding/json writes it; a text stays as it is."""
    if not isinstance(value, float):
        return str(value)
    if value and not 1e-6 <= abs(value) < 1e21:
        mantissa, _, exponent = repr(value).partition("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent):+d}"
    return f"{Decimal(repr(value)):f}".removesuffix(".0")


def json_text(value: Any) -> str:
    """Return ``value`` as encoding/json writes it into a message, markup escaped."""
    text = orjson.dumps(value).decode()
    return re.sub("[<>&\u2028\u2029]", lambda match: f"\\u{ord(match[0]):04x}", text)

"""JSON as written, with encoding/json's words for what is none."""

import json
import string
from typing import Any, NoReturn

from apiserver_shim.go_syntax import quoted


class Number(str):
    """A number's text: 1 and 1.0 are different to Go."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """An object's fields in their order, repeated ones included."""


_WORDS = {
    "Expecting value": "looking for beginning of value",
    "Expecting property name": "looking for beginning of object key string",
    "Expecting ':' delimiter": "after object key",
    "Invalid control character": "in string literal",
    "Invalid \\escape": "in string escape code",
    "Extra data": "after top-level value",
    "Illegal trailing comma before end of object": "looking for beginning of object key string",
    "Illegal trailing comma before end of array": "looking for beginning of value",
}
_QUOTES = {"'": "\\'", '"': '"'}
_LITERALS = {"t": "true", "f": "false", "n": "null"}


def loads(data: bytes) -> Any:
    """Read one JSON value; raises ValueError in Go's words."""
    text = data.decode(errors="replace")
    try:
        return json.loads(
            text,
            object_pairs_hook=Pairs,
            parse_int=Number,
            parse_float=Number,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        raise ValueError(_fault(text, error)) from None
    except RecursionError:
        raise ValueError("exceeded max depth") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(_invalid(name[0], "looking for beginning of value"))


def _fault(text: str, error: json.JSONDecodeError) -> str:
    at, words = _place(text, error)
    if at >= len(text) or error.msg.startswith("Unterminated string"):
        return "unexpected end of JSON input"
    return _invalid(text[at], words)


def _place(text: str, error: json.JSONDecodeError) -> tuple[int, str]:
    """Return where Go stops, which is at the first wrong letter, and what it was doing."""
    at = error.pos
    if error.msg.startswith("Illegal trailing comma"):
        at += 1 + len(text[at + 1 :]) - len(text[at + 1 :].lstrip())
    elif error.msg.startswith("Invalid \\u"):
        start = text.rindex("\\u", 0, at + 2) + 2
        good = len(text[start : start + 4]) - len(text[start : start + 4].lstrip(string.hexdigits))
        return start + good, r"in \u hexadecimal character escape"
    elif error.msg.startswith("Invalid \\escape"):
        at += 1
    elif error.msg.startswith("Expecting value") and text[at : at + 1] == "-":
        return at + 1, "in numeric literal"
    elif error.msg.startswith("Expecting value") and (word := _LITERALS.get(text[at : at + 1])):
        good = next(n for n in range(len(word), 0, -1) if text.startswith(word[:n], at))
        return at + good, f"in literal {word} (expecting '{word[good]}')"
    known = (words for start, words in _WORDS.items() if error.msg.startswith(start))
    inside = "array element" if _innermost(text[:at]) == "[" else "object key:value pair"
    return at, next(known, f"after {inside}")


def _invalid(char: str, words: str) -> str:
    byte = chr(char.encode()[0])  # Go looks at bytes
    return f"invalid character '{_QUOTES.get(byte, quoted(byte)[1:-1])}' {words}"


def _innermost(text: str) -> str:
    """Return the bracket that is open at the end of ``text``."""
    brackets: list[str] = []
    in_string = escaped = False
    for char in text:
        if in_string:
            in_string = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            in_string = True
        elif char in "[{":
            brackets.append(char)
        elif char in "]}":
            brackets.pop()
    return brackets[-1] if brackets else ""

"""What a door of the product is to a campaign, and what every door's inputs are made of."""

from collections.abc import Sequence
from random import Random
from typing import Any, ClassVar, Protocol, TypeVar

from tests.fuzz.lab import Lab

Case = dict[str, Any]
"""One input, as JSON keeps it; bytes are texts in Latin-1."""

WORKERS = 8
"""How many inputs are tried at once."""

ItemT = TypeVar("ItemT")


class ViolationError(Exception):
    """The product broke a promise; the text says which, and how that was seen."""


class Door(Protocol):
    """One way into the product. `share` is its part of a campaign against all of them.

    `alone`: its inputs are tried one after another, since each changes what the next one sees.
    `in_process`: no server is asked, so that an input's time is what this process computes.
    """

    name: ClassVar[str]
    share: ClassVar[int]
    alone: ClassVar[bool]
    in_process: ClassVar[bool]

    async def open(self, lab: Lab) -> None:
        """Prepare what the inputs need."""

    def new_case(self, random: Random) -> Case:
        """Make an input; the same `random` makes the same one."""

    async def attempt(self, case: Case, worker: int) -> str:
        """Try an input; returns what kind of answer came. Raises ViolationError."""

    async def close(self) -> None:
        """Check what can only be seen at the end. Raises ViolationError."""


ODD_TEXTS = (
    "", " ", "x", "0", "-1", "1.5", "true", "null", "NaN", "1e999", "٣", "\U0001f600", "a\nb", "%",
    "%00", "\x00", "\ud800", "..", "/", "//", "../../etc", "a" * 300, "a" * 5000, "[" * 300,
    '{"a":' * 60, '"', "'", "{{ x }}", "${x}", "9" * 40, "2147483648", "9223372036854775808",
    "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "0000-00-00",
    "=", "YQ==", "YQ", "a=b&c", "*", "acs:ram::1:role/x", "cn-hangzhou", "2016-01-20", "\r\n",
    "\ufeff", "é", "e\u0301", "\u202e", "1" * 18,
)  # fmt: skip
"""Texts that parsers stumble over."""

ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 1.5, 1e300, 2**31, 2**63, 2**64, 10**30, [], {}, [None], [[]],
    [{}], [1, "a"], {"a": None}, {"": ""}, {"a": {"b": [1]}}, ["a", "a"], *ODD_TEXTS,
)  # fmt: skip
"""Values of JSON that nobody meant."""


def pick(random: Random, items: Sequence[ItemT]) -> ItemT:
    return items[int(random.random() * len(items))]


def mutated(random: Random, data: bytes) -> bytes:
    """`data` with one to three small changes: bits, bytes, pieces lost, repeated or moved."""
    found = bytearray(data)
    for _ in range(1 + int(random.random() * 3)):
        at = int(random.random() * (len(found) + 1))
        match int(random.random() * 6):
            case 0 if at < len(found):
                found[at] ^= 1 << int(random.random() * 8)
            case 1 if at < len(found):
                found[at] = int(random.random() * 256)
            case 2:
                found[at:at] = random.randbytes(1 + int(random.random() * 4))
            case 3:
                del found[at : at + 1 + int(random.random() * 8)]
            case 4:
                end = at + 1 + int(random.random() * 16)
                found[at:at] = found[at:end]
            case _:
                del found[at:]
    return bytes(found)


def altered(random: Random, value: Any, depth: int = 0) -> Any:
    """A JSON value with one member replaced, removed, renamed or added somewhere in it."""
    if isinstance(value, dict) and value and (depth == 0 or random.random() < 0.8):
        found = dict(value)
        name = pick(random, list(found))
        match int(random.random() * 8):
            case 0:
                del found[name]
            case 1:
                found[pick(random, ODD_TEXTS)] = found.pop(name)
            case 2:
                found[pick(random, ODD_TEXTS)] = pick(random, ODD_VALUES)
            case _:
                found[name] = altered(random, found[name], depth + 1)
        return found
    if isinstance(value, list) and value and random.random() < 0.7:
        items = list(value)
        at = int(random.random() * len(items))
        match int(random.random() * 4):
            case 0:
                del items[at]
            case 1:
                items.append(items[at])
            case _:
                items[at] = altered(random, items[at], depth + 1)
        return items
    return pick(random, ODD_VALUES)


def as_text(data: bytes) -> str:
    return data.decode("latin-1")


def as_bytes(text: str) -> bytes:
    return text.encode("latin-1")

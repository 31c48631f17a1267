"""Policy documents: JSON of an exact shape, read once into statements that can be asked.

From RAM's "Policy structure and syntax". Reading finds faults, and the same reading serves both
who sets a policy and who obeys it: a document with faults is refused when it is set, and fails
closed where it stands in a database already. There, what is not understood matches in a Deny,
and an Allow with any fault allows nothing.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

from alibaba_edge.conditions import Test, read_conditions, wildcards

logger = logging.getLogger(__name__)

Effect = Literal["Allow", "Deny"]
StatementT = TypeVar("StatementT")

_TOP: Final = frozenset({"Version", "Statement"})


@dataclass(frozen=True, slots=True)
class Fault:
    """`place` is a path into the document, such as Statement[0].Effect; empty for all of it."""

    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}" if self.place else self.reason


@dataclass(frozen=True, slots=True)
class Numbered(Generic[StatementT]):
    """A statement and its place in the document, counted from 0."""

    number: int
    effect: Effect
    statement: StatementT


@dataclass(frozen=True, slots=True)
class Document(Generic[StatementT]):
    """`statements` are those to obey, whatever the faults."""

    statements: tuple[Numbered[StatementT], ...]
    faults: tuple[Fault, ...]


class Patterns:
    """Texts with `*` (any run of characters) and `?` (one character), matched as a whole."""

    __slots__ = ("_everything", "_plain", "_wild")

    def __init__(self, patterns: Iterable[str]) -> None:
        patterns = tuple(patterns)
        self._everything = "*" in patterns
        self._plain = frozenset(patterns)
        wild = "|".join(wildcards(text).pattern for text in patterns if "*" in text or "?" in text)
        self._wild = re.compile(wild) if wild else None

    def match(self, text: str) -> bool:
        if self._everything or text in self._plain:
            return True
        return self._wild is not None and self._wild.match(text) is not None


@dataclass(frozen=True, slots=True)
class Conditions:
    """The tests of one statement. `denies`: what cannot be compared counts as met."""

    tests: tuple[Test, ...]
    denies: bool

    def hold(self, context: Mapping[str, str]) -> bool:
        """`context`: condition keys such as acs:SourceIp, with the value that this request has."""
        return all(test.holds(context, unsure=self.denies) for test in self.tests)


@dataclass(frozen=True, slots=True)
class Form:
    """What the texts of an element look like."""

    pattern: re.Pattern[str]
    complaint: str


@dataclass(frozen=True, slots=True)
class Reader:
    """The members of one statement. What it does not understand is a fault, and None."""

    members: Mapping[str, Any]
    place: str
    faults: list[Fault]
    effect: Effect

    def fault(self, place: str, reason: str) -> None:
        self.faults.append(Fault(place, reason))

    def texts(self, name: str, form: Form) -> tuple[str, ...] | None:
        """A string, or a list of some; the same as a list of one."""
        return self.texts_of(self.members.get(name), f"{self.place}.{name}", form)

    def texts_of(self, value: Any, place: str, form: Form) -> tuple[str, ...] | None:
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not texts:
            self.fault(place, "has to be a string or a list of strings, and to be there once")
            return None
        before = len(self.faults)
        for number, text in enumerate(texts):
            at = place if isinstance(value, str) else f"{place}[{number}]"
            if not isinstance(text, str):
                self.fault(at, "has to be a string")
            elif "${" in text:
                self.fault(at, "has a policy variable, which is not supported here")
            elif not form.pattern.fullmatch(text):
                self.fault(at, f"{text[:128]!r} {form.complaint}")
        return tuple(texts) if len(self.faults) == before else None

    def conditions(self) -> Conditions:
        block = self.members.get("Condition", {})
        tests = read_conditions(block, f"{self.place}.Condition", self.fault)
        return Conditions(tests, self.effect == "Deny")


@dataclass(frozen=True, slots=True)
class Grammar(Generic[StatementT]):
    """One kind of policies: which members a statement has, and what is made of them."""

    name: str
    required: frozenset[str]
    optional: frozenset[str]
    read: Callable[[Reader], StatementT]

    def document(self, text: str) -> Document[StatementT]:
        """Never raises: of a text that says nothing, a Deny of everything is left."""
        faults: list[Fault] = []
        statements = _statements(text, faults)
        if faults:
            return Document((self._deny(),), tuple(faults))
        read = [self._statement(n, members, faults) for n, members in enumerate(statements)]
        return Document(tuple(one for one in read if one is not None), tuple(faults))

    def stored(self, text: str) -> Document[StatementT]:
        """The same, for one to obey: its owner has to hear that it does not say what was meant."""
        document = self.document(text)
        if document.faults:
            logger.warning(
                "a stored %s has a fault and denies what it may mean; set it anew: %s",
                self.name,
                document.faults[0],
            )
        return document

    def _statement(
        self, number: int, members: Any, faults: list[Fault]
    ) -> Numbered[StatementT] | None:
        before, place = len(faults), f"Statement[{number}]"
        if not isinstance(members, dict):
            faults.append(Fault(place, "has to be an object"))
            members = {}
        else:
            check_members(members, place, faults, required=self.required, optional=self.optional)
        effect: Effect = "Allow" if members.get("Effect") == "Allow" else "Deny"
        if "Effect" in members and members["Effect"] not in ("Allow", "Deny"):
            faults.append(Fault(f"{place}.Effect", "has to be Allow or Deny, once"))
        statement = self.read(Reader(members, place, faults, effect))
        if effect == "Allow" and len(faults) > before:
            return None
        return Numbered(number, effect, statement)

    def _deny(self) -> Numbered[StatementT]:
        return Numbered(0, "Deny", self.read(Reader({}, "", [], "Deny")))


def check_members(
    members: Mapping[str, Any],
    place: str,
    faults: list[Fault],
    *,
    required: frozenset[str] = frozenset(),
    optional: frozenset[str] = frozenset(),
) -> None:
    """Finds the members that nobody knows, and misses those that have to be there."""
    inside = f"{place}." if place else ""
    unknown = [name for name in members if name not in required and name not in optional]
    faults += [Fault(f"{inside}{name}", "is not known here") for name in unknown]
    faults += [Fault(f"{inside}{name}", "is missing") for name in sorted(required - members.keys())]


def _statements(text: str, faults: list[Fault]) -> list[Any]:
    try:
        document = _load(text)
    except (ValueError, RecursionError) as error:
        faults.append(Fault("", f"not JSON ({error})"))
        return []
    if not isinstance(document, dict):
        faults.append(Fault("", "has to be an object"))
        return []
    check_members(document, "", faults, required=_TOP)
    if document.get("Version", "1") != "1":
        faults.append(Fault("Version", 'only "1" is known, once'))
    statements = document.get("Statement")
    if not isinstance(statements, list) or not statements:
        if "Statement" in document:
            faults.append(Fault("Statement", "has to be a list of at least one statement, once"))
        return []
    return statements


class _Repeated:
    """Stands for the value of a member that is there more than once: no reader understands it."""


_REPEATED = _Repeated()


def _load(text: str) -> Any:
    """JSON as RFC 8259 has it: no NaN, no numbers beyond a double, no lone surrogates."""
    text.encode()
    loaded = json.loads(
        text, object_pairs_hook=_object, parse_constant=_no_number, parse_float=_finite
    )
    json.dumps(loaded, ensure_ascii=False, default=lambda _: None).encode()
    return loaded


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        members[name] = _REPEATED if name in members else value
    return members


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _no_number(text)
    return number

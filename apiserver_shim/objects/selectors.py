"""Label and field selectors: their grammar, and what they match.

After k8s.io/apimachinery labels and fields, with their error texts.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apiserver_shim.objects import names
from apiserver_shim.objects.errors import BadRequestError
from apiserver_shim.objects.strategy import Strategy

Object = dict[str, Any]
Requirement = Callable[[Mapping[str, str]], bool]

# each is asked of each object
_MOST_REQUIREMENTS = 500
_LONGEST = 64 * 1024
_OPERATORS = ("!=", "<", "=", "==", ">", "in", "notin")
_TOKEN = re.compile(r"\s*(==|!=|[=!(),<>]|[^=!(),<>\s]+|$)")
_SPECIAL = frozenset(("==", "!=", "=", "!", "(", ")", ",", "<", ">", ""))


@dataclass(frozen=True, slots=True)
class Selector:
    """Which objects of one kind a list or watch is about."""

    strategy: Strategy
    labels: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()
    name: str | None = None  # the one metadata.name that can match

    @property
    def everything(self) -> bool:
        return not self.labels and not self.fields

    def matches(self, obj: Object) -> bool:
        if self.labels:
            labels = obj["metadata"].get("labels") or {}
            if not all(requirement(labels) for requirement in self.labels):
                return False
        if self.fields:
            fields = self.strategy.fields(obj)
            return all(requirement(fields) for requirement in self.fields)
        return True


def parse(strategy: Strategy, *, labels: str = "", fields: str = "") -> Selector:
    """Read both selectors of a request; raises BadRequestError."""
    _check_length(labels, fields)
    field_terms = _field_terms(fields) if fields else []
    label_terms = _LabelParser(labels).parse() if labels else []
    if max(len(label_terms), len(field_terms)) > _MOST_REQUIREMENTS:
        raise BadRequestError(f"the selector has more than {_MOST_REQUIREMENTS} requirements")
    for key, _, _ in field_terms:
        if key not in strategy.field_names():
            raise BadRequestError(f"field label not supported: {key}")
    exact = [value for key, equal, value in field_terms if key == "metadata.name" and equal]
    return Selector(
        strategy,
        labels=tuple(label_terms),
        fields=tuple(_field_requirement(*term) for term in field_terms),
        name=exact[0] if exact else None,
    )


def exact_name(*, labels: str, fields: str) -> str:
    """Return the metadata.name that a request's selectors ask for, if it may stand in a path.

    "" if there is none; raises BadRequestError. After RequiresExactMatch of upstream.
    """
    _check_length(labels, fields)
    if labels:
        _LabelParser(labels).parse()
    for key, equal, value in _field_terms(fields):
        if key == "metadata.name" and equal:
            return "" if names.path_segment(value) else value
    return ""


def _check_length(labels: str, fields: str) -> None:
    if max(len(labels), len(fields)) > _LONGEST:
        raise BadRequestError(f"the selector is longer than {_LONGEST} characters")


def _field_requirement(key: str, equal: bool, value: str) -> Requirement:
    return lambda fields: (fields.get(key, "") == value) == equal


def _field_terms(text: str) -> list[tuple[str, bool, str]]:
    terms = []
    for term in re.findall(r"(?:\\.|[^,\\])+|\\$", text):
        match = re.match(r"((?:\\.|[^\\=!])*)(!=|==|=)(.*)\Z", term, re.DOTALL)
        if match is None:
            raise BadRequestError(f"invalid selector: '{text}'; can't understand '{term}'")
        key, operator, value = match.groups()
        terms.append((key, operator != "!=", _unescaped(value, text)))
    return terms


def _unescaped(value: str, text: str) -> str:
    def plain(match: re.Match[str]) -> str:
        escaped = match.group(1)
        if not escaped or escaped not in "\\,=":
            raise BadRequestError(f"invalid field selector: invalid escape sequence: {text}")
        return escaped

    return re.sub(r"\\(.?)|=", plain, value, flags=re.DOTALL)


class _LabelParser:
    """Recursive descent over the tokens of a label selector."""

    def __init__(self, text: str) -> None:
        self._tokens = [match.group(1) for match in _TOKEN.finditer(text)]
        if not self._tokens or self._tokens[-1]:
            self._tokens.append("")
        self._at = 0

    def parse(self) -> list[Requirement]:
        requirements: list[Requirement] = []
        while lead := self._peek():
            if lead in _SPECIAL and lead != "!":
                raise BadRequestError(
                    f"found '{lead}', expected: !, identifier, or 'end of string'"
                )
            try:
                requirements.append(self._requirement())
            except BadRequestError as error:
                raise BadRequestError(f"unable to parse requirement: {error.message}") from None
            end = self._next()
            if not end:
                break
            if end != ",":
                raise BadRequestError(f"found '{end}', expected: ',' or 'end of string'")
            if (after := self._peek()) in _SPECIAL and after != "!":
                raise BadRequestError(f"found '{after}', expected: identifier after ','")
        return requirements

    def _peek(self) -> str:
        return self._tokens[self._at]

    def _next(self) -> str:
        token = self._tokens[self._at]
        if token:
            self._at += 1
        return token

    def _requirement(self) -> Requirement:
        negated = self._peek() == "!"
        if negated:
            self._next()
        key = self._next()
        if key in _SPECIAL:
            raise BadRequestError(f"found '{key}', expected: identifier")
        _checked("key", key, names.qualified_name(key))
        if self._peek() in {"", ","}:
            return (lambda labels: key not in labels) if negated else (lambda labels: key in labels)
        operator = self._next()
        if operator not in _OPERATORS:
            raise BadRequestError(f"found '{operator}', expected: {', '.join(_OPERATORS)}")
        values = self._values() if operator in {"in", "notin"} else (self._value(),)
        return _requirement(key, operator, values)

    def _value(self) -> str:
        if self._peek() in {"", ","}:
            return ""
        value = self._next()
        if value in _SPECIAL:
            raise BadRequestError(f"found '{value}', expected: identifier")
        return value

    def _values(self) -> Sequence[str]:
        opening = self._next()
        if opening != "(":
            raise BadRequestError(f"found '{opening}' expected: '('")
        values = [""]
        while (item := self._next()) != ")":
            if item == ",":
                values.append("")
            elif item in _SPECIAL or values[-1]:
                raise BadRequestError(f"found '{item}', expected: ',' or ')'")
            else:
                values[-1] = item
        return values


def _checked(what: str, value: str, messages: Sequence[str]) -> None:
    if messages:
        raise BadRequestError(f'{what}: Invalid value: "{value}": {"; ".join(messages)}')


def _requirement(key: str, operator: str, values: Sequence[str]) -> Requirement:
    if operator in {">", "<"}:
        return _comparison(key, operator, values[0])
    for value in values:
        _checked(f"values[0][{key}]", value, names.label_value(value))
    wanted = frozenset(values)
    if operator in {"notin", "!="}:
        return lambda labels: key not in labels or labels[key] not in wanted
    return lambda labels: key in labels and labels[key] in wanted


def _comparison(key: str, operator: str, value: str) -> Requirement:
    if not re.fullmatch(r"[+-]?\d+", value):
        detail = "for 'Gt', 'Lt' operators, the value must be an integer"
        raise BadRequestError(f'values[0]: Invalid value: "{value}": {detail}')
    limit = int(value)

    def compare(labels: Mapping[str, str]) -> bool:
        found = labels.get(key, "")
        if not re.fullmatch(r"[+-]?\d+", found):
            return False
        return int(found) > limit if operator == ">" else int(found) < limit

    return compare

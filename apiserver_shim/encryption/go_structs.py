"""Values of JSON put into what Go calls a struct, with encoding/json's words for what does not fit.

After sigs.k8s.io/json UnmarshalStrict, which Kubernetes reads its own configuration files with.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apiserver_shim import go_syntax
from apiserver_shim.encryption import durations
from apiserver_shim.encryption.go_json import Number, Pairs
from apiserver_shim.errors import EncryptionConfigError


@dataclass(frozen=True, slots=True)
class Leaf:
    """A string, an int32 or a duration (nanoseconds); ``go`` is the type that messages name."""

    go: str
    is_duration: bool = False


STRING = Leaf("string")
INT32 = Leaf("int32")
DURATION = Leaf("string", is_duration=True)


@dataclass(frozen=True, slots=True)
class Struct:
    """An object with these fields alone."""

    name: str
    fields: Mapping[str, "Type"]

    @property
    def go(self) -> str:
        return f"v1.{self.name}"


@dataclass(frozen=True, slots=True)
class ListOf:
    """An array."""

    element: "Type"

    @property
    def go(self) -> str:
        return f"[]{self.element.go}"


Type = Leaf | Struct | ListOf


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value stands: the struct and the field names, and the path with its indexes."""

    struct: str = ""
    names: tuple[str, ...] = ()
    path: str = ""

    def field(self, struct: str, name: str) -> "_Place":
        return _Place(struct, (*self.names, name), f"{self.path}.{name}" if self.path else name)

    def element(self, index: int) -> "_Place":
        return _Place(self.struct, self.names, f"{self.path}[{index}]")


@dataclass(slots=True)
class Decoder:
    """Fits values into types; ``strict`` has all that is too much.

    Of the misfits the first is told, unless a duration is among them, which ends Go's decoding.
    """

    misfit: str = ""
    fatal: str = ""
    strict: list[str] = field(default_factory=list)

    def decode(self, value: Any, type_: Type) -> Any:
        """Return ``value`` in dicts, lists, texts and integers, with None for what does not fit."""
        return self._decode(value, type_, _Place())

    def check(self, repeated: str = "") -> None:
        """Raise EncryptionConfigError for what was found; ``repeated`` is YAML's own fault."""
        if fault := self.fatal or self.misfit:
            raise EncryptionConfigError(fault)
        if strict := [*filter(None, [repeated]), *self.strict]:
            raise EncryptionConfigError(f"strict decoding error: {', '.join(strict)}")

    def _decode(self, value: Any, type_: Type, place: _Place) -> Any:
        if value is None:
            return None
        if isinstance(type_, Leaf):
            return self._leaf(value, type_, place)
        if isinstance(type_, ListOf):
            if not isinstance(value, list) or isinstance(value, Pairs):
                return self._misfit(value, type_, place)
            return [
                self._decode(item, type_.element, place.element(index))
                for index, item in enumerate(value)
            ]
        if not isinstance(value, dict | Pairs):
            return self._misfit(value, type_, place)
        return self._struct(pairs_of(value), type_, place)

    def _struct(self, pairs: Iterable[tuple[str, Any]], type_: Struct, place: _Place) -> Any:
        decoded: dict[str, Any] = {}
        for name, value in pairs:
            at = place.field(type_.name, name)
            if name not in type_.fields:
                self.strict.append(f"unknown field {go_syntax.quoted(at.path)}")
                continue
            if name in decoded:
                self.strict.append(f"duplicate field {go_syntax.quoted(at.path)}")
            decoded[name] = self._decode(value, type_.fields[name], at)
        return decoded

    def _leaf(self, value: Any, type_: Leaf, place: _Place) -> Any:
        if type_ is INT32 and _is_number(value):
            text = go_syntax.json_number(value)
            if (
                text.lstrip("-").isdecimal()
                and len(text) < 12
                and -(1 << 31) <= int(text) < 1 << 31
            ):
                return int(text)
            return self._misfit(value, type_, place, shown=f" {text}")
        if type_ is INT32 or not isinstance(value, str) or isinstance(value, Number):
            return self._misfit(value, type_, place)
        if type_.is_duration:
            try:
                return durations.parse(value)
            except ValueError as error:
                self.fatal = self.fatal or str(error)
                return None
        return value

    def _misfit(self, value: Any, type_: Type, place: _Place, *, shown: str = "") -> None:
        into = f"Go struct field {place.struct}.{'.'.join(place.names)} of type {type_.go}"
        misfit = f"json: cannot unmarshal {json_type(value)}{shown} into {into}"
        if type_ is DURATION:
            self.fatal = self.fatal or misfit
        self.misfit = self.misfit or misfit


def json_type(value: Any) -> str:
    """Return what encoding/json calls the type of a value."""
    if isinstance(value, bool):
        return "bool"
    if _is_number(value):
        return "number"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, dict | Pairs) else "array"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Number) and not isinstance(value, bool)


def pairs_of(value: Any) -> Iterable[tuple[str, Any]]:
    """Return an object's fields in the order in which Go meets them."""
    # from YAML, what is read has passed through a Go map, which is written in the order of its keys
    return value if isinstance(value, Pairs) else sorted(value.items())

"""The kinds of parameters that requests of every product have, and how answers write them."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    model_validator,
)


def _pascal(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _bytes(text: Any) -> Any:
    try:
        return b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None


def optional(text: Any) -> Any:
    """A parameter sent with an empty value counts as not sent."""
    return text or None


Base64 = Annotated[bytes, BeforeValidator(_bytes)]
Text = Annotated[str, StringConstraints(min_length=1)]
Flag = Annotated[bool, BeforeValidator(lambda text: text or False)]


class WireRequest(BaseModel):
    model_config = ConfigDict(alias_generator=_pascal, frozen=True, regex_engine="python-re")


class ListedRequest(WireRequest):
    """With parameters that come numbered: `ResourceId.1`, `Tag.2.Key`, counted from 1.

    `numbered` names them. Each becomes a list of strings, or of mappings where parts have names.
    """

    numbered: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, parameters: Any) -> Any:
        gathered = {name: numbered_list(parameters, name) for name in cls.numbered}
        return {**parameters, **{name: items for name, items in gathered.items() if items}}


def numbered_list(parameters: Mapping[str, Any], name: str) -> list[Any]:
    """In the order of their numbers; a number that does not parse is not one of them."""
    items: dict[int, Any] = {}
    for given, value in parameters.items():
        prefix, _, rest = given.partition(".")
        number, _, part = rest.partition(".")
        if prefix != name or not (number.isascii() and number.isdigit() and len(number) < 10):
            continue
        if part:
            item = items.setdefault(int(number), {})
            if isinstance(item, dict):
                item[part] = value
        else:
            items[int(number)] = value
    return [items[number] for number in sorted(items)]


def base64_text(data: bytes) -> str:
    return b64encode(data).decode()


def time_text(time: datetime | None) -> str:
    """Empty for a time that is not set, as KMS writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ") if time else ""

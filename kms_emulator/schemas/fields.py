"""The kinds of parameters that several requests have, and how answers write bytes and times."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar

import orjson
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from kms_emulator.gateway.product import Secret
from kms_emulator.keys import Page

PLAINTEXT_LIMIT = 6 * 1024
_CONTEXT_LIMIT = 8192
_BLOB_LIMIT = 16 * 1024
_MATERIAL_LIMIT = 8 * 1024
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_INTERVAL = re.compile(r"([0-9]{1,9})([dhms])\Z")


def _pascal(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _bytes(text: Any) -> Any:
    try:
        return b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None


def _context(given: Any) -> Any:
    """A JSON object of strings. Absent, `null` and `{}` are the same; so is an empty value."""
    if isinstance(given, dict):
        if sum(len(name) + len(value) for name, value in given.items()) > _CONTEXT_LIMIT:
            raise ValueError("too long")
        return given
    if len(given) > _CONTEXT_LIMIT:
        raise ValueError("too long")
    context = orjson.loads(given) if given else None
    return {} if context is None else context


def _interval(text: Any) -> Any:
    found = _INTERVAL.match(text or "")
    if text and not found:
        raise ValueError("not a number and one of d, h, m, s")
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]]) if found else None


def optional(text: Any) -> Any:
    """A parameter sent with an empty value counts as not sent."""
    return text or None


Base64 = Annotated[bytes, BeforeValidator(_bytes)]
Plaintext = Annotated[Base64, Field(min_length=1, max_length=PLAINTEXT_LIMIT), Secret()]
Blob = Annotated[Base64, Field(min_length=1, max_length=_BLOB_LIMIT), Secret()]
Material = Annotated[Base64, Field(min_length=1, max_length=_MATERIAL_LIMIT), Secret()]
Context = Annotated[dict[str, str], BeforeValidator(_context)]
Text = Annotated[str, StringConstraints(min_length=1)]
KeyId = Text
Flag = Annotated[bool, BeforeValidator(lambda text: text or False)]
Interval = Annotated[timedelta | None, BeforeValidator(_interval)]
PageNumber = Annotated[int, Field(ge=1, lt=2**31)]
Description = Annotated[str, StringConstraints(max_length=8192)]


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


class ContextRequest(WireRequest):
    """With an encryption context, which old SDKs spread over parameters: `EncryptionContext.name`.

    `contexts` names the parameters that are one.
    """

    contexts: ClassVar[tuple[str, ...]] = ("EncryptionContext",)

    @model_validator(mode="before")
    @classmethod
    def _gather_contexts(cls, parameters: Any) -> Any:
        for name in cls.contexts:
            prefix = f"{name}."
            spread = {
                given.removeprefix(prefix): value
                for given, value in parameters.items()
                if given.startswith(prefix)
            }
            if spread:  # both forms at once are no context
                both = bool(parameters.get(name))
                parameters = {**parameters, name: "both" if both else spread}
        return parameters


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


class PagedRequest(WireRequest):
    """The widest page that is documented anywhere; requests narrow it."""

    page_number: PageNumber = 1
    page_size: Annotated[int, Field(ge=0, le=101)] = 10

    @property
    def start(self) -> int:
        return (self.page_number - 1) * self.page_size


class KeyRequest(WireRequest):
    key_id: KeyId


class KeyPageRequest(PagedRequest):
    """ListAliasesByKeyId and ListKeyVersions."""

    key_id: KeyId


def base64_text(data: bytes) -> str:
    return b64encode(data).decode()


def time_text(time: datetime | None) -> str:
    """Empty for a time that is not set, as KMS writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ") if time else ""


def paging(page: Page[Any], request: PagedRequest) -> dict[str, int]:
    return {
        "PageNumber": request.page_number,
        "PageSize": request.page_size,
        "TotalCount": page.total,
    }

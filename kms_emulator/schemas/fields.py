"""The kinds of parameters that several requests have, and how answers write bytes and times."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, ClassVar

import orjson
from pydantic import (
    BeforeValidator,
    Field,
    StringConstraints,
    model_validator,
)

from alibaba_edge.fields import (
    Base64,
    Text,
    WireRequest,
)
from alibaba_edge.gateway.product import Secret
from kms_emulator.keys import Page

PLAINTEXT_LIMIT = 6 * 1024
_CONTEXT_LIMIT = 8192
_BLOB_LIMIT = 16 * 1024
_MATERIAL_LIMIT = 8 * 1024
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_INTERVAL = re.compile(r"([0-9]{1,9})([dhms])\Z")


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


Plaintext = Annotated[Base64, Field(min_length=1, max_length=PLAINTEXT_LIMIT), Secret()]
Blob = Annotated[Base64, Field(min_length=1, max_length=_BLOB_LIMIT), Secret()]
Material = Annotated[Base64, Field(min_length=1, max_length=_MATERIAL_LIMIT), Secret()]
Context = Annotated[dict[str, str], BeforeValidator(_context)]
KeyId = Text
Interval = Annotated[timedelta | None, BeforeValidator(_interval)]
PageNumber = Annotated[int, Field(ge=1, lt=2**31)]
Description = Annotated[str, StringConstraints(max_length=8192)]


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


def paging(page: Page[Any], request: PagedRequest) -> dict[str, int]:
    return {
        "PageNumber": request.page_number,
        "PageSize": request.page_size,
        "TotalCount": page.total,
    }

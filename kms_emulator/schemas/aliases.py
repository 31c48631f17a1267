"""Aliases."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from alibaba_edge.fields import WireRequest
from kms_emulator.keys import Alias, Page
from kms_emulator.schemas.fields import KeyId, PagedRequest, paging

AliasName = Annotated[
    str, StringConstraints(max_length=255, pattern=r"^alias/(?!acs)[A-Za-z0-9_/-]+\Z")
]


class ListAliasesRequest(PagedRequest):
    page_size: Annotated[int, Field(ge=0, le=100)] = 10


class AliasRequest(WireRequest):
    alias_name: AliasName


class AliasKeyRequest(AliasRequest):
    key_id: KeyId


def alias_page(page: Page[Alias], request: PagedRequest) -> dict[str, Any]:
    items = [
        {"AliasName": alias.name, "KeyId": alias.key_id, "AliasArn": alias.arn}
        for alias in page.items
    ]
    return {"Aliases": {"Alias": items}, **paging(page, request)}

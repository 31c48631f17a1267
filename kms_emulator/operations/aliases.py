"""Rows about aliases. Writing one needs the permission on the alias and on its key."""

from __future__ import annotations

from typing import Any

from alibaba_edge.gateway.product import Call, Found, Resource
from kms_emulator.keys import Alias, Key, Scope
from kms_emulator.operations.kms import (
    ALIAS_TYPE,
    Kms,
    Row,
    alias_resource,
    find_key_by_id,
    key_resource,
    row,
    scope_of,
)
from kms_emulator.schemas import aliases as schemas
from kms_emulator.schemas.fields import KeyPageRequest

AliasAndKey = tuple[Alias, Key]


async def find_new_alias(
    kms: Kms, call: Call, request: schemas.AliasKeyRequest
) -> Found[AliasAndKey]:
    key = await kms.keys.find(scope_of(call), request.key_id, alias=False)
    return _found(Alias(key.scope, request.alias_name, key.id), key)


async def find_alias_and_target(
    kms: Kms, call: Call, request: schemas.AliasKeyRequest
) -> Found[AliasAndKey]:
    alias, _ = await kms.aliases.find(scope_of(call), request.alias_name)
    key = await kms.keys.find(scope_of(call), request.key_id, alias=False)
    return _found(alias, key)


async def find_alias(kms: Kms, call: Call, request: schemas.AliasRequest) -> Found[AliasAndKey]:
    return _found(*await kms.aliases.find(scope_of(call), request.alias_name))


def _found(alias: Alias, key: Key) -> Found[AliasAndKey]:
    return Found((alias, key), (alias_resource(alias), key_resource(key)), key.id)


async def find_scope_of_aliases(
    _kms: Kms, call: Call, _request: schemas.ListAliasesRequest
) -> Found[Scope]:
    scope = scope_of(call)
    arn = f"acs:kms:{scope.region}:{scope.account_id}:alias"
    return Found(scope, (Resource(arn, ALIAS_TYPE, ""),))


async def create_alias(
    kms: Kms, request: schemas.AliasKeyRequest, subject: AliasAndKey
) -> dict[str, Any]:
    await kms.aliases.create(subject[1], request.alias_name)
    return {}


async def update_alias(
    kms: Kms, _request: schemas.AliasKeyRequest, subject: AliasAndKey
) -> dict[str, Any]:
    await kms.aliases.update(*subject)
    return {}


async def delete_alias(
    kms: Kms, _request: schemas.AliasRequest, subject: AliasAndKey
) -> dict[str, Any]:
    await kms.aliases.delete(subject[0])
    return {}


async def list_aliases(
    kms: Kms, request: schemas.ListAliasesRequest, scope: Scope
) -> dict[str, Any]:
    page = await kms.aliases.list(scope, page=request.page_number, size=request.page_size)
    return schemas.alias_page(page, request)


async def list_aliases_by_key_id(kms: Kms, request: KeyPageRequest, key: Key) -> dict[str, Any]:
    page = await kms.aliases.list(
        key.scope, key=key, page=request.page_number, size=request.page_size
    )
    return schemas.alias_page(page, request)


ROWS: tuple[Row, ...] = (
    row(schemas.AliasKeyRequest, find_new_alias, create_alias, name="CreateAlias", access="Write"),
    row(
        schemas.AliasKeyRequest,
        find_alias_and_target,
        update_alias,
        name="UpdateAlias",
        access="Write",
    ),
    row(schemas.AliasRequest, find_alias, delete_alias, name="DeleteAlias", access="Write"),
    row(
        schemas.ListAliasesRequest,
        find_scope_of_aliases,
        list_aliases,
        name="ListAliases",
        access="Read",
    ),
    row(
        KeyPageRequest,
        find_key_by_id,
        list_aliases_by_key_id,
        name="ListAliasesByKeyId",
        access="Read",
    ),
)

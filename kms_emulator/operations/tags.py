"""Rows about tags: those on one key by KeyId, and the newer ones on several resources."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from alibaba_edge.errors import InvalidParameterError, MissingParameterError, NotBuiltError
from alibaba_edge.gateway.product import Call, Found
from kms_emulator.keys import Key, Scope
from kms_emulator.operations.kms import (
    Kms,
    Row,
    find_key_by_id,
    find_scope_of_keys,
    found_key,
    key_resource,
    row,
    scope_of,
)
from kms_emulator.schemas import tags as schemas
from kms_emulator.schemas.fields import KeyRequest

Keys = tuple[Key, ...]
Listing = tuple[Scope, Keys]


async def find_tagged_key(
    kms: Kms, call: Call, request: schemas.TagResourceRequest | schemas.UntagResourceRequest
) -> Found[Keys]:
    if request.secret_name or request.certificate_id:
        raise NotBuiltError("Tags of secrets and certificates")
    if not request.key_id:
        raise MissingParameterError("KeyId")
    found = found_key(await kms.keys.find(scope_of(call), request.key_id, alias=False))
    return Found((found.subject,), found.resources, found.key_id)


async def find_tagged_keys(
    kms: Kms, call: Call, request: schemas.TagResourcesRequest | schemas.UntagResourcesRequest
) -> Found[Keys]:
    keys = await _keys(kms, call, request.resource_type, request.resource_id)
    return Found(keys, tuple(map(key_resource, keys)), keys[0].id)


async def find_keys_to_list(
    kms: Kms, call: Call, request: schemas.ListTagResourcesRequest
) -> Found[Listing]:
    keys = await _keys(kms, call, request.resource_type, request.resource_id)
    resources = tuple(map(key_resource, keys))
    if not keys:
        resources = (await find_scope_of_keys(kms, call, request)).resources
    return Found((scope_of(call), keys), resources)


async def _keys(kms: Kms, call: Call, resource_type: str, ids: Iterable[str]) -> Keys:
    if resource_type != schemas.RESOURCE_TYPE:
        raise NotBuiltError("Tags of secrets")
    scope = scope_of(call)
    return tuple([await kms.keys.find(scope, key_id, alias=False) for key_id in dict.fromkeys(ids)])


async def tag_resource(kms: Kms, request: schemas.TagResourceRequest, keys: Keys) -> dict[str, Any]:
    await kms.tags.add(keys, request.tags)
    return {}


async def tag_resources(
    kms: Kms, request: schemas.TagResourcesRequest, keys: Keys
) -> dict[str, Any]:
    await kms.tags.add(keys, request.tag)
    return {}


async def untag_resource(
    kms: Kms, request: schemas.UntagResourceRequest, keys: Keys
) -> dict[str, Any]:
    await kms.tags.remove(keys, request.tag_keys)
    return {}


async def untag_resources(
    kms: Kms, request: schemas.UntagResourcesRequest, keys: Keys
) -> dict[str, Any]:
    if not request.tag_key and not request.all:
        raise MissingParameterError("TagKey")
    await kms.tags.remove(keys, frozenset(request.tag_key) or None)
    return {}


async def list_resource_tags(_kms: Kms, _request: KeyRequest, key: Key) -> dict[str, Any]:
    return schemas.resource_tags(key)


async def list_tag_resources(
    kms: Kms, request: schemas.ListTagResourcesRequest, listing: Listing
) -> dict[str, Any]:
    scope, keys = listing
    wanted = request.page
    page = await kms.tags.list(scope, keys=keys, tags=request.wanted, page=wanted)
    if wanted.start > page.total:
        raise InvalidParameterError("NextToken")
    more = wanted.stop < page.total
    return schemas.tag_resources(page.items, next_start=wanted.stop if more else None)


ROWS: tuple[Row, ...] = (
    row(
        schemas.TagResourceRequest,
        find_tagged_key,
        tag_resource,
        name="TagResource",
        access="Write",
    ),
    row(
        schemas.UntagResourceRequest,
        find_tagged_key,
        untag_resource,
        name="UntagResource",
        access="Write",
    ),
    row(
        schemas.TagResourcesRequest,
        find_tagged_keys,
        tag_resources,
        name="TagResources",
        access="Write",
    ),
    row(
        schemas.UntagResourcesRequest,
        find_tagged_keys,
        untag_resources,
        name="UntagResources",
        access="Write",
    ),
    row(KeyRequest, find_key_by_id, list_resource_tags, name="ListResourceTags", access="Read"),
    row(
        schemas.ListTagResourcesRequest,
        find_keys_to_list,
        list_tag_resources,
        name="ListTagResources",
        access="Read",
    ),
)

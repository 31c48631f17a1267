"""Rows about keys themselves."""

from __future__ import annotations

from typing import Any

from alibaba_edge.errors import MissingParameterError, NotBuiltError
from alibaba_edge.gateway.product import Call, Found
from kms_emulator.keys import Key, Scope
from kms_emulator.operations.kms import (
    Kms,
    Row,
    find_key,
    find_key_by_id,
    find_scope_of_keys,
    found_key,
    row,
    scope_of,
)
from kms_emulator.schemas import keys as schemas
from kms_emulator.schemas.fields import KeyRequest
from kms_emulator.service.new_key import NewKey


async def create_key(kms: Kms, request: schemas.CreateKeyRequest, scope: Scope) -> dict[str, Any]:
    if request.key_storage_mechanism == "HsmEncryptedDatabase":
        raise NotBuiltError("KeyStorageMechanism HsmEncryptedDatabase")
    new = NewKey(
        spec=request.key_spec,
        usage=request.key_usage,
        origin=request.origin,
        protection_level=request.protection_level or "",
        instance_id=request.instance_id,
        description=request.description,
        rotates=request.enable_automatic_rotation,
        rotation_interval=request.rotation_interval,
        policy=request.policy,
        tags=request.tags,
    )
    return {"KeyMetadata": schemas.key_metadata(await kms.keys.create(scope, new))}


async def describe_key(_kms: Kms, _request: KeyRequest, key: Key) -> dict[str, Any]:
    return {"KeyMetadata": {**schemas.key_metadata(key), **schemas.deletion_protection(key)}}


async def list_keys(kms: Kms, request: schemas.ListKeysRequest, scope: Scope) -> dict[str, Any]:
    page = await kms.keys.list(
        scope, filters=request.filters, page=request.page_number, size=request.page_size
    )
    return schemas.key_page(page, request)


async def enable_key(kms: Kms, _request: KeyRequest, key: Key) -> dict[str, Any]:
    await kms.keys.enable(key)
    return {}


async def disable_key(kms: Kms, _request: KeyRequest, key: Key) -> dict[str, Any]:
    await kms.keys.disable(key)
    return {}


async def schedule_key_deletion(
    kms: Kms, request: schemas.ScheduleKeyDeletionRequest, key: Key
) -> dict[str, Any]:
    await kms.keys.schedule_deletion(key, days=request.pending_window_in_days)
    return {}


async def cancel_key_deletion(kms: Kms, _request: KeyRequest, key: Key) -> dict[str, Any]:
    await kms.keys.cancel_deletion(key)
    return {}


async def update_key_description(
    kms: Kms, request: schemas.UpdateKeyDescriptionRequest, key: Key
) -> dict[str, Any]:
    await kms.keys.describe_as(key, request.description)
    return {}


async def find_protected_key(
    kms: Kms, call: Call, request: schemas.SetDeletionProtectionRequest
) -> Found[Key]:
    if request.kms_instance_id:
        raise NotBuiltError("SetDeletionProtection with KmsInstanceId")
    named = request.protected_resource_arn or request.key_id
    if not named:
        raise MissingParameterError("ProtectedResourceArn")
    return found_key(await kms.keys.find(scope_of(call), named, alias=False))


async def set_deletion_protection(
    kms: Kms, request: schemas.SetDeletionProtectionRequest, key: Key
) -> dict[str, Any]:
    await kms.keys.protect_from_deletion(
        key,
        protect=request.enable_deletion_protection,
        description=request.deletion_protection_description,
    )
    return {}


ROWS: tuple[Row, ...] = (
    row(
        schemas.CreateKeyRequest,
        find_scope_of_keys,
        create_key,
        name="CreateKey",
        access="Write",
    ),
    row(KeyRequest, find_key, describe_key, name="DescribeKey", access="Read"),
    row(schemas.ListKeysRequest, find_scope_of_keys, list_keys, name="ListKeys", access="Read"),
    row(KeyRequest, find_key_by_id, enable_key, name="EnableKey", access="Write"),
    row(KeyRequest, find_key_by_id, disable_key, name="DisableKey", access="Write"),
    row(
        schemas.ScheduleKeyDeletionRequest,
        find_key_by_id,
        schedule_key_deletion,
        name="ScheduleKeyDeletion",
        access="Write",
    ),
    row(
        KeyRequest,
        find_key_by_id,
        cancel_key_deletion,
        name="CancelKeyDeletion",
        access="Write",
    ),
    row(
        schemas.UpdateKeyDescriptionRequest,
        find_key_by_id,
        update_key_description,
        name="UpdateKeyDescription",
        access="Write",
    ),
    row(
        schemas.SetDeletionProtectionRequest,
        find_protected_key,
        set_deletion_protection,
        name="SetDeletionProtection",
        access="Write",
    ),
)

"""Rows about keys themselves."""

from __future__ import annotations

from typing import Any

from kms_emulator import schemas
from kms_emulator.errors import InvalidParameterError, NotBuiltError
from kms_emulator.gateway.product import NoParameters, Operation, find_nothing
from kms_emulator.keys import KEY_SPEC, KEY_USAGE, ORIGIN_KMS, Key, Scope
from kms_emulator.operations.kms import (
    Kms,
    Row,
    find_key,
    find_key_by_id,
    find_scope_of_keys,
    row,
)
from kms_emulator.regions import REGIONS
from kms_emulator.service.keys import NewKey

_OTHER_SPECS = frozenset(
    {
        "Aliyun_AES_128",
        "Aliyun_AES_192",
        "Aliyun_SM4",
        "RSA_2048",
        "RSA_3072",
        "RSA_4096",
        "EC_P256",
        "EC_P256K",
        "EC_SM2",
    }
)
_OTHER_USAGES = frozenset({"SIGN/VERIFY", "GENERATE/VERIFY_MAC"})


async def create_key(kms: Kms, request: schemas.CreateKeyRequest, scope: Scope) -> dict[str, Any]:
    _require_default("KeySpec", request.key_spec, default=KEY_SPEC, others=_OTHER_SPECS)
    _require_default("KeyUsage", request.key_usage, default=KEY_USAGE, others=_OTHER_USAGES)
    _require_default("Origin", request.origin, default=ORIGIN_KMS, others=frozenset({"EXTERNAL"}))
    for name, asked in (
        ("EnableAutomaticRotation", request.enable_automatic_rotation),
        ("DKMSInstanceId", request.instance_id),
        ("Policy", request.policy),
        ("Tags", request.tags),
    ):
        if asked:
            raise NotBuiltError(f"CreateKey with {name}")
    new = NewKey(request.description, request.protection_level or "SOFTWARE")
    return {"KeyMetadata": schemas.key_metadata(await kms.keys.create(scope, new))}


def _require_default(name: str, value: str, *, default: str, others: frozenset[str]) -> None:
    if value in others:
        raise NotBuiltError(f"CreateKey with {name} {value}")
    if value not in {"", default}:
        raise InvalidParameterError(name)


async def describe_key(_kms: Kms, _request: schemas.KeyRequest, key: Key) -> dict[str, Any]:
    return {"KeyMetadata": {**schemas.key_metadata(key), **schemas.deletion_protection()}}


async def list_keys(kms: Kms, request: schemas.ListKeysRequest, scope: Scope) -> dict[str, Any]:
    if request.filters not in {"", "[]"}:
        raise NotBuiltError("ListKeys with Filters")
    page = await kms.keys.list(scope, page=request.page_number, size=request.page_size)
    return schemas.key_page(page, request)


async def enable_key(kms: Kms, _request: schemas.KeyRequest, key: Key) -> dict[str, Any]:
    await kms.keys.enable(key)
    return {}


async def disable_key(kms: Kms, _request: schemas.KeyRequest, key: Key) -> dict[str, Any]:
    await kms.keys.disable(key)
    return {}


async def schedule_key_deletion(
    kms: Kms, request: schemas.ScheduleKeyDeletionRequest, key: Key
) -> dict[str, Any]:
    await kms.keys.schedule_deletion(key, days=request.pending_window_in_days)
    return {}


async def cancel_key_deletion(kms: Kms, _request: schemas.KeyRequest, key: Key) -> dict[str, Any]:
    await kms.keys.cancel_deletion(key)
    return {}


async def update_key_description(
    kms: Kms, request: schemas.UpdateKeyDescriptionRequest, key: Key
) -> dict[str, Any]:
    await kms.keys.describe_as(key, request.description)
    return {}


async def list_key_versions(_kms: Kms, request: schemas.KeyPageRequest, key: Key) -> dict[str, Any]:
    return schemas.key_version_page(key, request)


async def describe_key_version(
    kms: Kms, request: schemas.DescribeKeyVersionRequest, key: Key
) -> dict[str, Any]:
    version = kms.keys.version(key, request.key_version_id)
    return {"KeyVersion": schemas.key_version(key, version)}


async def describe_regions(_kms: Kms, _request: NoParameters, _nothing: None) -> dict[str, Any]:
    return {"Regions": {"Region": [{"RegionId": region} for region in REGIONS]}}


ROWS: tuple[Row, ...] = (
    row(
        schemas.CreateKeyRequest,
        find_scope_of_keys,
        create_key,
        name="CreateKey",
        access="Write",
    ),
    row(schemas.KeyRequest, find_key, describe_key, name="DescribeKey", access="Read"),
    row(schemas.ListKeysRequest, find_scope_of_keys, list_keys, name="ListKeys", access="Read"),
    row(schemas.KeyRequest, find_key_by_id, enable_key, name="EnableKey", access="Write"),
    row(schemas.KeyRequest, find_key_by_id, disable_key, name="DisableKey", access="Write"),
    row(
        schemas.ScheduleKeyDeletionRequest,
        find_key_by_id,
        schedule_key_deletion,
        name="ScheduleKeyDeletion",
        access="Write",
    ),
    row(
        schemas.KeyRequest,
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
        schemas.KeyPageRequest,
        find_key,
        list_key_versions,
        name="ListKeyVersions",
        access="Read",
    ),
    row(
        schemas.DescribeKeyVersionRequest,
        find_key,
        describe_key_version,
        name="DescribeKeyVersion",
        access="Read",
    ),
    Operation(
        "DescribeRegions", NoParameters, "Read", find_nothing, describe_regions, ram_action=None
    ),
)

"""Rows about the versions of keys and how they come about."""

from __future__ import annotations

from typing import Any

from alibaba_edge.errors import MissingParameterError
from kms_emulator.keys import Key
from kms_emulator.operations.kms import Kms, Row, find_key, find_key_by_id, row
from kms_emulator.schemas import keys as schemas
from kms_emulator.schemas.fields import KeyPageRequest, KeyRequest


async def create_key_version(kms: Kms, _request: KeyRequest, key: Key) -> dict[str, Any]:
    return {"KeyVersion": schemas.key_version(key, await kms.rotation.create_version(key))}


async def list_key_versions(_kms: Kms, request: KeyPageRequest, key: Key) -> dict[str, Any]:
    return schemas.key_version_page(key, request)


async def describe_key_version(
    kms: Kms, request: schemas.DescribeKeyVersionRequest, key: Key
) -> dict[str, Any]:
    version = kms.keys.version(key, request.key_version_id)
    return {"KeyVersion": schemas.key_version(key, version)}


async def update_rotation_policy(
    kms: Kms, request: schemas.UpdateRotationPolicyRequest, key: Key
) -> dict[str, Any]:
    rotates = request.enable_automatic_rotation
    if rotates and request.rotation_interval is None:
        raise MissingParameterError("RotationInterval")
    await kms.rotation.update_policy(key, request.rotation_interval if rotates else None)
    return {}


ROWS: tuple[Row, ...] = (
    row(KeyRequest, find_key, create_key_version, name="CreateKeyVersion", access="Write"),
    row(KeyPageRequest, find_key, list_key_versions, name="ListKeyVersions", access="Read"),
    row(
        schemas.DescribeKeyVersionRequest,
        find_key,
        describe_key_version,
        name="DescribeKeyVersion",
        access="Read",
    ),
    row(
        schemas.UpdateRotationPolicyRequest,
        find_key_by_id,
        update_rotation_policy,
        name="UpdateRotationPolicy",
        access="Write",
    ),
)

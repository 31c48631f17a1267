"""Keys and their versions."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from alibaba_edge.fields import Flag, Text, WireRequest, optional, time_text
from kms_emulator.keys import Key, KeyState, KeyVersion, Page
from kms_emulator.schemas.fields import (
    Description,
    Interval,
    KeyPageRequest,
    KeyRequest,
    PagedRequest,
    paging,
)
from kms_emulator.schemas.filters import FiltersText
from kms_emulator.schemas.policies import PolicyText
from kms_emulator.schemas.tags import TagsText
from kms_emulator.specs import SPECS, Family


class CreateKeyRequest(WireRequest):
    """What goes with what is the domain's business (`service.new_key`)."""

    description: Description = ""
    key_spec: str = ""
    key_usage: str = ""
    origin: str = ""
    protection_level: Annotated[Literal["SOFTWARE", "HSM"] | None, BeforeValidator(optional)] = None
    enable_automatic_rotation: Flag = False
    rotation_interval: Interval = None
    instance_id: Annotated[str, Field(alias="DKMSInstanceId")] = ""
    key_storage_mechanism: Annotated[
        Literal["HsmInternal", "HsmEncryptedDatabase"] | None, BeforeValidator(optional)
    ] = None
    policy: PolicyText = ""
    tags: TagsText = Field(default_factory=dict)


class ScheduleKeyDeletionRequest(KeyRequest):
    pending_window_in_days: Annotated[int, Field(ge=7, le=366)]


class SetDeletionProtectionRequest(WireRequest):
    """The key by its ARN, or by its id as newer clients do."""

    enable_deletion_protection: bool
    deletion_protection_description: Description = ""
    protected_resource_arn: str = ""
    key_id: str = ""
    kms_instance_id: str = ""


class UpdateKeyDescriptionRequest(KeyRequest):
    description: Description


class UpdateRotationPolicyRequest(KeyRequest):
    enable_automatic_rotation: bool
    rotation_interval: Interval = None


class ListKeysRequest(PagedRequest):
    page_size: Annotated[int, Field(ge=1, le=100)] = 10
    filters: FiltersText = Field(default_factory=dict)


class DescribeKeyVersionRequest(KeyRequest):
    key_version_id: Text


def key_metadata(key: Key) -> dict[str, Any]:
    asymmetric = SPECS[key.spec].family in {Family.RSA, Family.EC}
    return {
        "CreationDate": time_text(key.created_at),
        "Description": key.description,
        "KeyId": key.id,
        "KeySpec": key.spec,
        "KeyState": key.state.value,
        "KeyUsage": key.usage,
        **({} if asymmetric else {"PrimaryKeyVersion": key.primary.id}),
        "DeleteDate": time_text(key.delete_at) if key.state is KeyState.PENDING_DELETION else "",
        "Creator": key.creator,
        "Arn": key.arn,
        "Origin": key.origin,
        "MaterialExpireTime": time_text(key.material_expires_at),
        "ProtectionLevel": key.protection_level,
        "LastRotationDate": time_text(key.primary.created_at),
        **_automatic_rotation(key),
        **({"DKMSInstanceId": key.instance_id} if key.instance_id else {}),
    }


def _automatic_rotation(key: Key) -> dict[str, str]:
    """Suspended while the key is not Enabled."""
    if key.rotation_interval is None:
        return {"AutomaticRotation": "Disabled"}
    return {
        "AutomaticRotation": "Enabled" if key.state is KeyState.ENABLED else "Suspended",
        "RotationInterval": f"{int(key.rotation_interval.total_seconds())}s",
        "NextRotationDate": time_text(key.rotates_at),
    }


def deletion_protection(key: Key) -> dict[str, str]:
    """What DescribeKey says beyond the metadata of CreateKey."""
    return {
        "DeletionProtection": "Enabled" if key.deletion_protected else "Disabled",
        "DeletionProtectionDescription": key.deletion_protection_description,
    }


def key_page(page: Page[Key], request: ListKeysRequest) -> dict[str, Any]:
    items = [{"KeyId": key.id, "KeyArn": key.arn} for key in page.items]
    return {"Keys": {"Key": items}, **paging(page, request)}


def key_version(key: Key, version: KeyVersion) -> dict[str, str]:
    return {
        "KeyId": key.id,
        "KeyVersionId": version.id,
        "CreationDate": time_text(version.created_at),
    }


def key_version_page(key: Key, request: KeyPageRequest) -> dict[str, Any]:
    versions = key.versions[request.start : request.start + request.page_size]
    items = [key_version(key, version) for version in versions]
    page = Page(versions, len(key.versions))
    return {"KeyVersions": {"KeyVersion": items}, **paging(page, request)}

"""KMS 2016-01-20 on the wire: request models and response fields.

The only place with Alibaba's spelling. Times are UTC, `YYYY-MM-DDThh:mm:ssZ`.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from kms_emulator.gateway.product import Secret
from kms_emulator.keys import Alias, Key, KeyState, KeyVersion, Page

PLAINTEXT_LIMIT = 6 * 1024
_CONTEXT_LIMIT = 8192
_BLOB_LIMIT = 16 * 1024


def _pascal(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _bytes(text: Any) -> Any:
    try:
        return b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None


def _context(text: Any) -> Any:
    """A JSON object of strings. Absent, `null` and `{}` are the same; so is an empty value."""
    if len(text) > _CONTEXT_LIMIT:
        raise ValueError("too long")
    context = orjson.loads(text) if text else None
    return {} if context is None else context


def _optional(text: Any) -> Any:
    """A parameter sent with an empty value counts as not sent."""
    return text or None


Base64 = Annotated[bytes, BeforeValidator(_bytes)]
Plaintext = Annotated[Base64, Field(min_length=1, max_length=PLAINTEXT_LIMIT), Secret()]
Blob = Annotated[Base64, Field(min_length=1, max_length=_BLOB_LIMIT), Secret()]
Context = Annotated[dict[str, str], BeforeValidator(_context)]
KeyId = Annotated[str, StringConstraints(min_length=1)]
AliasName = Annotated[
    str, StringConstraints(max_length=255, pattern=r"^alias/(?!acs)[A-Za-z0-9_/-]+\Z")
]
Flag = Annotated[bool, BeforeValidator(lambda text: text or False)]
PageNumber = Annotated[int, Field(ge=1, lt=2**31)]
Description = Annotated[str, StringConstraints(max_length=8192)]


class _Request(BaseModel):
    model_config = ConfigDict(alias_generator=_pascal, frozen=True, regex_engine="python-re")


class CreateKeyRequest(_Request):
    """`spec` and what follows it are accepted as far as they say what is the default anyway."""

    description: Description = ""
    key_spec: str = ""
    key_usage: str = ""
    origin: str = ""
    protection_level: Annotated[Literal["SOFTWARE", "HSM"] | None, BeforeValidator(_optional)] = (
        None
    )
    enable_automatic_rotation: Flag = False
    instance_id: Annotated[str, Field(alias="DKMSInstanceId")] = ""
    policy: str = ""
    tags: str = ""


class KeyRequest(_Request):
    key_id: KeyId


class ScheduleKeyDeletionRequest(KeyRequest):
    pending_window_in_days: Annotated[int, Field(ge=7, le=366)]


class UpdateKeyDescriptionRequest(KeyRequest):
    description: Description


class ListKeysRequest(_Request):
    page_number: PageNumber = 1
    page_size: Annotated[int, Field(ge=1, le=100)] = 10
    filters: str = ""


class ListAliasesRequest(_Request):
    page_number: PageNumber = 1
    page_size: Annotated[int, Field(ge=0, le=100)] = 10


class KeyPageRequest(KeyRequest):
    """ListAliasesByKeyId and ListKeyVersions."""

    page_number: PageNumber = 1
    page_size: Annotated[int, Field(ge=0, le=101)] = 10


class DescribeKeyVersionRequest(KeyRequest):
    key_version_id: Annotated[str, StringConstraints(min_length=1)]


class AliasRequest(_Request):
    alias_name: AliasName


class AliasKeyRequest(AliasRequest):
    key_id: KeyId


class EncryptRequest(KeyRequest):
    plaintext: Plaintext
    encryption_context: Context = Field(default_factory=dict)
    dry_run: Flag = False


class DecryptRequest(_Request):
    ciphertext_blob: Blob
    encryption_context: Context = Field(default_factory=dict)
    dry_run: Flag = False
    recipient: Annotated[str, Secret()] = ""


class GenerateDataKeyRequest(KeyRequest):
    key_spec: Annotated[Literal["AES_256", "AES_128"] | None, BeforeValidator(_optional)] = None
    number_of_bytes: Annotated[
        Annotated[int, Field(ge=1, le=1024)] | None, BeforeValidator(_optional)
    ] = None
    encryption_context: Context = Field(default_factory=dict)
    dry_run: Flag = False
    recipient: Annotated[str, Secret()] = ""

    @property
    def size(self) -> int:
        """NumberOfBytes wins over KeySpec; 32 when neither is given."""
        return self.number_of_bytes or (16 if self.key_spec == "AES_128" else 32)


def base64_text(data: bytes) -> str:
    return b64encode(data).decode()


def time_text(time: datetime | None) -> str:
    """Empty for a time that is not set, as KMS writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ") if time else ""


def key_metadata(key: Key) -> dict[str, Any]:
    return {
        "CreationDate": time_text(key.created_at),
        "Description": key.description,
        "KeyId": key.id,
        "KeySpec": key.spec,
        "KeyState": key.state.value,
        "KeyUsage": key.usage,
        "PrimaryKeyVersion": key.primary.id,
        "DeleteDate": time_text(key.delete_at) if key.state is KeyState.PENDING_DELETION else "",
        "Creator": key.creator,
        "Arn": key.arn,
        "Origin": key.origin,
        "MaterialExpireTime": "",
        "ProtectionLevel": key.protection_level,
        "LastRotationDate": time_text(key.primary.created_at),
        "AutomaticRotation": "Disabled",
    }


def deletion_protection() -> Mapping[str, str]:
    """What DescribeKey says beyond the metadata of CreateKey."""
    return {"DeletionProtection": "Disabled", "DeletionProtectionDescription": ""}


def key_page(page: Page[Key], request: ListKeysRequest) -> dict[str, Any]:
    items = [{"KeyId": key.id, "KeyArn": key.arn} for key in page.items]
    return {"Keys": {"Key": items}, **_paging(page, request)}


def alias_page(page: Page[Alias], request: ListAliasesRequest | KeyPageRequest) -> dict[str, Any]:
    items = [
        {"AliasName": alias.name, "KeyId": alias.key_id, "AliasArn": alias.arn}
        for alias in page.items
    ]
    return {"Aliases": {"Alias": items}, **_paging(page, request)}


def key_version(key: Key, version: KeyVersion) -> dict[str, str]:
    return {
        "KeyId": key.id,
        "KeyVersionId": version.id,
        "CreationDate": time_text(version.created_at),
    }


def key_version_page(key: Key, request: KeyPageRequest) -> dict[str, Any]:
    start = (request.page_number - 1) * request.page_size
    versions = key.versions[start : start + request.page_size]
    items = [key_version(key, version) for version in versions]
    page = Page(versions, len(key.versions))
    return {"KeyVersions": {"KeyVersion": items}, **_paging(page, request)}


def _paging(
    page: Page[Any], request: ListKeysRequest | ListAliasesRequest | KeyPageRequest
) -> dict[str, int]:
    return {
        "PageNumber": request.page_number,
        "PageSize": request.page_size,
        "TotalCount": page.total,
    }

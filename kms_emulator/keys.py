"""Keys as values: versions, states, aliases, and the one table of what each state permits.

A key has exactly one primary version, and only the primary's type can seal (`ciphertext.seal`);
versions that were primary once can only open. The table is the public page "Impact of CMK status
on API operations" of KMS 2016-01-20.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

from kms_emulator.errors import KeyStateError

KEY_SPEC = "Aliyun_AES_256"
KEY_USAGE = "ENCRYPT/DECRYPT"
ORIGIN_KMS = "Aliyun_KMS"

ItemT = TypeVar("ItemT")


class KeyState(StrEnum):
    ENABLED = "Enabled"
    DISABLED = "Disabled"
    PENDING_DELETION = "PendingDeletion"
    PENDING_IMPORT = "PendingImport"


class Scope(NamedTuple):
    """Where a key lives. Names are unique within one account and region, and nothing crosses it."""

    account_id: str
    region: str


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """One generation of key material (32 bytes), which opens what was sealed under it."""

    id: str
    created_at: datetime
    material: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PrimaryKeyVersion(KeyVersion):
    """The version new ciphertext is sealed under."""


@dataclass(frozen=True, slots=True)
class Key:
    """A customer master key. `revision` counts writes, so that a lost update is noticed."""

    scope: Scope
    id: str
    created_at: datetime
    primary: PrimaryKeyVersion
    creator: str
    retired: tuple[KeyVersion, ...] = ()
    state: KeyState = KeyState.ENABLED
    description: str = ""
    spec: str = KEY_SPEC
    usage: str = KEY_USAGE
    origin: str = ORIGIN_KMS
    protection_level: str = "SOFTWARE"
    delete_at: datetime | None = None
    revision: int = 1

    @property
    def arn(self) -> str:
        return f"acs:kms:{self.scope.region}:{self.scope.account_id}:key/{self.id}"

    @property
    def versions(self) -> tuple[KeyVersion, ...]:
        """Newest first."""
        return (self.primary, *self.retired)

    def version(self, version_id: str) -> KeyVersion | None:
        return next((version for version in self.versions if version.id == version_id), None)

    def gone(self, now: datetime) -> bool:
        """Whether the deletion date has passed: then nothing may find this key any more."""
        return self.delete_at is not None and self.delete_at <= now


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name of a key; `name` includes the `alias/` prefix."""

    scope: Scope
    name: str
    key_id: str

    @property
    def arn(self) -> str:
        return alias_arn(self.scope, self.name)


def alias_arn(scope: Scope, name: str) -> str:
    return f"acs:kms:{scope.region}:{scope.account_id}:{name}"


@dataclass(frozen=True, slots=True)
class Page(Generic[ItemT]):
    """One page of a listing, and how many items there are on all pages."""

    items: tuple[ItemT, ...]
    total: int


class Rejection(StrEnum):
    """The codes a state can answer with."""

    DISABLED = "Rejected.Disabled"
    PENDING_DELETION = "Rejected.PendingDeletion"
    PENDING_IMPORT = "Rejected.PendingImport"
    STATE_MODIFIED_FAILED = "Rejected.StateModifiedFailed"


Row = Mapping[KeyState, KeyState | Rejection]


def _row(
    enabled: KeyState | Rejection,
    disabled: KeyState | Rejection,
    pending_deletion: KeyState | Rejection,
    pending_import: KeyState | Rejection,
) -> Row:
    return dict(
        zip(KeyState, (enabled, disabled, pending_deletion, pending_import), strict=True),
    )


_E, _D, _P, _I = KeyState
_FAILED = Rejection.STATE_MODIFIED_FAILED
_USES_MATERIAL = _row(_E, Rejection.DISABLED, Rejection.PENDING_DELETION, Rejection.PENDING_IMPORT)
_READS = _row(_E, _D, _P, _I)
_DESCRIBES = _row(_E, _D, Rejection.PENDING_DELETION, _I)

STATE_TABLE: Mapping[str, Row] = {
    # A cell is the state the key ends in, or the code that refuses the operation.
    #                              Enabled  Disabled  PendingDeletion  PendingImport
    "Encrypt": _USES_MATERIAL,
    "Decrypt": _USES_MATERIAL,
    "GenerateDataKey": _USES_MATERIAL,
    "GenerateDataKeyWithoutPlaintext": _USES_MATERIAL,
    "EnableKey": _row(_E, _E, _FAILED, _FAILED),
    "DisableKey": _row(_D, _D, _FAILED, _FAILED),
    "ScheduleKeyDeletion": _row(_P, _P, _FAILED, _P),
    "CancelKeyDeletion": _row(_FAILED, _FAILED, _E, _FAILED),
    "CreateAlias": _row(_E, _D, _FAILED, _I),
    "UpdateAlias": _DESCRIBES,
    "DeleteAlias": _READS,
    "ListAliasesByKeyId": _READS,
    "DescribeKey": _READS,
    "UpdateKeyDescription": _DESCRIBES,
    "ListKeyVersions": _READS,
    "DescribeKeyVersion": _READS,
}


def advance(operation: str, state: KeyState) -> KeyState:
    """The state a key is in after the operation. Raises KeyStateError where the table refuses."""
    cell = STATE_TABLE[operation][state]
    if isinstance(cell, Rejection):
        raise KeyStateError(cell)
    return cell

"""Keys as values: their versions, tags, dates and aliases.

A key has exactly one primary version, and only the primary's type can seal (`ciphertext.seal`);
versions that were primary once can only open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

from kms_emulator.specs import AES_256, ENCRYPT_DECRYPT

ORIGIN_KMS = "Aliyun_KMS"
ORIGIN_EXTERNAL = "EXTERNAL"

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
    """One generation of key material, which opens what was sealed under it.

    `material`: the key itself, or PKCS #8 of a private key; empty while imported material is away.
    """

    id: str
    created_at: datetime
    material: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PrimaryKeyVersion(KeyVersion):
    """The version new ciphertext is sealed under."""


@dataclass(frozen=True, slots=True)
class Key:
    """A customer master key. `revision` counts writes, so that a lost update is noticed.

    `policy` is the JSON text of a key policy, empty for the default one. Imported material leaves
    `material_digest` behind, so that nothing else can be imported later; `import_secret` seals the
    import tokens of a key of external origin.
    """

    scope: Scope
    id: str
    created_at: datetime
    primary: PrimaryKeyVersion
    creator: str
    retired: tuple[KeyVersion, ...] = ()
    state: KeyState = KeyState.ENABLED
    description: str = ""
    spec: str = AES_256
    usage: str = ENCRYPT_DECRYPT
    origin: str = ORIGIN_KMS
    protection_level: str = "SOFTWARE"
    instance_id: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    policy: str = ""
    deletion_protected: bool = False
    deletion_protection_description: str = ""
    rotation_interval: timedelta | None = None
    material_expires_at: datetime | None = None
    material_digest: bytes = b""
    import_secret: bytes = field(default=b"", repr=False)
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

    @property
    def rotates_at(self) -> datetime | None:
        """When the next rotation is due; it waits while the key is not Enabled."""
        if self.rotation_interval is None:
            return None
        return self.primary.created_at + self.rotation_interval

    @property
    def changes_at(self) -> datetime | None:
        """When time alone will change this key: it rotates, or loses imported material."""
        if self.material_expires_at is not None:
            return self.material_expires_at
        return self.rotates_at if self.state is KeyState.ENABLED else None

    def with_primary(self, version: PrimaryKeyVersion) -> Key:
        """Rotated: what was primary can only open from now on."""
        old = self.primary
        retired = KeyVersion(old.id, old.created_at, old.material)
        return replace(self, primary=version, retired=(retired, *self.retired))

    def without_material(self) -> Key:
        """With imported material forgotten; its digest stays."""
        pending = self.state is KeyState.PENDING_DELETION
        return replace(
            self,
            state=self.state if pending else KeyState.PENDING_IMPORT,
            primary=replace(self.primary, material=b""),
            material_expires_at=None,
        )

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

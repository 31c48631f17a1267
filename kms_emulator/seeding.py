"""A world's first keys from a file: chosen ids, material, states and names. Never overwrites.

seed: 7                        # what is not chosen below is derived from this number
accounts:
  - id: "1000000000000002"
    name: shop
    access_keys: [{id: LTAIshop, secret: shop-secret}]
keys:
  - id: 00000000-0000-4000-8000-000000000001
    aliases: [alias/shop]
    material: MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=
  - account: "1000000000000002"
    region: cn-beijing
    state: Disabled
    versions: [{id: old, material: …}, {id: new, material: …}]   # the last one is primary
"""

from __future__ import annotations

import hashlib
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic import ValidationError as InvalidModelError

from alibaba_edge.ports import ROOT_ACCOUNT_ID
from kms_emulator.errors import AliasExistsError, KeyExistsError, SeedError
from kms_emulator.keys import Alias, Key, KeyState, KeyVersion, PrimaryKeyVersion, Scope
from kms_emulator.specs import AES_256, SPECS, Family
from kms_emulator.store import KeyStore


def _material(text: object) -> object:
    try:
        return b64decode(str(text), validate=True)
    except Base64Error:
        raise ValueError("is not base64") from None


AccountId = Annotated[str, StringConstraints(pattern=r"^\d{16}$")]
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Material = Annotated[bytes, BeforeValidator(_material)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SeededAccessKey(_Model):
    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.]{1,64}$")]
    secret: str = Field(min_length=1, max_length=64, repr=False)


class SeededAccount(_Model):
    id: AccountId
    name: Annotated[str, StringConstraints(min_length=1, max_length=64)] = "seeded"
    access_keys: tuple[SeededAccessKey, ...] = ()


class SeededVersion(_Model):
    id: Id | None = None
    material: Material | None = Field(default=None, repr=False)


class SeededKey(_Model):
    """`creator`: another than the account makes it a service key."""

    id: Id | None = None
    account: AccountId = ROOT_ACCOUNT_ID
    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,}(-[a-z0-9]+)+$")] = "cn-hangzhou"
    spec: str = AES_256
    usage: str = ""
    protection_level: Literal["SOFTWARE", "HSM"] = "SOFTWARE"
    state: Literal["Enabled", "Disabled", "PendingDeletion"] = "Enabled"
    deleted_after_days: Annotated[int, Field(ge=7, le=366)] = 7
    description: str = ""
    creator: str = ""
    tags: dict[str, str] = Field(default_factory=dict)
    aliases: tuple[
        Annotated[str, StringConstraints(max_length=255, pattern=r"^alias/[A-Za-z0-9_/-]+$")], ...
    ] = ()
    material: Material | None = Field(default=None, repr=False)
    versions: tuple[SeededVersion, ...] = ()


class Seed(_Model):
    seed: int = 0
    accounts: tuple[SeededAccount, ...] = ()
    keys: tuple[SeededKey, ...] = ()


def read_seed(path: Path) -> Seed:
    """Raises SeedError, which names the place in the file."""
    try:
        seed = Seed.model_validate(yaml.safe_load(path.read_text()) or {})
        _keys(seed, datetime.now(UTC))  # for what only making them shows
        return seed
    except OSError as error:
        raise SeedError(path, error.strerror or str(error)) from None
    except yaml.YAMLError as error:
        raise SeedError(path, str(error)) from None
    except InvalidModelError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SeedError(path, f"{place}: {first['msg']}") from None
    except ValueError as error:
        raise SeedError(path, str(error)) from None


async def plant(seed: Seed, store: KeyStore, *, now: datetime) -> None:
    """What is there already stays as it is, whatever became of it."""
    for seeded, key in zip(seed.keys, _keys(seed, now), strict=True):
        if await store.get(key.scope, key.id) is None:
            with suppress(KeyExistsError):  # another process plants the same seed
                await store.add(key)
        for name in seeded.aliases:
            with suppress(AliasExistsError):
                await store.add_alias(Alias(key.scope, name, key.id))


def _keys(seed: Seed, now: datetime) -> list[Key]:
    """Raises ValueError."""
    return [_key(key, f"{seed.seed}/{number}", now) for number, key in enumerate(seed.keys)]


def _key(seeded: SeededKey, name: str, now: datetime) -> Key:
    spec = SPECS.get(seeded.spec)
    if spec is None or seeded.protection_level not in spec.levels:
        raise ValueError(f"keys.{name.partition('/')[2]}: no such spec {seeded.spec!r}")
    state = KeyState(seeded.state)
    pending = state is KeyState.PENDING_DELETION
    *retired, primary = _versions(seeded, name, now)
    return Key(
        scope=Scope(seeded.account, seeded.region),
        id=seeded.id or _uuid(f"{name}/key"),
        created_at=now,
        primary=PrimaryKeyVersion(primary.id, primary.created_at, primary.material),
        retired=tuple(reversed(retired)),
        creator=seeded.creator or seeded.account,
        state=state,
        description=seeded.description,
        spec=seeded.spec,
        usage=seeded.usage or spec.usages[0],
        protection_level=seeded.protection_level,
        tags=seeded.tags,
        delete_at=now + timedelta(days=seeded.deleted_after_days) if pending else None,
    )


def _versions(seeded: SeededKey, name: str, now: datetime) -> Iterator[KeyVersion]:
    """Oldest first."""
    spec = SPECS[seeded.spec]
    fixed_size = spec.family in {Family.SYMMETRIC, Family.MAC}
    for number, version in enumerate(seeded.versions or (SeededVersion(),)):
        place = f"{name}/version/{number}"
        material = version.material or seeded.material
        if fixed_size:
            material = material or _bytes(place, spec.bits // 8)
        if material is None or (fixed_size and len(material) * 8 != spec.bits):
            raise ValueError(
                f"keys.{name.partition('/')[2]}: material of {seeded.spec} is "
                + (f"{spec.bits // 8} bytes" if fixed_size else "its PKCS #8, which must be given")
            )
        yield KeyVersion(version.id or _uuid(f"{place}/id"), now, material)


def _uuid(name: str) -> str:
    return str(UUID(bytes=_bytes(name, 16), version=4))


def _bytes(name: str, size: int) -> bytes:
    """The same for the same name: a seed is for tests, and guards nothing."""
    return hashlib.shake_256(f"acksim seed {name}".encode()).digest(size)

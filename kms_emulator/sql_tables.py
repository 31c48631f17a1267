"""The tables of `store_sql`, and keys and aliases as their rows.

A key spans two tables: one row of its own and one for each of its versions.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from alibaba_edge.sql.migration import Schema
from kms_emulator.keys import Alias, Key, KeyState, KeyVersion, PrimaryKeyVersion, Scope


class _UtcTime(sa.TypeDecorator[datetime]):
    """Stored without an offset, because SQLite keeps none; always UTC."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        return value and value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        return value and value.replace(tzinfo=UTC)


# Compared and sorted by code point everywhere, whatever language the database speaks.
_NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")

metadata = sa.MetaData()

keys = sa.Table(
    "kms_keys",
    metadata,
    sa.Column("account_id", sa.String, primary_key=True),
    sa.Column("region", sa.String, primary_key=True),
    sa.Column("key_id", _NAME, primary_key=True),
    sa.Column("created_at", _UtcTime, nullable=False),
    sa.Column("creator", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("description", sa.String, nullable=False),
    sa.Column("spec", sa.String, nullable=False),
    sa.Column("usage", sa.String, nullable=False),
    sa.Column("origin", sa.String, nullable=False),
    sa.Column("protection_level", sa.String, nullable=False),
    sa.Column("delete_at", _UtcTime, index=True),
    sa.Column("instance_id", sa.String, nullable=False),
    sa.Column("tags", sa.JSON, nullable=False),
    sa.Column("policy", sa.String, nullable=False),
    sa.Column("deletion_protected", sa.Boolean, nullable=False),
    sa.Column("deletion_protection_description", sa.String, nullable=False),
    sa.Column("rotation_seconds", sa.Integer),
    sa.Column("material_expires_at", _UtcTime),
    sa.Column("material_digest", sa.LargeBinary, nullable=False),
    sa.Column("import_secret", sa.LargeBinary, nullable=False),
    sa.Column("changes_at", _UtcTime, index=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Index("kms_keys_by_age", "account_id", "region", "created_at", "key_id"),
)


def _owning_key() -> sa.ForeignKeyConstraint:
    columns = ["account_id", "region", "key_id"]
    return sa.ForeignKeyConstraint(
        columns, [f"kms_keys.{name}" for name in columns], ondelete="CASCADE"
    )


key_versions = sa.Table(
    "kms_key_versions",
    metadata,
    sa.Column("account_id", sa.String, primary_key=True),
    sa.Column("region", sa.String, primary_key=True),
    sa.Column("version_id", _NAME, primary_key=True),
    sa.Column("key_id", _NAME, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),  # 0 is the primary, then newest first
    sa.Column("created_at", _UtcTime, nullable=False),
    sa.Column("material", sa.LargeBinary, nullable=False),
    _owning_key(),
    sa.Index("kms_key_versions_by_key", "account_id", "region", "key_id", "position"),
    sa.Index("kms_key_versions_by_id", "version_id"),  # whosever they are
)

aliases = sa.Table(
    "kms_aliases",
    metadata,
    sa.Column("account_id", sa.String, primary_key=True),
    sa.Column("region", sa.String, primary_key=True),
    sa.Column("name", _NAME, primary_key=True),
    sa.Column("key_id", _NAME, nullable=False),
    _owning_key(),
    sa.Index("kms_aliases_by_key", "account_id", "region", "key_id"),
)

# A change of the tables is a new revision, and this is its number.
SCHEMA = Schema(
    metadata,
    revisions=Path(__file__).parent / "revisions",
    head="0002",
    version_table="kms_schema_version",
    oldest_table="kms_keys",
)


def key_row(key: Key) -> dict[str, Any]:
    return {
        "account_id": key.scope.account_id,
        "region": key.scope.region,
        "key_id": key.id,
        "created_at": key.created_at,
        "creator": key.creator,
        "state": key.state.value,
        "description": key.description,
        "spec": key.spec,
        "usage": key.usage,
        "origin": key.origin,
        "protection_level": key.protection_level,
        "delete_at": key.delete_at,
        "instance_id": key.instance_id,
        "tags": dict(key.tags),
        "policy": key.policy,
        "deletion_protected": key.deletion_protected,
        "deletion_protection_description": key.deletion_protection_description,
        "rotation_seconds": key.rotation_interval and int(key.rotation_interval.total_seconds()),
        "material_expires_at": key.material_expires_at,
        "material_digest": key.material_digest,
        "import_secret": key.import_secret,
        "changes_at": key.changes_at,
        "revision": key.revision,
    }


def version_rows(key: Key) -> list[dict[str, Any]]:
    return [
        {
            "account_id": key.scope.account_id,
            "region": key.scope.region,
            "version_id": version.id,
            "key_id": key.id,
            "position": position,
            "created_at": version.created_at,
            "material": version.material,
        }
        for position, version in enumerate(key.versions)
    ]


def alias_row(alias: Alias) -> dict[str, Any]:
    return {
        "account_id": alias.scope.account_id,
        "region": alias.scope.region,
        "name": alias.name,
        "key_id": alias.key_id,
    }


def key_from_rows(scope: Scope, rows: Sequence[sa.Row[Any]]) -> Key:
    """One row a version, in the order of their positions; the key's columns are in each."""
    row, *retired = rows
    return Key(
        scope=scope,
        id=row.key_id,
        created_at=row.created_at,
        primary=PrimaryKeyVersion(row.version_id, row.version_created_at, row.material),
        retired=tuple(KeyVersion(v.version_id, v.version_created_at, v.material) for v in retired),
        creator=row.creator,
        state=KeyState(row.state),
        description=row.description,
        spec=row.spec,
        usage=row.usage,
        origin=row.origin,
        protection_level=row.protection_level,
        delete_at=row.delete_at,
        instance_id=row.instance_id,
        tags=row.tags,
        policy=row.policy,
        deletion_protected=row.deletion_protected,
        deletion_protection_description=row.deletion_protection_description,
        rotation_interval=row.rotation_seconds and timedelta(seconds=row.rotation_seconds),
        material_expires_at=row.material_expires_at,
        material_digest=row.material_digest,
        import_secret=row.import_secret,
        revision=row.revision,
    )

"""Keys, their versions and aliases: the tables of the first release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "kms_keys",
        sa.Column("account_id", sa.String, primary_key=True),
        sa.Column("region", sa.String, primary_key=True),
        sa.Column("key_id", _NAME, primary_key=True),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("creator", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("description", sa.String, nullable=False),
        sa.Column("spec", sa.String, nullable=False),
        sa.Column("usage", sa.String, nullable=False),
        sa.Column("origin", sa.String, nullable=False),
        sa.Column("protection_level", sa.String, nullable=False),
        sa.Column("delete_at", sa.DateTime),
        sa.Column("revision", sa.Integer, nullable=False),
    )
    op.create_index("ix_kms_keys_delete_at", "kms_keys", ["delete_at"])
    op.create_index("kms_keys_by_age", "kms_keys", ["account_id", "region", "created_at", "key_id"])
    op.create_table(
        "kms_key_versions",
        sa.Column("account_id", sa.String, primary_key=True),
        sa.Column("region", sa.String, primary_key=True),
        sa.Column("version_id", _NAME, primary_key=True),
        sa.Column("key_id", _NAME, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("material", sa.LargeBinary, nullable=False),
        _owning_key(),
    )
    op.create_index(
        "kms_key_versions_by_key",
        "kms_key_versions",
        ["account_id", "region", "key_id", "position"],
    )
    op.create_table(
        "kms_aliases",
        sa.Column("account_id", sa.String, primary_key=True),
        sa.Column("region", sa.String, primary_key=True),
        sa.Column("name", _NAME, primary_key=True),
        sa.Column("key_id", _NAME, nullable=False),
        _owning_key(),
    )
    op.create_index("kms_aliases_by_key", "kms_aliases", ["account_id", "region", "key_id"])


def _owning_key() -> sa.ForeignKeyConstraint:
    columns = ["account_id", "region", "key_id"]
    return sa.ForeignKeyConstraint(
        columns, [f"kms_keys.{name}" for name in columns], ondelete="CASCADE"
    )

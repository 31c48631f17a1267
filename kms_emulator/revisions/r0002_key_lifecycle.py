"""What a key has besides its state: instance, tags, policy, protection, rotation, imports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    no_bytes = sa.text("x''" if op.get_bind().dialect.name == "sqlite" else "''")
    for column in (
        sa.Column("instance_id", sa.String, nullable=False, server_default=""),
        sa.Column("tags", sa.JSON, nullable=False, server_default="{}"),
        sa.Column("policy", sa.String, nullable=False, server_default=""),
        sa.Column("deletion_protected", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("deletion_protection_description", sa.String, nullable=False, server_default=""),
        sa.Column("rotation_seconds", sa.Integer),
        sa.Column("material_expires_at", sa.DateTime),
        sa.Column("material_digest", sa.LargeBinary, nullable=False, server_default=no_bytes),
        sa.Column("import_secret", sa.LargeBinary, nullable=False, server_default=no_bytes),
        sa.Column("changes_at", sa.DateTime),
    ):
        op.add_column("kms_keys", column)
    op.create_index("ix_kms_keys_changes_at", "kms_keys", ["changes_at"])
    op.create_index("kms_key_versions_by_id", "kms_key_versions", ["version_id"])

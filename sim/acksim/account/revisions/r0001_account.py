"""Credentials, trail, usage and clusters: the tables of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _create_credentials()
    op.create_table(
        "events",
        sa.Column(
            "sequence",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("account_id", sa.String(16), nullable=False),
        sa.Column("time", sa.Float, nullable=False),
        sa.Column("service", sa.String(32), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("user_name", sa.String(160), nullable=False),
        sa.Column("resource_name", sa.String(256), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("events_by_account", "events", ["account_id", "time"])
    op.create_table(
        "usage",
        sa.Column("account_id", sa.String(16), primary_key=True),
        sa.Column("region", sa.String(32), primary_key=True),
        sa.Column("hour", sa.Integer, primary_key=True),
        sa.Column("item", sa.String(32), primary_key=True),
        sa.Column("action", sa.String(64), primary_key=True),
        sa.Column("caller", sa.String(160), primary_key=True),
        sa.Column("key_id", sa.String(64), primary_key=True),
        sa.Column("calls", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "clusters",
        sa.Column("id", sa.String(33), primary_key=True),
        sa.Column("account_id", sa.String(16), nullable=False),
        sa.Column("region", sa.String(32), nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("key_id", sa.String(64)),
        sa.Column("kms_version", sa.String(2), nullable=False),
        sa.Column("incarnation", sa.Integer, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
    )
    op.create_index("ix_clusters_account_id", "clusters", ["account_id"])


def _create_credentials() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("created", sa.Float, nullable=False),
    )
    op.create_table(
        "access_keys",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("account_id", sa.String(16), nullable=False),
        sa.Column("secret", sa.String(64), nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
    )
    op.create_index("ix_access_keys_account_id", "access_keys", ["account_id"])
    op.create_table(
        "sts_sessions",
        sa.Column("access_key_id", sa.String(64), primary_key=True),
        sa.Column("account_id", sa.String(16), nullable=False),
        sa.Column("secret", sa.String(64), nullable=False),
        sa.Column("security_token", sa.String(256), nullable=False),
        sa.Column("role_name", sa.String(64), nullable=False),
        sa.Column("role_id", sa.String(32), nullable=False),
        sa.Column("session_name", sa.String(64), nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("expires", sa.Float, nullable=False),
    )
    op.create_index("ix_sts_sessions_expires", "sts_sessions", ["expires"])

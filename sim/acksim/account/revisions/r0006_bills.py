"""Balances, transfers and bills; of calls counted, whose cluster called and how many are billed."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_USAGE_KEY = ("account_id", "region", "hour", "item", "action", "caller", "key_id")


def upgrade() -> None:
    _widen_usage()
    op.create_table(
        "balances",
        sa.Column("account_id", sa.String(16), primary_key=True),
        sa.Column("model", sa.String(16), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("cash", sa.BigInteger, nullable=False),
        sa.Column("overdue_day", sa.Integer),
        sa.Column("next_day", sa.Integer, nullable=False),
    )
    op.create_table(
        "transfers",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("account_id", sa.String(16), nullable=False),
        sa.Column("time", sa.Float, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_transfers_account_id", "transfers", ["account_id"])
    op.create_table(
        "bills",
        sa.Column("account_id", sa.String(16), primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True),
        sa.Column("product", sa.String(16), primary_key=True),
        sa.Column("model", sa.String(16), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("paid", sa.BigInteger, nullable=False),
        sa.Column("paid_at", sa.Float),
    )
    op.create_table(
        "bill_items",
        sa.Column("account_id", sa.String(16), primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True),
        sa.Column("product", sa.String(16), primary_key=True),
        sa.Column("region", sa.String(32), primary_key=True),
        sa.Column("item", sa.String(32), primary_key=True),
        sa.Column("instance_id", sa.String(64), primary_key=True),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("price", sa.BigInteger, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
    )


def _widen_usage() -> None:
    """A new key needs a new table. What was counted before there were bills is never billed."""
    op.create_table(
        "usage_by_cluster",
        sa.Column("account_id", sa.String(16), primary_key=True),
        sa.Column("region", sa.String(32), primary_key=True),
        sa.Column("hour", sa.Integer, primary_key=True),
        sa.Column("item", sa.String(32), primary_key=True),
        sa.Column("action", sa.String(64), primary_key=True),
        sa.Column("caller", sa.String(160), primary_key=True),
        sa.Column("key_id", sa.String(64), primary_key=True),
        sa.Column("cluster_id", sa.String(33), primary_key=True),
        sa.Column("calls", sa.BigInteger, nullable=False),
        sa.Column("billed", sa.BigInteger, nullable=False, server_default="0"),
    )
    known = ", ".join(_USAGE_KEY)
    op.execute(
        f"INSERT INTO usage_by_cluster ({known}, cluster_id, calls, billed) "  # noqa: S608
        f"SELECT {known}, '', calls, calls FROM usage"
    )
    op.drop_table("usage")
    op.rename_table("usage_by_cluster", "usage")

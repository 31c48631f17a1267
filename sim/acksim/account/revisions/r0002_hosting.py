"""What keeping keys costs: version days by key and month."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "hosting",
        sa.Column("account_id", sa.String(16), primary_key=True),
        sa.Column("region", sa.String(32), primary_key=True),
        sa.Column("month", sa.Integer, primary_key=True),
        sa.Column("item", sa.String(32), primary_key=True),
        sa.Column("key_id", sa.String(64), primary_key=True),
        sa.Column("days", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "meters",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("day", sa.Integer, nullable=False),
    )

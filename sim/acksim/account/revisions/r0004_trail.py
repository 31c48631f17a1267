"""What ActionTrail looks events up by; the policy of an STS session; a key to sign tokens with."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_REGION = {
    "sqlite": "json_extract(CAST(body AS TEXT), '$.acsRegion')",
    "postgresql": "convert_from(body, 'UTF8')::json ->> 'acsRegion'",
}


def upgrade() -> None:
    op.add_column("events", sa.Column("region", sa.String(32), nullable=False, server_default=""))
    op.execute(f"UPDATE events SET region = {_REGION[op.get_bind().dialect.name]}")  # noqa: S608
    op.drop_index("events_by_account", "events")
    op.create_index(
        "events_by_place",
        "events",
        [
            "account_id",
            "region",
            "time",
            "sequence",
            "service",
            "name",
            "user_name",
            "resource_name",
        ],
    )
    op.add_column("sts_sessions", sa.Column("policy", sa.Text))
    op.add_column("sts_sessions", sa.Column("source_identity", sa.String(64)))
    op.create_table(
        "signing_keys",
        sa.Column("name", sa.String(16), primary_key=True),
        sa.Column("key", sa.LargeBinary, nullable=False),
    )

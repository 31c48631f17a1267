"""What the managed control plane knows of a cluster: kind, state, switch, tasks, events, grants."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    _widen_clusters()
    _create_tasks()
    _create_events()
    op.create_table(
        "cluster_grants",
        sa.Column("account_id", sa.String(16), primary_key=True),
        sa.Column("uid", sa.String(64), primary_key=True),
        sa.Column("cluster_id", sa.String(33), primary_key=True),
        sa.Column("namespace", sa.String(63), primary_key=True),
        sa.Column("role_name", sa.String(253), primary_key=True),
        sa.Column("custom", sa.Boolean, nullable=False),
        sa.Column("of_role", sa.Boolean, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
    )
    op.create_table(
        "ack_orders",
        sa.Column("account_id", sa.String(16), primary_key=True),
        sa.Column("type", sa.String(32), primary_key=True),
        sa.Column("order_id", sa.String(32), nullable=False),
        sa.Column("created", sa.Float, nullable=False),
    )


def _widen_clusters() -> None:
    """Those that are there are running Pro clusters of the account's owner."""
    for column in (
        sa.Column("updated", sa.Float, nullable=False, server_default="0"),
        _text("cluster_type", 32, "ManagedKubernetes"),
        _text("profile", 32, "Default"),
        _text("cluster_spec", 32, "ack.pro.small"),
        _text("kubernetes_version", 32, "1.32.0-aliyun.1"),
        _text("state", 32, "running"),
        _text("creator", 64, ""),
        sa.Column("deletion_protection", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("tags", sa.JSON, nullable=False, server_default="{}"),
        sa.Column("options", sa.JSON, nullable=False, server_default="{}"),
        sa.Column("task_id", sa.String(26)),
        sa.Column("target_key_id", sa.String(64)),
        sa.Column("switch_stage", sa.String(32)),
        sa.Column("last_switch", sa.Float),
        sa.Column("providers", sa.JSON, nullable=False, server_default="[]"),
    ):
        op.add_column("clusters", column)
    op.execute("UPDATE clusters SET updated = created, creator = account_id")


def _text(name: str, length: int, default: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False, server_default=default)


def _create_tasks() -> None:
    op.create_table(
        "cluster_tasks",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("account_id", sa.String(16), nullable=False),
        sa.Column("region", sa.String(32), nullable=False),
        sa.Column("cluster_id", sa.String(33), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("updated", sa.Float, nullable=False),
        sa.Column("parameters", sa.JSON, nullable=False),
        sa.Column("stages", sa.JSON, nullable=False),
        sa.Column("error_code", sa.String(128), nullable=False),
        sa.Column("error_message", sa.Text, nullable=False),
    )
    op.create_index("ix_cluster_tasks_cluster_id", "cluster_tasks", ["cluster_id"])
    op.create_index("ix_cluster_tasks_updated", "cluster_tasks", ["updated"])


def _create_events() -> None:
    op.create_table(
        "cluster_events",
        sa.Column(
            "sequence",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("account_id", sa.String(16), nullable=False),
        sa.Column("region", sa.String(32), nullable=False),
        sa.Column("cluster_id", sa.String(33), nullable=False),
        sa.Column("task_id", sa.String(26), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("time", sa.Float, nullable=False),
    )
    op.create_index("ix_cluster_events_cluster_id", "cluster_events", ["cluster_id"])
    op.create_index("ix_cluster_events_time", "cluster_events", ["time"])
    op.create_index("cluster_events_by_account", "cluster_events", ["account_id", "sequence"])

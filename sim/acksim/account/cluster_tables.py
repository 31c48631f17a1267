"""The tables of the managed control plane: clusters, tasks, events, grants."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    String,
    Table,
    Text,
)

from acksim.account.tables import metadata

clusters = Table(
    "clusters",
    metadata,
    Column("id", String(33), primary_key=True),
    Column("account_id", String(16), nullable=False, index=True),
    Column("region", String(32), nullable=False),
    Column("name", String(63), nullable=False),
    Column("key_id", String(64), nullable=True),
    Column("kms_version", String(2), nullable=False),
    Column("incarnation", Integer, nullable=False),
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),
    Column("cluster_type", String(32), nullable=False),
    Column("profile", String(32), nullable=False),
    Column("cluster_spec", String(32), nullable=False),
    Column("kubernetes_version", String(32), nullable=False),
    Column("state", String(32), nullable=False),
    Column("creator", String(64), nullable=False),
    Column("deletion_protection", Boolean, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("options", JSON, nullable=False),
    Column("task_id", String(26), nullable=True),
    # The encryption switch: in progress while it has a stage; no target is switching off.
    Column("target_key_id", String(64), nullable=True),
    Column("switch_stage", String(32), nullable=True),
    Column("last_switch", Float, nullable=True),
    Column("providers", JSON, nullable=False),
)

cluster_tasks = Table(
    "cluster_tasks",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("account_id", String(16), nullable=False),
    Column("region", String(32), nullable=False),
    Column("cluster_id", String(33), nullable=False, index=True),
    Column("type", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False, index=True),
    Column("parameters", JSON, nullable=False),
    Column("stages", JSON, nullable=False),
    Column("error_code", String(128), nullable=False),
    Column("error_message", Text, nullable=False),
)

cluster_events = Table(
    "cluster_events",
    metadata,
    Column(
        "sequence",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    Column("id", String(36), nullable=False),
    Column("account_id", String(16), nullable=False),
    Column("region", String(32), nullable=False),
    Column("cluster_id", String(33), nullable=False, index=True),
    Column("task_id", String(26), nullable=False),
    Column("type", String(64), nullable=False),
    Column("level", String(16), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("message", Text, nullable=False),
    Column("source", String(64), nullable=False),
    Column("time", Float, nullable=False, index=True),
    Index("cluster_events_by_account", "account_id", "sequence"),
)

cluster_grants = Table(
    "cluster_grants",
    metadata,
    Column("account_id", String(16), primary_key=True),
    Column("uid", String(64), primary_key=True),
    Column("cluster_id", String(33), primary_key=True),  # empty: all clusters of the account
    Column("namespace", String(63), primary_key=True),  # empty: the whole cluster
    Column("role_name", String(253), primary_key=True),
    Column("custom", Boolean, nullable=False),
    Column("of_role", Boolean, nullable=False),  # the uid is that of a RAM role
    Column("created", Float, nullable=False),
)

ack_orders = Table(
    "ack_orders",
    metadata,
    Column("account_id", String(16), primary_key=True),
    Column("type", String(32), primary_key=True),
    Column("order_id", String(32), nullable=False),
    Column("created", Float, nullable=False),
)

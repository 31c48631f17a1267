"""The account's tables.

Those of one room stand with it and share `metadata`: `sim/acksim/account/ram/tables.py`, for one.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

accounts = Table(
    "accounts",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("created", Float, nullable=False),
)

access_keys = Table(
    "access_keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account_id", String(16), nullable=False, index=True),
    Column("secret", String(64), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created", Float, nullable=False),
    Column("user_id", String(18), nullable=True, index=True),  # None: the owner's
)

sts_sessions = Table(
    "sts_sessions",
    metadata,
    Column("access_key_id", String(64), primary_key=True),
    Column("account_id", String(16), nullable=False),
    Column("secret", String(64), nullable=False),
    Column("security_token", String(256), nullable=False),
    Column("role_name", String(64), nullable=False),
    Column("role_id", String(32), nullable=False),
    Column("session_name", String(64), nullable=False),
    Column("created", Float, nullable=False),
    Column("expires", Float, nullable=False, index=True),
    Column("policy", Text, nullable=True),  # narrows what the role may
    Column("source_identity", String(64), nullable=True),
)

# What this service signs its own tokens with; the same in every process.
signing_keys = Table(
    "signing_keys",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("key", LargeBinary, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column(
        "sequence",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    Column("account_id", String(16), nullable=False),
    Column("time", Float, nullable=False),
    Column("service", String(32), nullable=False),
    Column("name", String(64), nullable=False),
    Column("user_name", String(160), nullable=False),
    Column("resource_name", String(256), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("region", String(32), nullable=False),
    # In the order of answers, with what lookups ask for: those that do not match are never read.
    Index(
        "events_by_place",
        "account_id",
        "region",
        "time",
        "sequence",
        "service",
        "name",
        "user_name",
        "resource_name",
    ),
)

usage = Table(
    "usage",
    metadata,
    Column("account_id", String(16), primary_key=True),
    Column("region", String(32), primary_key=True),
    Column("hour", Integer, primary_key=True),
    Column("item", String(32), primary_key=True),
    Column("action", String(64), primary_key=True),
    Column("caller", String(160), primary_key=True),
    Column("key_id", String(64), primary_key=True),
    Column("cluster_id", String(33), primary_key=True),  # empty: no cluster's plugin called
    Column("calls", BigInteger, nullable=False),
    Column("billed", BigInteger, nullable=False, server_default="0"),  # how many of them
)

hosting = Table(
    "hosting",
    metadata,
    Column("account_id", String(16), primary_key=True),
    Column("region", String(32), primary_key=True),
    Column("month", Integer, primary_key=True),  # 202601
    Column("item", String(32), primary_key=True),
    Column("key_id", String(64), primary_key=True),
    Column("days", BigInteger, nullable=False),  # each of one key version
)

meters = Table(
    "meters",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("day", Integer, nullable=False),  # the first one not counted yet, as days since 1970
)

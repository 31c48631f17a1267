"""RAM's tables. A `name_key` is the name in lower case: names differ by more than case.

System policies are not here: every account has the same ones (`system_policies`).
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from acksim.account.tables import metadata

ram_accounts = Table(
    "ram_accounts",
    metadata,
    Column("account_id", String(16), primary_key=True),
    Column("generation", BigInteger, nullable=False),  # grows with every change of its RAM
    Column("diagnostic_key", LargeBinary, nullable=False),
)

ram_users = Table(
    "ram_users",
    metadata,
    Column("id", String(18), primary_key=True),
    Column("account_id", String(16), nullable=False),
    Column("name_key", String(64), nullable=False),
    Column("name", String(64), nullable=False),
    Column("display_name", String(128), nullable=False),
    Column("comments", String(128), nullable=False),
    Column("email", String(128), nullable=False),
    Column("mobile_phone", String(64), nullable=False),
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),
    UniqueConstraint("account_id", "name_key", name="ram_users_by_name"),
)

ram_groups = Table(
    "ram_groups",
    metadata,
    Column("id", String(18), primary_key=True),
    Column("account_id", String(16), nullable=False),
    Column("name_key", String(64), nullable=False),
    Column("name", String(64), nullable=False),
    Column("comments", String(128), nullable=False),
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),
    UniqueConstraint("account_id", "name_key", name="ram_groups_by_name"),
)

ram_memberships = Table(
    "ram_memberships",
    metadata,
    Column("group_id", String(18), primary_key=True),
    Column("user_id", String(18), primary_key=True, index=True),
    Column("joined", Float, nullable=False),
)

ram_roles = Table(
    "ram_roles",
    metadata,
    Column("id", String(18), primary_key=True),
    Column("account_id", String(16), nullable=False),
    Column("name_key", String(64), nullable=False),
    Column("name", String(64), nullable=False),
    Column("description", String(1024), nullable=False),
    Column("trust_policy", Text, nullable=False),
    Column("max_session_duration", Integer, nullable=False),  # seconds
    Column("allow_console_login", Boolean, nullable=False),
    Column("tags", Text, nullable=False),  # JSON object
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),
    UniqueConstraint("account_id", "name_key", name="ram_roles_by_name"),
)

ram_policies = Table(
    "ram_policies",
    metadata,
    Column("account_id", String(16), primary_key=True),
    Column("name_key", String(128), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("description", String(1024), nullable=False),
    Column("default_version", Integer, nullable=False),
    Column("last_version", Integer, nullable=False),  # numbers are not used twice
    Column("tags", Text, nullable=False),  # JSON object
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),
)

ram_policy_versions = Table(
    "ram_policy_versions",
    metadata,
    Column("account_id", String(16), primary_key=True),
    Column("name_key", String(128), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("document", Text, nullable=False),
    Column("created", Float, nullable=False),
)

ram_attachments = Table(
    "ram_attachments",
    metadata,
    Column("account_id", String(16), primary_key=True),
    Column("entity_type", String(5), primary_key=True),  # User, Group or Role
    Column("entity_id", String(18), primary_key=True),
    Column("policy_type", String(6), primary_key=True),  # System or Custom
    Column("policy_key", String(128), primary_key=True),
    Column("attached", Float, nullable=False),
)

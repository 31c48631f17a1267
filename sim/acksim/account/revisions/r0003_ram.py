"""Who may: RAM users, groups, roles, policies.

Accounts of before could call KMS from their clusters without asking; they get the role for it.
"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_ROLE = "AliyunCSManagedSecurityRole"
_POLICY = "AliyunCSManagedSecurityRolePolicy"
_TRUST = (
    '{"Statement":[{"Action":"sts:AssumeRole","Effect":"Allow",'
    '"Principal":{"Service":["cs.aliyuncs.com"]}}],"Version":"1"}'
)
_DESCRIPTION = "CS will use this role to access your resources in other services."


def upgrade() -> None:
    op.add_column("access_keys", sa.Column("user_id", sa.String(18)))
    op.create_index("ix_access_keys_user_id", "access_keys", ["user_id"])
    accounts = op.create_table(
        "ram_accounts",
        sa.Column("account_id", sa.String(16), primary_key=True),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("diagnostic_key", sa.LargeBinary, nullable=False),
    )
    _create_users_and_groups()
    roles = _create_roles()
    _create_policies()
    attachments = op.create_table(
        "ram_attachments",
        sa.Column("account_id", sa.String(16), primary_key=True),
        sa.Column("entity_type", sa.String(5), primary_key=True),
        sa.Column("entity_id", sa.String(18), primary_key=True),
        sa.Column("policy_type", sa.String(6), primary_key=True),
        sa.Column("policy_key", sa.String(128), primary_key=True),
        sa.Column("attached", sa.Float, nullable=False),
    )
    _authorize(accounts, roles, attachments)


def _create_users_and_groups() -> None:
    op.create_table(
        "ram_users",
        sa.Column("id", sa.String(18), primary_key=True),
        sa.Column("account_id", sa.String(16), nullable=False),
        sa.Column("name_key", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("display_name", sa.String(128), nullable=False),
        sa.Column("comments", sa.String(128), nullable=False),
        sa.Column("email", sa.String(128), nullable=False),
        sa.Column("mobile_phone", sa.String(64), nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("updated", sa.Float, nullable=False),
        sa.UniqueConstraint("account_id", "name_key", name="ram_users_by_name"),
    )
    op.create_table(
        "ram_groups",
        sa.Column("id", sa.String(18), primary_key=True),
        sa.Column("account_id", sa.String(16), nullable=False),
        sa.Column("name_key", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("comments", sa.String(128), nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("updated", sa.Float, nullable=False),
        sa.UniqueConstraint("account_id", "name_key", name="ram_groups_by_name"),
    )
    op.create_table(
        "ram_memberships",
        sa.Column("group_id", sa.String(18), primary_key=True),
        sa.Column("user_id", sa.String(18), primary_key=True),
        sa.Column("joined", sa.Float, nullable=False),
    )
    op.create_index("ix_ram_memberships_user_id", "ram_memberships", ["user_id"])


def _create_roles() -> sa.Table:
    return op.create_table(
        "ram_roles",
        sa.Column("id", sa.String(18), primary_key=True),
        sa.Column("account_id", sa.String(16), nullable=False),
        sa.Column("name_key", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("description", sa.String(1024), nullable=False),
        sa.Column("trust_policy", sa.Text, nullable=False),
        sa.Column("max_session_duration", sa.Integer, nullable=False),
        sa.Column("allow_console_login", sa.Boolean, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("updated", sa.Float, nullable=False),
        sa.UniqueConstraint("account_id", "name_key", name="ram_roles_by_name"),
    )


def _create_policies() -> None:
    op.create_table(
        "ram_policies",
        sa.Column("account_id", sa.String(16), primary_key=True),
        sa.Column("name_key", sa.String(128), primary_key=True),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("description", sa.String(1024), nullable=False),
        sa.Column("default_version", sa.Integer, nullable=False),
        sa.Column("last_version", sa.Integer, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("updated", sa.Float, nullable=False),
    )
    op.create_table(
        "ram_policy_versions",
        sa.Column("account_id", sa.String(16), primary_key=True),
        sa.Column("name_key", sa.String(128), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
    )


def _authorize(accounts: sa.Table, roles: sa.Table, attachments: sa.Table) -> None:
    connection = op.get_bind()
    for account_id, created in connection.execute(sa.text("SELECT id, created FROM accounts")):
        role_id = "3" + "".join(secrets.choice("0123456789") for _ in range(17))
        connection.execute(
            accounts.insert().values(
                account_id=account_id, generation=1, diagnostic_key=secrets.token_bytes(32)
            )
        )
        connection.execute(
            roles.insert().values(
                id=role_id,
                account_id=account_id,
                name_key=_ROLE.lower(),
                name=_ROLE,
                description=_DESCRIPTION,
                trust_policy=_TRUST,
                max_session_duration=3600,
                allow_console_login=False,
                tags="{}",
                created=created,
                updated=created,
            )
        )
        connection.execute(
            attachments.insert().values(
                account_id=account_id,
                entity_type="Role",
                entity_id=role_id,
                policy_type="System",
                policy_key=_POLICY.lower(),
                attached=created,
            )
        )

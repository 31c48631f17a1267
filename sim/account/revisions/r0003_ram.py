"""Who may: RAM users, groups, roles, policies."""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    pass

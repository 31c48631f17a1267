"""What ActionTrail looks events up by; the policy of an STS session."""

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    pass

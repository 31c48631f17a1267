"""What the managed control plane knows of a cluster: state, tasks, events, grants."""

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    pass

"""How many examples a property test tries: a few every day, many where `CI` is set."""

import os

_MANY = bool(os.environ.get("CI"))


def examples(everyday: int, *, ci: int) -> int:
    """For hypothesis' `max_examples`."""
    return ci if _MANY else everyday

"""Waiting for a condition instead of a time."""

import time
from collections.abc import Callable
from typing import TypeVar

from tests.patience import PATIENCE

T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str) -> T:
    """The first truth that the condition answers; fails after a minute, saying `what`."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found

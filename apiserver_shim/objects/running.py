"""Where the work on an object is done: at once, or wherever a caller has it done if it is large."""

from collections.abc import Callable
from typing import Protocol, TypeVar

Result = TypeVar("Result")


class Run(Protocol):
    """Runs what may take long, and touches nothing that others change meanwhile."""

    async def __call__(self, function: Callable[[], Result], /) -> Result:
        """Return what ``function`` returns."""
        ...


async def here(function: Callable[[], Result], /) -> Result:
    """Run it at once."""
    return function()

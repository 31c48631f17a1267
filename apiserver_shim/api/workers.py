"""Threads for work on large bodies, which would keep every other request waiting."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from apiserver_shim.api.status import StatusError, too_many_requests

Result = TypeVar("Result")

_THREADS = 2
_MOST_WAITING = 64


class Workers:
    """A few threads and a bounded queue in front of them; threads start when they are needed."""

    def __init__(self, threads: int = _THREADS, most_waiting: int = _MOST_WAITING) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="large-body")
        self._most = threads + most_waiting
        self._under_way = 0

    async def run(self, function: Callable[[], Result]) -> Result:
        """Return what ``function`` does on a thread; raises StatusError 429 when too many wait."""
        if self._under_way >= self._most:
            raise StatusError(too_many_requests(1))
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, function)
        finally:
            self._under_way -= 1


WORKERS = Workers()

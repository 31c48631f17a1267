"""A few threads, and a bounded queue in front of them."""

import asyncio
import threading

import pytest

from apiserver_shim.api.status import StatusError
from apiserver_shim.api.workers import Workers


async def test_who_comes_when_too_many_wait_is_asked_to_come_again() -> None:
    workers, go_on = Workers(1, most_waiting=2), threading.Event()
    waiting = [asyncio.create_task(workers.run(go_on.wait)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(StatusError) as refused:
        await workers.run(lambda: True)
    assert refused.value.status["code"] == 429
    assert refused.value.status["details"] == {"retryAfterSeconds": 1}
    go_on.set()
    assert await asyncio.gather(*waiting) == [True, True, True]
    assert await workers.run(threading.get_ident) != threading.get_ident()

"""Two emulators on one database that drive the same switch: each step is taken once."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from acksim.account.database import Database
from acksim.ack.providers import adding, finished, leading
from acksim.ack.store import ClusterStore
from tests.unit.acksim.ack.conftest import a_cluster


async def test_a_step_that_another_has_taken_is_not_taken_again(
    postgresql: Callable[[], str],
) -> None:
    url = postgresql()
    databases = Database(url), Database(url)
    one, other = (ClusterStore(database) for database in databases)
    try:
        running = a_cluster()
        await one.insert(running)
        to_a = replace(adding(running, "key-a"), state="updating")
        to_b = replace(adding(running, "key-b"), state="updating")
        both = one.replace(running, to_a), other.replace(running, to_b)
        assert sorted(await asyncio.gather(*both)) == [False, True]
        begun = await one.get(running.id)
        assert begun in (to_a, to_b)

        taken = await asyncio.gather(
            *(store.replace(begun, leading(begun)) for store in (one, other))
        )
        assert sorted(taken) == [False, True]
        led = await other.get(running.id)
        assert await other.replace(led, replace(finished(led), state="running"))
        assert not await one.replace(begun, leading(begun))
        assert (await one.get(running.id)).key_id == begun.target_key_id

        await one.delete(running.id)
        assert not await other.replace(led, leading(led))
    finally:
        for database in databases:
            database.close()

"""How a cache knows that an account's users, keys or policies have changed.

Every change adds one to the account's generation, in its own transaction. What was read while a
generation was current may be used as long as it still is. Where one process owns the database the
count is in memory; where several share it, it is read for each request, those that come together
in one query.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, select

from acksim.account.database import Database
from acksim.account.ram.tables import ram_accounts

T = TypeVar("T")


class Generations:
    """The generations of all accounts. One object serves a whole process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts: Counter[str] = Counter()
        self._waiting: list[tuple[str, asyncio.Future[int]]] = []
        self._reader: asyncio.Task[None] | None = None

    async def current(self, account_id: str) -> int:
        """As of some moment after it was asked for."""
        if not self._database.shared:
            return self._counts[account_id]
        found: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((account_id, found))
        if self._reader is None:
            self._reader = asyncio.create_task(self._read_all())
        return await found

    async def change(self, account_id: str, work: Callable[[Connection], T]) -> T:
        """`work` in one transaction; when this returns, nobody decides by what was before."""

        def counted(connection: Connection) -> T:
            # First, so that two changes of one account wait for each other and see each other.
            connection.execute(self._next(account_id))
            return work(connection)

        try:
            return await self._database.run(counted)
        finally:
            self._counts[account_id] += 1

    async def _read_all(self) -> None:
        """Until nobody waits. Who comes during a query waits for the next: it may be older."""
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                known = await self._read({account_id for account_id, _ in batch})
            except Exception as error:  # noqa: BLE001 - everyone who waits must hear of it
                for _, found in batch:
                    if not found.done():
                        found.set_exception(error)
            else:
                for account_id, found in batch:
                    if not found.done():
                        found.set_result(known.get(account_id, 0))
        self._reader = None

    async def _read(self, account_ids: set[str]) -> dict[str, int]:
        columns = (ram_accounts.c.account_id, ram_accounts.c.generation)
        query = select(*columns).where(ram_accounts.c.account_id.in_(sorted(account_ids)))
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return {row.account_id: row.generation for row in rows}

    def _next(self, account_id: str) -> Any:
        insert = self._database.insert(ram_accounts).values(
            account_id=account_id, generation=1, diagnostic_key=secrets.token_bytes(32)
        )
        return insert.on_conflict_do_update(
            index_elements=["account_id"],
            set_={"generation": ram_accounts.c.generation + 1},
        )

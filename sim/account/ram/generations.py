"""How a cache knows that an account's users, keys or policies have changed.

Every change adds one to the account's generation, in its own transaction. What was read while a
generation was current may be used as long as it still is. Where one process owns the database the
count is in memory; where several share it, it is read each time.
"""

import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, select

from sim.account.database import Database
from sim.account.ram.tables import ram_accounts

T = TypeVar("T")


class Generations:
    """The generations of all accounts. One object serves a whole process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts: Counter[str] = Counter()

    async def current(self, account_id: str) -> int:
        if not self._database.shared:
            return self._counts[account_id]
        query = select(ram_accounts.c.generation).where(ram_accounts.c.account_id == account_id)
        return await self._database.read(lambda connection: connection.scalar(query) or 0)

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

    def _next(self, account_id: str) -> Any:
        insert = self._database.insert(ram_accounts).values(
            account_id=account_id, generation=1, diagnostic_key=secrets.token_bytes(32)
        )
        return insert.on_conflict_do_update(
            index_elements=["account_id"],
            set_={"generation": ram_accounts.c.generation + 1},
        )

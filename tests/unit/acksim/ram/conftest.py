"""RAM over a database of its own, with somebody to decide about."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from acksim.account.credentials import Credentials
from acksim.account.database import Database
from acksim.account.ram.authorizer import RamAuthorizer
from acksim.account.ram.generations import Generations
from acksim.account.ram.ram import Ram, ram_of
from acksim.account.ram.users import User
from alibaba_edge.ports import Caller

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Room:
    """One account, and everything that decides in it."""

    database: Database
    ram: Ram
    credentials: Credentials
    authorizer: RamAuthorizer
    account: str

    async def user(self, name: str) -> Caller:
        """A new user, as its calls show it."""
        await self.ram.users.create(User(self.account, "", name))
        made = await self.ram.keys.create(self.account, name)
        key = await self.credentials.access_key(made.id)
        assert key is not None
        return key.caller


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    database = Database(tmp_path / "account.db")
    generations = Generations(database)
    credentials = Credentials(database, generations, lambda: NOW)
    account = (await credentials.new_account("shop")).account_id
    yield Room(
        database,
        ram_of(database, generations, lambda: NOW),
        credentials,
        RamAuthorizer(database, generations),
        account,
    )
    database.close()

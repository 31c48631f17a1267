"""Two processes on one PostgreSQL: what RAM changes at one counts at the other's next request."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from acksim.account.credentials import Credentials
from acksim.account.database import Database
from acksim.account.ram.authorizer import RamAuthorizer
from acksim.account.ram.generations import Generations
from acksim.account.ram.policy_rows import Policy
from acksim.account.ram.ram import Ram, ram_of
from acksim.account.ram.users import User
from alibaba_edge.ports import AccessKey, Caller, Decision

ALLOWED = '{"Version":"1","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}'
DENIED = ALLOWED.replace("Allow", "Deny")


def now() -> datetime:
    return datetime(2026, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Process:
    """What one process keeps in memory."""

    ram: Ram
    credentials: Credentials
    authorizer: RamAuthorizer

    async def key(self, key_id: str) -> AccessKey | None:
        return await self.credentials.access_key(key_id)

    async def decide(self, caller: Caller) -> Decision:
        return await self.authorizer.decide(caller, "kms:Encrypt", resource="acs:k:::k", context={})


def process(database: Database) -> Process:
    generations = Generations(database)
    return Process(
        ram_of(database, generations, now),
        Credentials(database, generations, now),
        RamAuthorizer(database, generations),
    )


@pytest.fixture(params=["two on postgresql", "one on sqlite"])
async def both(
    request: pytest.FixtureRequest, postgresql: Callable[[], str], tmp_path: Path
) -> AsyncIterator[tuple[Process, Process]]:
    """Of SQLite there is one process alone, which is here both of them."""
    if request.param == "one on sqlite":
        databases = [Database(tmp_path / "account.db")]
    else:
        url = postgresql()
        databases = [Database(url), Database(url)]
    processes = [process(database) for database in databases]
    yield processes[0], processes[-1]
    for database in databases:
        database.close()


async def test_what_changes_at_one_counts_at_the_other(both: tuple[Process, Process]) -> None:
    here, there = both
    account = (await here.credentials.new_account("shop")).account_id
    await here.ram.users.create(User(account, "", "alice"))
    made = await here.ram.keys.create(account, "alice")
    key = await there.key(made.id)
    assert key is not None
    assert (key.secret, key.caller.kind) == (made.secret, "ram-user")
    caller = key.caller
    assert await there.decide(caller) is Decision.IMPLICIT_DENY

    await here.ram.policies.create(account, Policy("Custom", "kms", ALLOWED))
    await here.ram.attachments.attach(account, ("User", "alice"), ("Custom", "kms"))
    assert await there.decide(caller) is Decision.ALLOW
    await here.ram.policies.create_version(account, "kms", DENIED, default=True, rotate=False)
    assert await there.decide(caller) is Decision.EXPLICIT_DENY
    await here.ram.policies.set_default_version(account, "kms", 1)
    assert await there.decide(caller) is Decision.ALLOW

    await here.ram.users.update(account, "alice", name="bob")
    renamed = await there.key(made.id)
    assert renamed is not None
    assert renamed.caller.user_name == "bob"
    await here.ram.keys.set_active(account, "bob", made.id, active=False)
    inactive = await there.key(made.id)
    assert inactive is not None
    assert not inactive.active
    await here.ram.keys.delete(account, "bob", made.id)
    assert await there.key(made.id) is None
    await here.ram.attachments.detach(account, ("User", "bob"), ("Custom", "kms"))
    await here.ram.users.delete(account, "bob")
    assert await there.decide(caller) is Decision.IMPLICIT_DENY


async def test_changes_at_both_meet_the_same_limits(both: tuple[Process, Process]) -> None:
    here, there = both
    account = (await here.credentials.new_account("shop")).account_id
    await here.ram.users.create(User(account, "", "alice"))
    results = await asyncio.gather(
        *(ram.keys.create(account, "alice") for ram in (here.ram, there.ram) for _ in range(4)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Exception) for result in results) == 6
    assert len(await there.ram.keys.all(account, "alice")) == 2

"""Counts the days that key versions are kept, at each midnight of China Standard Time.

A day is counted once it has passed, for the versions that exist then and whose key is not
waiting for its deletion. A clock that jumps passes many midnights at once: the versions of now
are counted for each of them that came after their creation.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, Executable, select, update

from kms_emulator.keys import Key, KeyState, Scope
from kms_emulator.price_class import hosting_class
from kms_emulator.specs import INSTANCES
from kms_emulator.store import KeyStore
from sim.account.database import Database
from sim.account.tables import hosting, meters

logger = logging.getLogger(__name__)

ADVANCED_TIER = 2000
OVER_TIER = "advanced-over-2000"
_METER = "hosting"
_EVERY_SECONDS = 1.0
_EPOCH = date(1970, 1, 1)
_CHINA = timedelta(hours=8)
_PAGE = 500
_COLUMNS = ("account_id", "region", "month", "item", "key_id")

Place = tuple[str, str, int, str, str]


class Hosting:
    """The meter. Of several processes on one database, one counts each day."""

    def __init__(self, database: Database, keys: KeyStore, now: Callable[[], datetime]) -> None:
        self._database = database
        self._keys = keys
        self._now = now
        self._next: int | None = None  # as far as this process knows

    async def settle(self) -> None:
        """Counts every day that has passed since the last time."""
        today = _day(self._now())
        if self._next is not None and self._next >= today:
            return
        begin = self._database.insert(meters).values(name=_METER, day=today)
        begin = begin.on_conflict_do_nothing()  # a new world begins today
        first = await self._database.run(lambda connection: _first(connection, begin))
        if first < today:
            counts: Counter[Place] = Counter()
            for scope in await self._keys.scopes():
                await self._count(scope, first, today, counts)
            await self._database.run(lambda connection: self._add(connection, first, today, counts))
        self._next = max(first, today)

    async def settle_regularly(self) -> None:
        while True:
            try:
                await self.settle()
            except Exception:
                logger.exception("could not count the days of keys; trying again")
            await asyncio.sleep(_EVERY_SECONDS)

    async def _count(self, scope: Scope, first: int, today: int, counts: Counter[Place]) -> None:
        advanced, offset, instances = 0, 0, dict[str, int]()
        while True:
            page = await self._keys.list_keys(scope, offset=offset, limit=_PAGE)
            for key in page.items:
                if key.state is KeyState.PENDING_DELETION:
                    continue
                for begin in _kept_from(key, first):
                    item = _item(key)
                    if item == "advanced":
                        advanced += 1
                        item = OVER_TIER if advanced > ADVANCED_TIER else item
                    _add_days(counts, (*scope, item, key.id), begin, today)
                    if key.instance_id:
                        known = instances.get(key.instance_id, begin)
                        instances[key.instance_id] = min(known, begin)
            offset += _PAGE
            if offset >= page.total:
                break
        for instance, begin in instances.items():
            item = f"instance-{INSTANCES.get(instance, 'SOFTWARE').lower()}"
            _add_days(counts, (*scope, item, instance), begin, today)

    def _add(self, connection: Connection, first: int, today: int, counts: Counter[Place]) -> None:
        """Unless another process was faster."""
        taken = (
            update(meters).where(meters.c.name == _METER, meters.c.day == first).values(day=today)
        )
        if connection.execute(taken).rowcount != 1 or not counts:
            return
        insert = self._database.insert(hosting)
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=list(_COLUMNS),
                set_={"days": hosting.c.days + insert.excluded.days},
            ),
            [
                dict(zip(_COLUMNS, place, strict=True)) | {"days": days}
                for place, days in sorted(counts.items())
            ],
        )


def _first(connection: Connection, begin: Executable) -> int:
    """The first day not counted yet."""
    connection.execute(begin)
    known = select(meters.c.day).where(meters.c.name == _METER)
    day: int = connection.execute(known).scalar_one()
    return day


def _item(key: Key) -> str:
    return f"instance-key-{key.origin.lower()}" if key.instance_id else hosting_class(key)


def _kept_from(key: Key, first: int) -> Iterator[int]:
    """For each version the first day to count."""
    for version in key.versions:
        yield max(first, _day(version.created_at))


def _add_days(
    counts: Counter[Place], place: tuple[str, str, str, str], begin: int, end: int
) -> None:
    account_id, region, item, key_id = place
    while begin < end:
        day = _EPOCH + timedelta(days=begin)
        following = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        until = min(end, (following - _EPOCH).days)
        month = day.year * 100 + day.month
        counts[account_id, region, month, item, key_id] += until - begin
        begin = until


def _day(moment: datetime) -> int:
    return ((moment.astimezone(UTC) + _CHINA).date() - _EPOCH).days

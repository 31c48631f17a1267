"""Events by what they say, a page at a time.

A page continues where the last one ended: at an event's time and number, which never change.
The newest event of the first page's moment bounds the rest, so that a reader who pages on while
calls go on sees each event once and comes to an end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Text,
    and_,
    cast,
    false,
    func,
    or_,
    select,
    true,
)

from acksim.account.database import Database
from acksim.account.tables import events
from acksim.account.trail import event

RETENTION = timedelta(days=90)

_COLUMNS = {
    "ServiceName": events.c.service,
    "EventName": events.c.name,
    "User": events.c.user_name,
    "ResourceName": events.c.resource_name,
}
# Asked for seldom: looked up in the body, so that no write pays for them.
_FACTS = {
    "EventId": ("requestId",),
    "ResourceType": ("resourceType",),
    "EventRW": ("eventRW",),
    "EventAccessKeyId": ("userIdentity", "accessKeyId"),
    "SourceIpAddress": ("sourceIpAddress",),
}
KEYS = (*_COLUMNS, *_FACTS, "EventType", "RoleName", "SensitiveAction")
"""What events can be looked up by."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Which events, in which order. `attributes`: pairs of a key and its value, all of which
    must match. `end` is the last second that counts."""

    account_id: str
    region: str
    attributes: tuple[tuple[str, str], ...]
    start: datetime
    end: datetime
    forward: bool = False


class Position(NamedTuple):
    """Behind which event a page begins, and the newest one that still belongs to the lookup."""

    time: float
    sequence: int
    newest: int


@dataclass(frozen=True, slots=True)
class EventPage:
    """`next` is None at the end."""

    events: tuple[dict[str, Any], ...]
    next: Position | None


class Trail:
    """Looks events up."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, lookup: Lookup, *, size: int, after: Position | None = None) -> EventPage:
        """At most `size` events, from the first one or from behind `after`."""

        def work(connection: Connection) -> EventPage:
            newest = after.newest if after else _newest(connection)
            query = (
                select(events.c.time, events.c.sequence, events.c.body)
                .where(*_window(lookup), events.c.sequence <= newest)
                .where(*(_match(connection, key, value) for key, value in lookup.attributes))
                .order_by(*_order(lookup.forward))
                .limit(size + 1)
            )
            if after is not None:
                query = query.where(_behind(after, forward=lookup.forward))
            return _page(connection.execute(query).all(), size, newest)

        return await self._database.read(work)


def _newest(connection: Connection) -> int:
    return connection.scalar(select(func.max(events.c.sequence))) or 0


def _window(lookup: Lookup) -> tuple[ColumnElement[bool], ...]:
    return (
        events.c.account_id == lookup.account_id,
        events.c.region == lookup.region,
        events.c.time >= lookup.start.timestamp(),
        events.c.time < lookup.end.timestamp() + 1,
    )


def _order(forward: bool) -> tuple[ColumnElement[Any], ...]:
    columns = (events.c.time, events.c.sequence)
    return columns if forward else tuple(column.desc() for column in columns)


def _behind(position: Position, *, forward: bool) -> ColumnElement[bool]:
    time, sequence = events.c.time, events.c.sequence
    if forward:
        beyond, in_time = sequence > position.sequence, time > position.time
    else:
        beyond, in_time = sequence < position.sequence, time < position.time
    return or_(in_time, and_(time == position.time, beyond))


def _match(connection: Connection, key: str, value: str) -> ColumnElement[bool]:
    if key in _COLUMNS:
        return _COLUMNS[key] == value
    if key in _FACTS:
        return _fact(connection, _FACTS[key]) == value
    if key == "RoleName":  # events name a role in small letters, before its session
        return events.c.user_name.startswith(f"{value.lower()}:", autoescape=True)
    # All events here are calls, and which actions count as sensitive is not public.
    return true() if (key, value) == ("EventType", "ApiCall") else false()


def _fact(connection: Connection, path: Sequence[str]) -> ColumnElement[str]:
    body = events.c.body
    if connection.dialect.name == "sqlite":
        return func.json_extract(cast(body, Text), "$." + ".".join(path))
    text = func.convert_from(body, "UTF8")
    return func.json_extract_path_text(cast(text, JSON), *path)


def _page(rows: Sequence[Any], size: int, newest: int) -> EventPage:
    shown = rows[:size]
    more = len(rows) > size
    following = Position(shown[-1].time, shown[-1].sequence, newest) if more else None
    return EventPage(tuple(event(row.body) for row in shown), following)

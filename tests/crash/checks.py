"""The ledger against the world: read everything back, and count what trail and bill know."""

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import cycle, islice
from pathlib import Path

from acksim.clients.alibaba import ApiRefusedError
from acksim.clients.trail import TrailClient, TrailQuery
from acksim.clients.world import World
from acksim.data_dir.layout import Layout
from tests.crash.doors.door import Door, RefusedError, UnansweredError
from tests.crash.ledger import Entry, Fault, Ledger, Value, Verdict

_READERS = 8
_READ_SECONDS = 30.0
_FRESH, _ROTATING, _EVENTS = 150, 50, 5  # of a sample


class Checks:
    """For one account; nobody may write meanwhile."""

    def __init__(self, doors: Sequence[Door], ledger: Ledger, account_id: str) -> None:
        self._doors = {door.kind: door for door in doors}
        self._ledger = ledger
        self._account_id = account_id
        self._checked = 0  # entries that some sample has seen as fresh
        self._turn = 0
        self.reads = 0

    def sample(self, trail: TrailClient) -> list[Fault]:
        """What was written since the last check, or the newest of it, and some older things."""
        entries = list(self._ledger.entries.values())
        fresh = entries[max(self._checked, len(entries) - _FRESH) :]
        older = list(islice(cycle(entries), self._turn, self._turn + _ROTATING))
        self._checked = len(entries)
        self._turn = (self._turn + _ROTATING) % max(1, len(entries))
        newest = list(self._ledger.request_ids.items())[-_EVENTS:]
        return [*self._read([*fresh, *older]), *_look_up(trail, newest)]

    def everything(self, world: World, layout: Layout) -> list[Fault]:
        faults: list[Fault] = []
        entries = list(self._ledger.entries.values())
        alone: list[Entry] = []
        for kind, door in self._doors.items():
            mine = [entry for entry in entries if entry.kind == kind]
            listed = door.read_all()
            if listed is None:
                alone += mine
            else:
                self.reads += len(mine)
                faults += filter(None, (entry.judge(listed.get(entry.name)) for entry in mine))
        faults += self._read(alone)
        faults += self._ledger.judge_trail(_request_ids(layout, self._account_id))
        parts = world.costs(account_id=self._account_id, by="action")["parts"]
        faults += self._ledger.judge_bill({part["part"]: part["calls"] for part in parts})
        return [*faults, *broken_files(layout)]

    def _read(self, entries: Sequence[Entry]) -> list[Fault]:
        self.reads += len(entries)
        with ThreadPoolExecutor(_READERS) as pool:
            return [fault for fault in pool.map(self._judge, entries) if fault]

    def _judge(self, entry: Entry) -> Fault | None:
        try:
            return entry.judge(_patiently(self._doors[entry.kind], entry.name))
        except (RefusedError, UnansweredError) as error:
            text = f"cannot be read: {error}"
            return Fault(Verdict.LOST, entry.kind, entry.name, text)


def broken_files(layout: Layout) -> list[Fault]:
    """SQLite's own opinion of the data directory."""
    return [
        Fault(Verdict.WRONG, "file", path.name, answer)
        for path in (layout.kms, layout.database)
        if (answer := _integrity(path)) != "ok"
    ]


def _integrity(path: Path) -> str:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        (answer,) = database.execute("PRAGMA integrity_check").fetchone()
        return str(answer)


def _patiently(door: Door, name: str) -> Value:
    """The world is ready, but a stopped process may have left an answer or two behind."""
    deadline = time.monotonic() + _READ_SECONDS
    while True:
        try:
            return door.read(name)
        except UnansweredError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _look_up(trail: TrailClient, calls: Iterable[tuple[str, str]]) -> Iterator[Fault]:
    """As a user of ActionTrail would."""
    for request_id, action in calls:
        try:
            found = any(trail.events(TrailQuery({"EventId": request_id})))
        except ApiRefusedError as error:
            yield Fault(Verdict.LOST, "trail event", request_id, f"{action}: {error}")
        else:
            if not found:
                yield Fault(Verdict.LOST, "trail event", request_id, f"{action} is not found")


def _request_ids(layout: Layout, account_id: str) -> set[str]:
    """Of every event of the account; LookupEvents shows them too, fifty at a time."""
    query = "SELECT json_extract(CAST(body AS TEXT), '$.requestId') FROM events WHERE account_id=?"
    with closing(sqlite3.connect(f"file:{layout.database}?mode=ro", uri=True)) as database:
        return {request_id for (request_id,) in database.execute(query, (account_id,))}

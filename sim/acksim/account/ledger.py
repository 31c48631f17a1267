"""Every call is written once: a line of the trail and a count of the bill, in one transaction.

Calls that arrive together are committed together. A call is answered only after its commit, so
the trail and the bill hold at least what any client has seen acknowledged.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy import Connection

from acksim.account.database import Database
from acksim.account.tables import events, usage
from acksim.account.trail import EVENT_COLUMNS, event_row, recorded
from alibaba_edge.ports import CallRecord

ClusterOf = Callable[[str], str]
UsageKey = tuple[str, str, int, str, str, str, str, str]

USAGE_KEY = ("account_id", "region", "hour", "item", "action", "caller", "key_id", "cluster_id")


class Ledger:
    """The CallLog of the account, with group commit."""

    def __init__(self, database: Database, *, cluster_of: ClusterOf = lambda _: "") -> None:
        """`cluster_of` tells for which cluster a temporary access key was issued, if for one."""
        self._database = database
        self._cluster_of = cluster_of
        self._pending: list[tuple[CallRecord, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._add_events = database.prepared(events.insert().inline(), EVENT_COLUMNS)
        add_usage = database.insert(usage)
        self._add_usage = database.prepared(
            add_usage.on_conflict_do_update(
                index_elements=list(USAGE_KEY),
                set_={"calls": usage.c.calls + add_usage.excluded.calls},
            ),
            (*USAGE_KEY, "calls"),
        )

    async def record(self, call: CallRecord) -> None:
        """Returns when the call is committed; raises what the database raised."""
        if not recorded(call):
            return
        written = asyncio.get_running_loop().create_future()
        self._pending.append((call, written))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        await written

    async def _write_all(self) -> None:
        while self._pending:
            batch, self._pending = self._pending, []
            calls = [call for call, _ in batch]
            try:
                await self._database.run_short(partial(self._write, calls))
            except Exception as error:  # noqa: BLE001 - every waiting call must hear of it
                for _, written in batch:
                    if not written.done():
                        written.set_exception(error)
            else:
                for _, written in batch:
                    if not written.done():
                        written.set_result(None)
        self._writer = None

    def _write(self, calls: Sequence[CallRecord], connection: Connection) -> None:
        rows = [event_row(call) for call in calls]
        cursor = connection.connection.cursor()
        cursor.executemany(self._add_events, rows)
        counts = Counter(self._usage_key(call) for call in calls if call.billable is not None)
        if not counts:
            return
        # In one order in every process, so that no two of them wait for each other.
        sums = [(*key, calls) for key, calls in sorted(counts.items())]
        cursor.executemany(self._add_usage, sums)

    def _usage_key(self, call: CallRecord) -> UsageKey:
        return (
            call.caller.account_id,
            call.region,
            int(call.time.timestamp()) // 3600,
            call.price_class or call.billable or "",
            call.action,
            call.caller.user_name,
            call.key_id or "",
            self._cluster_of(call.caller.access_key_id),
        )

"""Operations on Secrets beside their ceiling: the same etcd driven by bare stubs, in one run."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any, Protocol

from apiserver_shim.storage import codec
from apiserver_shim.storage.etcd import prefix_end
from apiserver_shim.storage.etcd_member import Member
from apiserver_shim.storage.etcd_pb2 import (
    Compare,
    PutRequest,
    RangeRequest,
    RequestOp,
    TxnRequest,
    WatchCreateRequest,
    WatchRequest,
)

CLIENTS = (1, 32)
STORED = 1000
PAGE = 500
WATCHED = 400

Call = Callable[[int], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Result:
    """Operations (pages, events) a second and latencies in milliseconds."""

    what: str
    how: str
    clients: int
    per_second: float
    p50_ms: float
    p99_ms: float


def secret(name: str) -> dict[str, Any]:
    return {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": "00000000-0000-0000-0000-000000000001",
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "data": {"password": "QUFB" * 256},
        "type": "Opaque",
    }


async def closed_loop(call: Call, clients: int, seconds: float) -> tuple[float, float, float]:
    """Keep ``clients`` calls running; return the rate, p50 and p99."""
    numbers = iter(range(10**9))
    latencies: list[float] = []
    begin = time.perf_counter() + 0.3
    end = begin + seconds

    async def client() -> None:
        while (start := time.perf_counter()) < end:
            await call(next(numbers))
            if start >= begin:
                latencies.append(time.perf_counter() - start)

    await asyncio.gather(*(client() for _ in range(clients)))
    latencies.sort()
    return (
        len(latencies) / seconds,
        latencies[len(latencies) // 2] * 1000,
        latencies[int(len(latencies) * 0.99)] * 1000,
    )


class Subject(Protocol):
    """Somewhere that stores Secrets in one namespace."""

    @property
    def how(self) -> str: ...

    async def create(self, name: str) -> None: ...

    async def get(self, name: str) -> None: ...

    async def page(self) -> None:
        """Read the first PAGE Secrets."""

    async def watch(self, ready: Callable[[], None], seen: Callable[[int], bool]) -> None:
        """Watch from now on: tell when that holds, and of each events' number until `seen`."""


class Bare:
    """The same operations on bare stubs: no codec, no transformer, no error mapping."""

    how = "bare stubs"

    def __init__(self, endpoint: str, cluster: str = "") -> None:
        """`cluster` is the prefix of somebody's Secrets; without it there are none yet."""
        self._member = Member(endpoint, None)
        self._value = codec.encode(secret("app-1"))
        cluster = cluster or f"/bare-{secrets.token_hex(4)}"
        self._prefix = f"{cluster}/secrets/default/".encode()
        self._range = RangeRequest(key=self._prefix, range_end=prefix_end(self._prefix), limit=PAGE)

    async def create(self, name: str) -> None:
        key = self._prefix + name.encode()
        await self._member.txn(
            TxnRequest(
                compare=(Compare(target=Compare.MOD, key=key, mod_revision=0),),
                success=(RequestOp(request_put=PutRequest(key=key, value=self._value)),),
            ),
            timeout=5,
        )

    async def get(self, name: str) -> None:
        await self._member.range(RangeRequest(key=self._prefix + name.encode(), limit=1), timeout=5)

    async def page(self) -> None:
        await self._member.range(self._range, timeout=5)

    async def page_ms(self, name: str = "") -> float:
        """Read a page that begins with `name`; return how long that took."""
        start, request = self._prefix + name.encode(), RangeRequest()
        request.CopyFrom(self._range)
        request.key = start
        began = time.perf_counter()
        await self._member.range(request, timeout=20)
        return (time.perf_counter() - began) * 1000

    async def watch(self, ready: Callable[[], None], seen: Callable[[int], bool]) -> None:
        call = self._member.watch(None)
        create = WatchCreateRequest(
            key=self._prefix, range_end=prefix_end(self._prefix), prev_kv=True
        )
        await call.write(WatchRequest(create_request=create))
        async for response in call:
            if response.created:
                ready()
            if seen(len(response.events)):
                call.cancel()
                return

    async def answers(self) -> None:
        """Wait for an etcd that has just been started."""
        request = RangeRequest(key=self._prefix, limit=1)
        await self._member.range(request, timeout=20, wait_for_ready=True)

    async def close(self) -> None:
        await self._member.channel.close(None)


async def fan_out(subject: Subject, watchers: int) -> float:
    """Create objects under ``watchers`` watches; return events a second."""
    open_watches = 0
    all_open = asyncio.Event()

    def ready() -> None:
        nonlocal open_watches
        open_watches += 1
        if open_watches == watchers:
            all_open.set()

    def counter() -> Callable[[int], bool]:
        total = 0

        def seen(count: int) -> bool:
            nonlocal total
            total += count
            return total >= WATCHED

        return seen

    watches = [asyncio.create_task(subject.watch(ready, counter())) for _ in range(watchers)]
    await all_open.wait()
    await asyncio.sleep(0.2)
    run = secrets.token_hex(3)
    began = time.perf_counter()
    for first in range(0, WATCHED, 16):
        names = [f"w-{run}-{number}" for number in range(first, min(first + 16, WATCHED))]
        await asyncio.gather(*(subject.create(name) for name in names))
    await asyncio.gather(*watches)
    return watchers * WATCHED / (time.perf_counter() - began)


async def measure(subject: Subject, seconds: float) -> AsyncIterator[Result]:
    """Store STORED Secrets, then measure each operation; reads before more is written."""
    run = secrets.token_hex(3)
    for number in range(STORED):
        await subject.create(f"app-{run}-{number}")

    def get(number: int) -> Awaitable[None]:
        return subject.get(f"app-{run}-{number * 7919 % STORED}")

    def page(_: int) -> Awaitable[None]:
        return subject.page()

    for what, call in (("get", get), (f"list of {PAGE}", page)):
        for clients in CLIENTS:
            yield await _measured(what, subject.how, call, clients, seconds)
    for clients in CLIENTS:
        create = partial(_create, subject, f"z{clients}-{run}")
        yield await _measured("create", subject.how, create, clients, seconds)
    for watchers in CLIENTS:
        rate = await fan_out(subject, watchers)
        yield Result("watch event", subject.how, watchers, round(rate, 2), 0.0, 0.0)


def _create(subject: Subject, run: str, number: int) -> Awaitable[None]:
    return subject.create(f"{run}-{number}")


async def _measured(what: str, how: str, call: Call, clients: int, seconds: float) -> Result:
    rate, p50, p99 = await closed_loop(call, clients, seconds)
    return Result(what, how, clients, round(rate, 2), round(p50, 2), round(p99, 2))


def table(rounds: Sequence[Sequence[Result]]) -> str:
    """Return a Markdown table: medians of the rounds, and each rate as a part of the bare stubs'.

    Such a part compares two figures of one round; its least and its greatest follow it.
    """
    lines = [
        "| what | how | clients | a second | of bare | p50 ms | p99 ms |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for row in sorted({(one.what, one.clients, one.how) for one in rounds[0]}, key=_bare_first):
        what, clients, how = row
        found = [_find(results, what, clients, how) for results in rounds]
        bare = [_find(results, what, clients, Bare.how) for results in rounds]
        shares = [one.per_second / other.per_second for one, other in zip(found, bare, strict=True)]
        part = f"{median(shares):.0%}"
        if len(shares) > 1 and how != Bare.how:
            part += f" ({min(shares):.0%} to {max(shares):.0%})"
        rate, p50, p99 = (
            median(getattr(one, name) for one in found)
            for name in ("per_second", "p50_ms", "p99_ms")
        )
        lines.append(
            f"| {what} | {how} | {clients} | {rate:,.0f} | {part} | {p50 or '-'} | {p99 or '-'} |"
        )
    return "\n".join(lines)


def _bare_first(row: tuple[str, int, str]) -> tuple[str, int, bool, str]:
    what, clients, how = row
    return what, clients, how != Bare.how, how


def _find(results: Sequence[Result], what: str, clients: int, how: str) -> Result:
    return next(one for one in results if (one.what, one.clients, one.how) == (what, clients, how))

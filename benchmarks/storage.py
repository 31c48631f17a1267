"""`python -m benchmarks.storage`: the store beside the ceiling of bare stubs on the same etcd.

Secrets created, read, listed (500 a page) and watched, stored plain and under KMS v1 and v2, each
by 1 and 32 clients. The plugin is a process of its own that wraps without a KMS, so that the cost
measured is the envelope's. The bare stubs send values as large as the plain ones.
"""

import argparse
import asyncio
import json
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

from apiserver_shim.encryption.live import LiveEncryption
from apiserver_shim.encryption.runtime import Runtime
from apiserver_shim.encryption.transformer import TransformerSet
from apiserver_shim.errors import StorageUnavailableError
from apiserver_shim.storage import codec
from apiserver_shim.storage.etcd import EtcdClient, prefix_end
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
from apiserver_shim.storage.store import Key, Store
from benchmarks.turning_plugin import turning_plugin
from sim.etcd_server import command, find
from sim.listeners import free_port

CLIENTS = (1, 32)
STORED = 1000
PAGE = 500
CACHE = 1_000_000
WATCHED = 400
PROVIDERS = ("identity", "v1", "v2")

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


class Bare:
    """The same operations on bare stubs: no codec, no transformer, no error mapping."""

    how = "bare stubs"

    def __init__(self, endpoint: str, value: bytes) -> None:
        self._member = Member(endpoint, None)
        self._value = value
        self._prefix = f"/bare-{secrets.token_hex(4)}/secrets/default/".encode()
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

    async def close(self) -> None:
        await self._member.channel.close(None)


class Stored:
    """The store of a server with one provider."""

    def __init__(self, how: str, store: Store) -> None:
        self.how = how
        self._store = store

    async def create(self, name: str) -> None:
        await self._store.create(Key("secrets", "default", name), secret(name))

    async def get(self, name: str) -> None:
        await self._store.get(Key("secrets", "default", name))

    async def page(self) -> None:
        await self._store.list("secrets", "default", limit=PAGE)

    async def watch(self, ready: Callable[[], None], seen: Callable[[int], bool]) -> None:
        revision = await self._store.latest_revision("secrets")
        async with aclosing(self._store.watch("secrets", revision=revision)) as events:
            ready()
            async for event in events:
                if event.type != "BOOKMARK" and seen(1):
                    return


Subject = Bare | Stored


async def fan_out(subject: Subject, watchers: int) -> tuple[float, float, float]:
    """Create objects under ``watchers`` watches; return events a second, and no latency."""
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
    return watchers * WATCHED / (time.perf_counter() - began), 0.0, 0.0


def _create(subject: Subject, run: str, number: int) -> Awaitable[None]:
    return subject.create(f"z-{run}-{number}")


async def measure(subject: Subject, seconds: float) -> AsyncIterator[Result]:
    for number in range(STORED):
        await subject.create(f"app-{number}")
    for clients in CLIENTS:
        run = secrets.token_hex(3)
        calls: dict[str, Call] = {
            "create": partial(_create, subject, run),
            "get": lambda number: subject.get(f"app-{number * 7919 % STORED}"),
            f"list of {PAGE}": lambda _: subject.page(),
        }
        for what, call in calls.items():
            figures = await closed_loop(call, clients, seconds)
            yield Result(what, subject.how, clients, *(round(one, 2) for one in figures))
    for watchers in CLIENTS:
        rate, _, _ = await fan_out(subject, watchers)
        yield Result("watch event", subject.how, watchers, round(rate, 2), 0.0, 0.0)


@contextmanager
def real_etcd(directory: Path) -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen(
        command(find(), directory / "etcd", client_port=port, peer_port=free_port()),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@asynccontextmanager
async def transformers(
    provider: str, socket: str, directory: Path
) -> AsyncIterator[TransformerSet]:
    if provider == "identity":
        yield TransformerSet()
        return
    path = directory / f"{provider}.yaml"
    kms: dict[str, Any] = {"apiVersion": provider, "name": "bench", "endpoint": socket}
    if provider == "v1":
        kms["cachesize"] = CACHE  # what was written stays readable without the plugin
    rule = {"resources": ["secrets"], "providers": [{"kms": kms}, {"identity": {}}]}
    head = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration"}
    path.write_text(json.dumps({**head, "resources": [rule]}))
    live = LiveEncryption(path, Runtime(lambda: datetime.now(UTC)), reload_interval=None)
    await live.start()
    yield live.transformers
    await live.stop()


async def run(endpoint: str, socket: str, directory: Path, seconds: float) -> list[Result]:
    etcd = EtcdClient([endpoint])
    async with asyncio.timeout(20):
        while True:
            with suppress(StorageUnavailableError):
                await etcd.get(b"ready")
                break
            await asyncio.sleep(0.05)
    results: list[Result] = []
    bare = Bare(endpoint, codec.encode(secret("app-1")))
    results += [result async for result in measure(bare, seconds)]
    await bare.close()
    for provider in PROVIDERS:
        async with transformers(provider, socket, directory) as configured:
            prefix = f"/bench-{secrets.token_hex(4)}"
            store = Store(etcd, prefix=prefix, transformers=configured)
            results += [one async for one in measure(Stored(provider, store), seconds)]
    await etcd.close()
    return results


def table(results: list[Result]) -> str:
    """Return a Markdown table, with each rate as a part of the bare stubs'."""
    ceiling = {(one.what, one.clients): one.per_second for one in results if one.how == Bare.how}
    lines = [
        "| what | how | clients | a second | of bare | p50 ms | p99 ms |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for one in sorted(results, key=lambda one: (one.what, one.clients)):
        share = one.per_second / ceiling[one.what, one.clients]
        lines.append(
            f"| {one.what} | {one.how} | {one.clients} | {one.per_second:,.0f} | {share:.0%} | "
            f"{one.p50_ms or '-'} | {one.p99_ms or '-'} |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storage", description=__doc__)
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench") as name:
        directory = Path(name)
        with real_etcd(directory) as endpoint, turning_plugin(directory) as socket:
            results = uvloop.run(run(endpoint, socket, directory, arguments.seconds))
    print(json.dumps([asdict(one) for one in results]) if arguments.json else table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What grows with the number of Secrets, or must not: pages, memory, rewriting; new clusters."""

import asyncio
import json
import secrets
import statistics
import time
from pathlib import Path

import uvloop

from acksim.clients.world import World
from benchmarks.ceiling import Bare
from benchmarks.load import Answer
from benchmarks.served import Served

_WRITERS = 16
_PAGES = 20
_CLUSTERS = 40

Figures = dict[str, float | int | str]


async def listing(world: World, cluster: dict[str, str], number: int, *, pid: int) -> Figures:
    """Page latency at both ends of a list, in ms, and the server's memory while it is read."""
    served = Served("list", world, cluster)
    await _fill(served, number)
    tokens, latencies, most = [""], list[float](), 0.0
    before = _resident_mib(pid)
    while True:
        began = time.perf_counter()
        answer = await served.ask(served.requests.page(tokens[-1]))
        latencies.append((time.perf_counter() - began) * 1000)
        most = max(most, _resident_mib(pid))
        token = json.loads(answer.body)["metadata"].get("continue")
        if not token:
            break
        tokens.append(token)
    # both ends in turn, so that whatever else goes on meets both
    first, last, bare_first, bare_last = [], [], [], []
    bare, final = Bare(world.facts.etcd[0], cluster["etcd_prefix"]), _names(answer)[0]
    for _ in range(_PAGES):
        first.append(await _page_ms(served, tokens[0]))
        bare_first.append(await bare.page_ms())
        last.append(await _page_ms(served, tokens[-1]))
        bare_last.append(await bare.page_ms(final))
    await bare.close()
    await served.close()
    return {
        "Secrets": number,
        "first page, ms": round(statistics.median(first), 1),
        "last page, ms": round(statistics.median(last), 1),
        "first page of bare stubs, ms": round(statistics.median(bare_first), 1),
        "last page of bare stubs, ms": round(statistics.median(bare_last), 1),
        "median of all pages, ms": round(statistics.median(latencies), 1),
        "slowest of all pages, ms": round(max(latencies), 1),
        "server before, MiB": before,
        "server while all are listed, MiB": most,
    }


async def rewriting(world: World, cluster: dict[str, str], number: int) -> Figures:
    """The calls of `kubectl get secrets -A -o json | kubectl annotate --overwrite -f - K=V`.

    Pages of 500, then a get and a merge patch for each Secret, one after the other. kubectl itself
    waits between its requests to stay below its own limit of 50 a second.
    """
    served = Served("rewrite", world, cluster)
    await _fill(served, number)
    began = time.perf_counter()
    names, token = list[str](), ""
    while True:
        answer = await served.ask(served.requests.page(token))
        names += _names(answer)
        token = json.loads(answer.body)["metadata"].get("continue", "")
        if not token:
            break
    listed = time.perf_counter() - began
    stamp = secrets.token_hex(4)
    for name in names:
        await served.ask(served.requests.get(name))
        await served.ask(served.requests.annotate(name, rewritten=stamp))
    seconds = time.perf_counter() - began
    await served.close()
    return {
        "rewritten": len(names),
        "KMS": cluster["kms"],
        "a Secret, ms": round(seconds * 1000 / len(names), 2),
        "of it listing, ms": round(listed * 1000 / len(names), 3),
    }


def new_clusters(world: World, key_id: str) -> Figures:
    """Orders by the control API, and from the order to the first stored Secret, in ms."""
    ordered, used = [], []
    for number in range(_CLUSTERS):
        began = time.perf_counter()
        cluster = world.create_cluster(f"new-{number}", key_id=key_id, kms="v1")
        ordered.append((time.perf_counter() - began) * 1000)
        used.append(ordered[-1] + uvloop.run(_first_secret(world, cluster)))
        world.delete_cluster(cluster["cluster_id"])
    return {
        "new clusters": _CLUSTERS,
        "ordered, ms": _spread(ordered),
        "to the first Secret, ms": _spread(used),
    }


async def _first_secret(world: World, cluster: dict[str, str]) -> float:
    served = Served("new", world, cluster)
    began = time.perf_counter()
    await served.create("first")
    milliseconds = (time.perf_counter() - began) * 1000
    await served.close()
    return milliseconds


async def _fill(served: Served, number: int) -> None:
    names = iter(range(number))

    async def write() -> None:
        for name in names:
            await served.create(f"app-{name}")

    async with asyncio.TaskGroup() as group:
        for _ in range(_WRITERS):
            group.create_task(write())


async def _page_ms(served: Served, token: str) -> float:
    began = time.perf_counter()
    await served.ask(served.requests.page(token))
    return (time.perf_counter() - began) * 1000


def _names(page: Answer) -> list[str]:
    return [item["metadata"]["name"] for item in json.loads(page.body)["items"]]


def _spread(values: list[float]) -> str:
    ordered = sorted(values)
    tenth = ordered[len(ordered) * 9 // 10]
    return f"{statistics.median(ordered):.1f} (least {ordered[0]:.1f}, nine in ten {tenth:.1f})"


def _resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return round(int(line.split()[1]) / 1024, 1)

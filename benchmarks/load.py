"""A small closed-loop HTTP load: N connections, each with one request in flight.

Raw asyncio streams, so that the client costs little beside the server that is measured.
"""

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

_PATIENCE_SECONDS = 30.0

WARM_UP = 0.3


@dataclass(frozen=True, slots=True)
class Rate:
    """What a run saw: calls a second and latencies in milliseconds."""

    per_second: float
    p50: float
    p99: float
    errors: int


class Answer(NamedTuple):
    """What matters of an answer; `last` when the server closes the connection after it."""

    status: int
    last: bool


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send, and how to make the bytes of the n-th request."""

    host: str
    port: int
    request: Callable[[int], bytes]
    tls: ssl.SSLContext | None = None

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.host, self.port, ssl=self.tls)


async def measure(
    target: Target, *, clients: int, seconds: float, warm_up: float = WARM_UP
) -> Rate:
    """Runs for `warm_up` unmeasured seconds, then for `seconds`."""
    counter = iter(range(10**9))
    latencies: list[float] = []
    errors = 0
    begin = time.perf_counter() + warm_up
    end = begin + seconds

    async def client() -> None:
        nonlocal errors
        reader, writer = await target.connect()
        while (start := time.perf_counter()) < end:
            writer.write(target.request(next(counter)))
            answer = await _read_answer(reader)
            if start >= begin:
                latencies.append(time.perf_counter() - start)
                errors += answer.status >= 300
            if answer.last:  # moto's server closes after each answer; that is its own cost
                writer.close()
                reader, writer = await target.connect()
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    latencies.sort()
    return Rate(
        per_second=len(latencies) / seconds,
        p50=latencies[len(latencies) // 2] * 1000,
        p99=latencies[int(len(latencies) * 0.99)] * 1000,
        errors=errors,
    )


async def once(target: Target) -> int:
    """Sends one request; returns its HTTP status."""
    reader, writer = await asyncio.open_connection(target.host, target.port, ssl=target.tls)
    writer.write(target.request(0))
    status = (await _read_answer(reader)).status
    writer.close()
    return status


async def _read_answer(reader: asyncio.StreamReader) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    lowered = head.lower()
    answer = Answer(int(head[9:12]), b"\r\nconnection: close" in lowered)
    at = lowered.find(b"content-length:")
    if at >= 0:
        await reader.readexactly(int(lowered[at + 15 : lowered.index(b"\r\n", at)]))
        return answer
    while size := int(await reader.readuntil(b"\r\n"), 16):
        await reader.readexactly(size + 2)
    await reader.readexactly(2)
    return answer

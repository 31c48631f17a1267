"""A small closed-loop HTTP load: N connections, each with one request in flight.

Raw asyncio streams, so that the client costs little beside the server that is measured.
"""

import asyncio
import ssl
import sys
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import NamedTuple

_PATIENCE_SECONDS = 30.0

WARM_UP = 0.3
_BUFFER = 1 << 20


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
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send, and how to make the bytes of the n-th request."""

    host: str
    port: int
    request: Callable[[int], bytes]
    tls: ssl.SSLContext | None = None

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.host, self.port, ssl=self.tls, limit=_BUFFER)


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


class Connection:
    """One connection, kept open, with one request in flight."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, target: Target) -> "Connection":
        return cls(*await target.connect())

    async def ask(self, request: bytes) -> Answer:
        self._writer.write(request)
        return await _read_answer(self._reader)

    async def follow(self, request: bytes) -> AsyncGenerator[bytes]:
        """Yields the chunks of an answer that does not end, the first of them empty."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        if head[9:12] != b"200":
            raise SystemExit(f"the watch was refused: {head.decode()}")
        yield b""
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            yield await self._reader.readexactly(size + 2)

    def close(self) -> None:
        self._writer.close()


def say(what: str) -> None:
    """What is measured now, for whoever waits."""
    print(f"acksim bench: {what} …", file=sys.stderr, flush=True)


async def once(target: Target) -> int:
    """Sends one request; returns its HTTP status."""
    connection = await Connection.open(target)
    status = (await connection.ask(target.request(0))).status
    connection.close()
    return status


async def _read_answer(reader: asyncio.StreamReader) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    lowered = head.lower()
    status, last = int(head[9:12]), b"\r\nconnection: close" in lowered
    at = lowered.find(b"content-length:")
    if at >= 0:
        size = int(lowered[at + 15 : lowered.index(b"\r\n", at)])
        return Answer(status, last, await reader.readexactly(size))
    parts = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        parts.append((await reader.readexactly(size + 2))[:-2])
    await reader.readexactly(2)
    return Answer(status, last, b"".join(parts))

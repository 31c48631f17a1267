"""A world for a campaign: started when a door first needs it, looked over at the end."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from acksim.clients.world import World
from acksim.testing import ClusterUnderTest
from acksim.world.launcher import Launcher, ephemeral_world
from tests.fuzz.wire import NoAnswerError, Wire, request_bytes

SLOW_SECONDS = 2.0
_PROBE_EVERY_SECONDS = 0.25
_MEMORY_LIMIT = 1024 * 1024 * 1024


@dataclass
class Lab:
    """Everything is made at its first use. `world` is ephemeral and listens on free ports."""

    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @cached_property
    def _started(self) -> tuple[World, Launcher]:
        return self._stack.enter_context(ephemeral_world())

    @property
    def world(self) -> World:
        return self._started[0]

    @property
    def is_started(self) -> bool:
        return "_started" in self.__dict__

    @cached_property
    def v1(self) -> ClusterUnderTest:
        """A cluster whose Secrets are sealed with KMS v1."""
        return ClusterUnderTest.create(self.world, kms="v1")

    @cached_property
    def v2(self) -> ClusterUnderTest:
        """A cluster whose Secrets are sealed with KMS v2."""
        return ClusterUnderTest.create(self.world, kms="v2")

    def close(self) -> None:
        """End the world and everything in it."""
        for name in ("v1", "v2"):
            if name in self.__dict__:
                self.__dict__[name].delete()
        self._stack.close()

    def tracebacks(self) -> list[str]:
        """The first lines of tracebacks in the logs of the world's processes."""
        if not self.is_started:
            return []
        found = []
        for log in sorted((Path(self.world.facts.data_dir) / "logs").glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()
            for number, line in enumerate(lines):
                if line.startswith("Traceback "):
                    before = lines[number - 1] if number else ""
                    found.append(f"{log.name}:{number + 1}: {before}")
        return found

    def too_large(self) -> list[str]:
        """The processes of the world that hold more than a gigabyte of memory."""
        if not self.is_started:
            return []
        found = []
        for child in self._started[1].supervisor.children:
            resident = 0 if child.pid is None else _resident_bytes(child.pid)
            if resident > _MEMORY_LIMIT:
                found.append(f"{child.name} holds {resident >> 20} MiB")
        return found


def _resident_bytes(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:  # no Linux, or no such process any more
        return 0
    return pages * 4096


class Probe:
    """Asks both listeners for their health all the time, so that a slow machine is told apart.

    An input that takes long while the probe is answered at once has hung by itself; a probe that
    waits long was stopped by somebody's input.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.waits: list[tuple[float, float]] = []  # when asked, and for how long

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Probe"]:
        """Probe while the block runs."""
        tasks = [asyncio.create_task(self._ask(*place)) for place in self._places()]
        yield self
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def longest(self, begin: float, end: float) -> float:
        """The longest wait of a probe that overlaps [begin, end], in seconds."""
        return max((w for at, w in self.waits if at <= end and at + w >= begin), default=0.0)

    def _places(self) -> list[tuple[Wire, bytes]]:
        if not self._lab.is_started:
            return []
        facts = self._lab.world.facts
        parts = urlsplit(facts.endpoint)
        host, port = parts.hostname or "", parts.port or 0
        health = request_bytes("GET", "/healthz", [("host", f"{host}:{port}")])
        return [(Wire(host, port), health)]

    async def _ask(self, wire: Wire, request: bytes) -> None:
        try:
            while True:
                begin = time.monotonic()
                with contextlib.suppress(NoAnswerError, TimeoutError):
                    await wire.exchange(request)
                self.waits.append((begin, time.monotonic() - begin))
                await asyncio.sleep(_PROBE_EVERY_SECONDS)
        finally:
            await wire.close()

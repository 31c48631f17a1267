"""Several uvicorn servers in one event loop, under one rule for when to end."""

import asyncio
import contextlib
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator

import uvicorn

from acksim.listeners import Listener
from apiserver_shim.api.server import settle


@contextlib.asynccontextmanager
async def serving(*pairs: tuple[uvicorn.Server, Listener]) -> AsyncIterator[None]:
    """All of them answer inside; each has ended after."""
    tasks = []
    for server, listener in pairs:
        # A server that took the signals for itself would end alone.
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
        tasks.append(asyncio.create_task(server.serve(sockets=[listener.socket])))
    try:
        while not all(server.started for server, _ in pairs):
            failed = [task for task in tasks if task.done()]
            if failed:
                await asyncio.gather(*failed)
                raise RuntimeError("a server ended while it started; its log says why")
            await asyncio.sleep(0.002)
        yield
    finally:
        for server, _ in pairs:
            server.should_exit = True
        await asyncio.gather(*tasks, return_exceptions=True)


async def end_requested() -> None:
    """Returns on SIGTERM, on SIGINT, and when the parent that holds our standard input is gone.

    A process that waits here has started, and its memory settles.
    """
    settle()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        loop.add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()

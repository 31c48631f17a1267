"""Opens the values of a list: concurrently where a key service must be asked, but bounded."""

import asyncio
from collections.abc import Sequence

from apiserver_shim.encryption.transformer import Transformer
from apiserver_shim.errors import TransformError
from apiserver_shim.storage.etcd_pb2 import KeyValue

_CONCURRENCY = 16
_BREATH = 128  # values opened without waiting before other tasks get a turn


async def open_all(
    kvs: Sequence[KeyValue], transformer: Transformer
) -> Sequence[tuple[bytes, bool]]:
    """Return (plaintext, stale) of each value, in order.

    The first that fails, in key order, fails all: ``unable to transform key "...": ...``.
    """
    opened, failures = await open_most(kvs, transformer, tolerate=0)
    if failures:
        index = min(failures)
        key = kvs[index].key.decode(errors="replace")
        error = failures[index]
        raise TransformError(f'unable to transform key "{key}": {error.message}', code=error.code)
    return opened


async def open_most(
    kvs: Sequence[KeyValue], transformer: Transformer, *, tolerate: int
) -> tuple[Sequence[tuple[bytes, bool]], dict[int, TransformError]]:
    """Return (plaintext, stale) of each value, and what failed by its place.

    Stops early once more than ``tolerate`` have failed.
    """
    opened: list[tuple[bytes, bool]] = [(b"", False)] * len(kvs)
    failures: dict[int, TransformError] = {}
    pending = iter(enumerate(kvs))

    async def work() -> None:
        for index, kv in pending:
            if len(failures) > tolerate:
                return
            try:
                opened[index] = await transformer.from_storage(kv.value, kv.key)
            except TransformError as error:
                failures[index] = error
            if index % _BREATH == _BREATH - 1:
                await asyncio.sleep(0)

    # While keys are cached nothing waits, and the first worker does all the work.
    async with asyncio.TaskGroup() as group:
        for _ in range(min(_CONCURRENCY, len(kvs))):
            group.create_task(work())
    return opened, failures

"""Opens the values of a list: concurrently where a key service must be asked, but bounded."""

import asyncio
from collections.abc import Iterator, Sequence

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
    opened: list[tuple[bytes, bool]] = [(b"", False)] * len(kvs)
    failures: dict[int, TransformError] = {}
    pending = iter(enumerate(kvs))
    # While keys are cached nothing waits, and the first worker does all the work.
    workers = min(_CONCURRENCY, len(kvs))
    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(_work(pending, transformer, opened, failures))
    if failures:
        index = min(failures)
        key = kvs[index].key.decode(errors="replace")
        raise TransformError(f'unable to transform key "{key}": {failures[index].message}')
    return opened


async def _work(
    pending: Iterator[tuple[int, KeyValue]],
    transformer: Transformer,
    opened: list[tuple[bytes, bool]],
    failures: dict[int, TransformError],
) -> None:
    for index, kv in pending:
        if failures:
            return
        try:
            opened[index] = await transformer.from_storage(kv.value, kv.key)
        except TransformError as error:
            failures[index] = error
        if index % _BREATH == _BREATH - 1:
            await asyncio.sleep(0)

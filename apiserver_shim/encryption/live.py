"""The encryption of a running cluster: its configuration file, loaded and reloaded."""

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

from apiserver_shim.encryption import config, validation
from apiserver_shim.encryption.assembly import Assembly
from apiserver_shim.encryption.runtime import Runtime
from apiserver_shim.encryption.transformer import KmsCheck, TransformerSet
from apiserver_shim.errors import EncryptionConfigError, TransformError

logger = logging.getLogger(__name__)

Signature = tuple[int, int, int]

_PROBE_EVERY = 0.1
_LEAST_PATIENCE = 10.0
_LONGEST_BACKOFF = 60.0


class LiveEncryption:
    """Keeps ``transformers`` in step with the file at ``path``.

    ``reload_interval`` is in seconds of real time, in which files are edited; None loads once.
    """

    def __init__(
        self, path: Path, runtime: Runtime, *, reload_interval: float | None = 60.0
    ) -> None:
        self.transformers = TransformerSet(metrics=runtime.metrics.transformations)
        self.failure = ""  # why the last reload failed, "" once one succeeds
        self._path = path
        self._interval = reload_interval
        self._runtime = runtime
        self._reloads = runtime.metrics.reloads
        self._assembly: Assembly | None = None
        self._digest = ""
        self._watching: asyncio.Task[None] | None = None
        self._retiring: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Load the file; raises EncryptionConfigError. A plugin that is away is no error."""
        # Taken before the file is read, so that no later change can pass for the one read.
        seen = await asyncio.to_thread(self._signature)
        loaded = await asyncio.to_thread(self._load)
        assembly = self._assemble(loaded)
        await assembly.prime()
        self._serve(assembly, loaded.digest)
        if self._interval is not None:
            self._watching = asyncio.create_task(self._watch(self._interval, seen))

    async def stop(self) -> None:
        """Stop reloading and close every connection."""
        for task in (self._watching, *self._retiring):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        if self._assembly is not None:
            await self._assembly.close()

    async def reload(self) -> bool:
        """Load the file again now; tell whether it differed. Raises EncryptionConfigError.

        The old configuration serves on unless every provider of the new one is healthy.
        """
        loaded = await asyncio.to_thread(self._load)
        if loaded.digest == self._digest:
            return False
        assembly = self._assemble(loaded)
        try:
            await assembly.prime()
            await self._until_healthy(assembly)
        except BaseException:
            await assembly.close()
            raise
        old = self._assembly
        self._serve(assembly, loaded.digest)
        if old is not None:
            task = asyncio.create_task(_retire(old))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)
        return True

    def _load(self) -> config.Loaded:
        try:
            loaded = config.load(self._path)
            validation.validate(loaded.configuration, reload=self._interval is not None)
        except EncryptionConfigError as error:
            raise EncryptionConfigError(f"error while parsing file: {error.message}") from None
        return loaded

    def _assemble(self, loaded: config.Loaded) -> Assembly:
        try:
            validation.refuse_masked(loaded.configuration)
            return Assembly(loaded.configuration, self._runtime)
        except EncryptionConfigError as error:
            raise EncryptionConfigError(
                f"error while building transformers: {error.message}"
            ) from None

    def _serve(self, assembly: Assembly, digest: str) -> None:
        checks = assembly.checks(reload=self._interval is not None)
        self.transformers.swap(assembly.transformers, checks=checks)
        self._assembly, self._digest = assembly, digest
        if self._interval is not None:
            self._reloads.serves(digest)

    async def _until_healthy(self, assembly: Assembly) -> None:
        patience = max(_LEAST_PATIENCE, assembly.patience)
        deadline = self._runtime.monotonic() + patience
        checks = assembly.checks(reload=True)
        while (fault := await _first_fault(checks)) is not None:
            if self._runtime.monotonic() >= deadline:
                raise EncryptionConfigError(
                    "health check for new transformers failed, polling error context deadline "
                    f"exceeded: {fault}"
                )
            await asyncio.sleep(_PROBE_EVERY)

    async def _watch(self, interval: float, seen: Signature | None) -> None:
        backoff, retry_at = interval, float("inf")
        while True:
            await asyncio.sleep(interval)
            signature = await asyncio.to_thread(self._signature)
            if signature != seen:
                seen, backoff = signature, interval
            elif self._runtime.monotonic() < retry_at:
                continue
            try:
                if await self.reload():
                    self._reloads.reloaded("success")
                self.failure, retry_at = "", float("inf")
            except EncryptionConfigError as error:
                self._reloads.reloaded("failure")
                self.failure = (
                    f"error processing encryption config file {self._path}: {error.message}"
                )
                logger.error("%s", self.failure)  # noqa: TRY400 - a user's file, no bug of ours
                retry_at = self._runtime.monotonic() + backoff
                backoff = min(backoff * 2, _LONGEST_BACKOFF)

    def _signature(self) -> Signature | None:
        """Tell whether the file may have changed without reading it."""
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino


async def _first_fault(checks: tuple[KmsCheck, ...]) -> str | None:
    for check in checks:
        try:
            await check.run()
        except TransformError as error:
            return error.message
    return None


async def _retire(assembly: Assembly) -> None:
    """Close what operations that began before the swap may still use."""
    try:
        await asyncio.sleep(assembly.patience)
    finally:
        await assembly.close()

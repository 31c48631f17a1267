"""The encryption of a running cluster: its configuration file, loaded and reloaded."""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress
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


async def verify(path: Path, runtime: Runtime, *, reload: bool) -> None:
    """Load the file as a server would, and serve nothing; raises EncryptionConfigError."""
    live = LiveEncryption(path, runtime, reload_interval=60.0 if reload else None)
    with _as_config_error(path):
        assembly = live.assemble(await asyncio.to_thread(live.load))
        await assembly.close()


class LiveEncryption:
    """Keeps ``transformers`` in step with the file at ``path``; they refuse all until it is loaded.

    ``reload_interval`` is in seconds of real time, in which files are edited; None loads once.
    """

    def __init__(
        self, path: Path, runtime: Runtime, *, reload_interval: float | None = 60.0
    ) -> None:
        self.transformers = TransformerSet.unloaded(metrics=runtime.metrics.transformations)
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
        """Load the file; raises EncryptionConfigError. A plugin that is away is no error.

        After a failure, which the transformers give as their reason, it may be called again.
        """
        try:
            with _as_config_error(self._path):
                # Taken before the file is read, so that no later change can pass for the one read.
                seen = await asyncio.to_thread(self._signature)
                loaded = await asyncio.to_thread(self.load)
                assembly = self.assemble(loaded)
                await _or_close(assembly, assembly.prime())
                self._serve(assembly, loaded.digest)
        except EncryptionConfigError as error:
            self.transformers.refuse(error.message)
            raise
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
        with _as_config_error(self._path):
            loaded = await asyncio.to_thread(self.load)
            if loaded.digest == self._digest:
                return False
            assembly = self.assemble(loaded)
            await _or_close(assembly, self._until_healthy(assembly))
        old = self._assembly
        self._serve(assembly, loaded.digest)
        if old is not None:
            task = asyncio.create_task(_retire(old))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)
        return True

    def load(self) -> config.Loaded:
        """Read and judge the file; raises EncryptionConfigError."""
        try:
            with _as_config_error(self._path):
                loaded = config.load(self._path)
                validation.validate(loaded.configuration, reload=self._interval is not None)
        except EncryptionConfigError as error:
            raise EncryptionConfigError(f"error while parsing file: {error.message}") from None
        return loaded

    def assemble(self, loaded: config.Loaded) -> Assembly:
        """Build what was read; raises EncryptionConfigError."""
        try:
            with _as_config_error(self._path):
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
        await assembly.prime()
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
        """Look at the file again and again; nothing that it holds ends this."""
        while True:
            await asyncio.sleep(interval)
            try:
                with _as_config_error(self._path):
                    signature = await asyncio.to_thread(self._signature)
                    if signature == seen and not self.failure:
                        continue
                    seen = signature
                    if await self.reload():
                        self._reloads.reloaded("success")
                    self.failure = ""
            except EncryptionConfigError as error:
                self._reloads.reloaded("failure")
                self.failure = (
                    f"error processing encryption config file {self._path}: {error.message}"
                )
                logger.error("%s", self.failure)  # noqa: TRY400 - a user's file, no bug of ours

    def _signature(self) -> Signature | None:
        """Tell whether the file may have changed without reading it."""
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino


@contextmanager
def _as_config_error(path: Path) -> Iterator[None]:
    """Turn whatever a configuration provokes into an EncryptionConfigError.

    It names the place in this program instead of the message, which may hold a key.
    """
    try:
        yield
    except EncryptionConfigError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not pass for success
        (place,) = traceback.extract_tb(error.__traceback__, limit=-1)
        raise EncryptionConfigError(
            f'unexpected {type(error).__name__} over "{path}": a fault of this server, at '
            f"{Path(place.filename).name}:{place.lineno}"
        ) from None


async def _or_close(assembly: Assembly, step: Awaitable[None]) -> None:
    """Await ``step``; if it fails or is cancelled, nothing of ``assembly`` stays open."""
    try:
        await step
    except BaseException:
        await assembly.close()
        raise


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

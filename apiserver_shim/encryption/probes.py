"""Health of KMS providers, asked again 20 s after success and 3 s after failure."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from apiserver_shim.encryption.elapsed import Elapsed
from apiserver_shim.encryption.envelope_v1 import KeyWrapper
from apiserver_shim.encryption.envelope_v2 import EnvelopeV2
from apiserver_shim.encryption.transformer import KmsCheck, joined
from apiserver_shim.errors import TransformError

_POSITIVE = timedelta(seconds=20)
_NEGATIVE = timedelta(seconds=3)


class Fault(NamedTuple):
    """What is wrong, as upstream says it, and the provider's own words inside that."""

    message: str
    inner: str


Ask = Callable[[], Awaitable[Fault | None]]


class Probe:
    """Caches one provider's health."""

    def __init__(
        self, ask: Ask, *, now: Callable[[], datetime], monotonic: Callable[[], float]
    ) -> None:
        self._ask = ask
        self._elapsed = Elapsed(now, monotonic)
        self._lock = asyncio.Lock()
        self._ttl: timedelta | None = None
        self._failure = ""

    async def check(self) -> None:
        """Raise TransformError unless the provider is, or recently was, healthy."""
        async with self._lock:
            if self._ttl is not None and not self._elapsed.reached(self._ttl):
                if self._failure:
                    raise TransformError(self._failure)
                return
            fault = await self._ask()
            self._elapsed.restart()
            self._ttl = _NEGATIVE if fault else _POSITIVE
            # A cached failure is told without the sentence around it, as upstream does.
            self._failure = fault.inner if fault else ""
            if fault:
                raise TransformError(fault.message)


def ask_v1(name: str, wrapper: KeyWrapper) -> Ask:
    """Encrypt ``ping`` and decrypt it again: two calls to the key service."""

    async def ask() -> Fault | None:
        try:
            cipher = await wrapper.encrypt(b"ping")
        except TransformError as error:
            return _failed("encrypt", name, error)
        try:
            await wrapper.decrypt(cipher)
        except TransformError as error:
            return _failed("decrypt", name, error)
        return None

    return ask


def ask_v2(envelope: EnvelopeV2) -> Ask:
    """Poll Status, which renews the envelope's seed like the background poll."""

    async def ask() -> Fault | None:
        try:
            await envelope.poll()
        except TransformError as error:
            if error.message.startswith("rpc error: "):
                return _failed("status", envelope.name, error)
            return Fault(error.message, error.message)
        return None

    return ask


def combined(probes: Sequence[Probe]) -> KmsCheck:
    """Return the one check ``kms-providers`` over all probes, which passes when there are none."""

    async def run() -> None:
        faults: list[str] = []
        for index, probe in enumerate(probes):
            try:
                await probe.check()
            except TransformError as error:
                faults.append(f"kms-provider-{index}: {error.message}")
        if faults:
            raise TransformError(joined(faults))

    return KmsCheck("kms-providers", run)


def separate(probes: Sequence[Probe]) -> tuple[KmsCheck, ...]:
    """Return a check ``kms-provider-N`` for each probe."""
    return tuple(KmsCheck(f"kms-provider-{i}", probe.check) for i, probe in enumerate(probes))


def _failed(section: str, name: str, error: TransformError) -> Fault:
    return Fault(
        f"failed to perform {section} section of the healthz check for KMS Provider {name}, "
        f"error: {error.message}",
        error.message,
    )

"""Builds what an EncryptionConfiguration describes: chains, plugin connections, polls, probes."""

import asyncio
import base64
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from apiserver_shim.encryption.aes import AesCbc, AesGcm, key_chain
from apiserver_shim.encryption.config import EncryptionConfiguration, KmsProvider, Provider
from apiserver_shim.encryption.envelope_v1 import EnvelopeV1
from apiserver_shim.encryption.envelope_v2 import EnvelopeV2
from apiserver_shim.encryption.probes import Probe, ask_v1, ask_v2, combined, separate
from apiserver_shim.encryption.provider import PluginV1, PluginV2
from apiserver_shim.encryption.transformer import (
    Identity,
    KmsCheck,
    PrefixChain,
    Prefixed,
    Transformer,
)

_TICK = 0.25  # seconds of real time between two looks at the clocks


@dataclass(frozen=True, slots=True)
class Sources:
    """Time and randomness."""

    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    token_bytes: Callable[[int], bytes]


class Assembly:
    """One configuration at work. ``prime`` it before use, ``close`` it after."""

    def __init__(self, configuration: EncryptionConfiguration, sources: Sources) -> None:
        self._sources = sources
        self._plugins: list[PluginV1 | PluginV2] = []
        self._envelopes: list[EnvelopeV2] = []
        self._probes: list[Probe] = []
        self._polls: list[asyncio.Task[None]] = []
        self._v1_used = False
        self.patience = 0.0  # upstream's 2 x the sum of timeouts, v1 counting twice
        links: dict[str, list[Prefixed]] = {}
        for rule in configuration.resources:
            built = [self._link(provider) for provider in rule.providers]
            for resource in rule.resources:
                links.setdefault(resource, []).extend(built)
        self.transformers: dict[str, Transformer] = {
            resource: PrefixChain(chain, unmatched="no matching prefix found")
            for resource, chain in links.items()
        }

    async def prime(self) -> None:
        """Make the first seeds and begin to poll; a plugin that is away is no error here."""
        await asyncio.gather(*(envelope.poll_if_due() for envelope in self._envelopes))
        self._polls = [asyncio.create_task(_keep_polling(one)) for one in self._envelopes]

    def checks(self, *, reload: bool) -> tuple[KmsCheck, ...]:
        """Return one combined check with reload or only v2, else one for each provider."""
        if reload or (self._envelopes and not self._v1_used):
            return (combined(self._probes),)
        return separate(self._probes)

    async def close(self) -> None:
        """End polls and connections."""
        for poll in self._polls:
            poll.cancel()
        for poll in self._polls:
            with suppress(asyncio.CancelledError):
                await poll
        for plugin in self._plugins:
            await plugin.close()

    def _link(self, provider: Provider) -> Prefixed:
        token_bytes = self._sources.token_bytes
        if provider.kms is not None:
            return self._kms_link(provider.kms)
        if provider.aesgcm is not None:
            keys = [(key.name, base64.b64decode(key.secret)) for key in provider.aesgcm]
            return Prefixed(b"k8s:enc:aesgcm:v1:", key_chain(keys, AesGcm, token_bytes))
        if provider.aescbc is not None:
            keys = [(key.name, base64.b64decode(key.secret)) for key in provider.aescbc]
            return Prefixed(b"k8s:enc:aescbc:v1:", key_chain(keys, AesCbc, token_bytes))
        return Prefixed(b"", Identity())

    def _kms_link(self, kms: KmsProvider) -> Prefixed:
        now, monotonic = self._sources.now, self._sources.monotonic
        token_bytes = self._sources.token_bytes
        prefix = f"k8s:enc:kms:{kms.api_version}:{kms.name}:".encode()
        if kms.api_version == "v1":
            v1 = PluginV1(kms.endpoint, timeout=kms.timeout)
            self._plugins.append(v1)
            self._v1_used = True
            self.patience += 4 * kms.timeout
            self._probes.append(Probe(ask_v1(kms.name, v1), now=now, monotonic=monotonic))
            cache_size = kms.cache_size or 0
            return Prefixed(prefix, EnvelopeV1(v1, cache_size=cache_size, token_bytes=token_bytes))
        v2 = PluginV2(kms.endpoint, timeout=kms.timeout)
        envelope = EnvelopeV2(kms.name, v2, now=now, monotonic=monotonic, token_bytes=token_bytes)
        self._plugins.append(v2)
        self._envelopes.append(envelope)
        self.patience += 2 * kms.timeout
        self._probes.append(Probe(ask_v2(envelope), now=now, monotonic=monotonic))
        return Prefixed(prefix, envelope)


async def _keep_polling(envelope: EnvelopeV2) -> None:
    """Look often in real time; whether a poll is due is for the envelope and its clocks to say."""
    while True:
        await asyncio.sleep(_TICK)
        await envelope.poll_if_due()

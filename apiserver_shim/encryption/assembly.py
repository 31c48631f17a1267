"""Builds what an EncryptionConfiguration describes: chains, plugin connections, polls, probes."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from apiserver_shim.encryption.config import (
    EncryptionConfiguration,
    GroupResource,
    KmsProvider,
    NamedKey,
    Provider,
)
from apiserver_shim.encryption.envelope_v1 import EnvelopeV1
from apiserver_shim.encryption.envelope_v2 import EnvelopeV2
from apiserver_shim.encryption.local_keys import key_chain
from apiserver_shim.encryption.probes import Probe, ask_v1, ask_v2, combined, separate
from apiserver_shim.encryption.provider import PluginV1, PluginV2
from apiserver_shim.encryption.runtime import Runtime
from apiserver_shim.encryption.transformer import (
    Identity,
    KmsCheck,
    PrefixChain,
    Prefixed,
    Transformer,
)
from apiserver_shim.errors import EncryptionConfigError

log = logging.getLogger(__name__)

_NO_V1 = (
    "KMSv1 is deprecated and will only receive security updates going forward. Use KMSv2 "
    "instead.  Set --feature-gates=KMSv1=true to use the deprecated KMSv1 feature."
)
_TICK = 0.25  # seconds of real time between two looks at the clocks


class Assembly:
    """One configuration at work. ``prime`` it before use, ``close`` it after."""

    def __init__(self, configuration: EncryptionConfiguration, runtime: Runtime) -> None:
        """Raises EncryptionConfigError for what this release does not have."""
        self._runtime = runtime
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
                links.setdefault(str(GroupResource.parse(resource)), []).extend(built)
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
        token_bytes = self._runtime.token_bytes
        if provider.kms is not None:
            return self._kms_link(provider.kms)
        if provider.aesgcm is not None:
            return key_chain("aesgcm", _secrets(provider.aesgcm), token_bytes)
        if provider.aescbc is not None:
            return key_chain("aescbc", _secrets(provider.aescbc), token_bytes)
        if provider.secretbox is not None:
            return key_chain("secretbox", _secrets(provider.secretbox), token_bytes)
        return Prefixed(b"", Identity())

    def _kms_link(self, kms: KmsProvider) -> Prefixed:
        runtime = self._runtime
        now, monotonic = runtime.now, runtime.monotonic
        prefix = f"k8s:enc:kms:{kms.api_version}:{kms.name}:".encode()
        if kms.api_version == "v1":
            if not runtime.version.allows_kms_v1:
                raise EncryptionConfigError(_NO_V1)
            v1 = PluginV1(kms.endpoint, timeout=kms.timeout)
            self._plugins.append(v1)
            self._v1_used = True
            self.patience += 4 * kms.timeout
            self._probes.append(Probe(ask_v1(kms.name, v1), now=now, monotonic=monotonic))
            v1_envelope = EnvelopeV1(
                v1,
                cache_size=kms.cache_size or 0,
                token_bytes=runtime.token_bytes,
                metrics=runtime.metrics.envelope,
            )
            return Prefixed(prefix, v1_envelope)
        called = partial(runtime.metrics.envelope.called, kms.name)
        v2 = PluginV2(kms.endpoint, timeout=kms.timeout, called=called)
        envelope = EnvelopeV2(kms.name, v2, runtime)
        self._plugins.append(v2)
        self._envelopes.append(envelope)
        self.patience += 2 * kms.timeout
        self._probes.append(Probe(ask_v2(envelope), now=now, monotonic=monotonic))
        return Prefixed(prefix, envelope)


def _secrets(keys: Sequence[NamedKey]) -> list[tuple[str, bytes]]:
    return [(key.name, key.decoded()) for key in keys]


async def _keep_polling(envelope: EnvelopeV2) -> None:
    """Look often in real time; whether a poll is due is for the envelope and its clocks to say."""
    while True:
        await asyncio.sleep(_TICK)
        try:
            await envelope.poll_if_due()
        except Exception:
            # without polls a key's change and a plugin's recovery would go unnoticed
            log.exception("polling a KMS plugin failed")

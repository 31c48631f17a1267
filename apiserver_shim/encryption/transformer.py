"""Reversible steps between encoded objects and stored bytes (k8s.io/apiserver storage/value)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

from apiserver_shim.errors import EncryptionConfigError, TransformError
from apiserver_shim.groups import group_of, qualified
from apiserver_shim.metrics import Transformation, TransformationMetrics

ENCRYPTED = b"k8s:enc:"


class Transformer(Protocol):
    """Seals and opens one value. ``authenticated_data`` is the full etcd key."""

    async def to_storage(self, data: bytes, authenticated_data: bytes) -> bytes:
        """Return the bytes to store; raises TransformError."""

    async def from_storage(self, data: bytes, authenticated_data: bytes) -> tuple[bytes, bool]:
        """Return (plaintext, stale); raises TransformError. Stale asks for a rewrite."""


class Identity:
    """Stores plaintext, and refuses to pass ciphertext off as such."""

    async def to_storage(self, data: bytes, authenticated_data: bytes) -> bytes:  # noqa: ARG002
        return data

    async def from_storage(
        self,
        data: bytes,
        authenticated_data: bytes,  # noqa: ARG002
    ) -> tuple[bytes, bool]:
        if data.startswith(ENCRYPTED):
            raise TransformError("identity transformer tried to read encrypted data")
        return data, False


@dataclass(frozen=True, slots=True)
class Prefixed:
    """A transformer and the prefix by which its values are known; identity has none."""

    prefix: bytes
    transformer: Transformer


class PrefixChain:
    """The first writes, all read: in order, every one whose prefix matches gets its try."""

    def __init__(self, links: Sequence[Prefixed], *, unmatched: str) -> None:
        self._links = tuple(links)
        self._unmatched = unmatched
        self._unknown: Transformation | None = None

    def measured(self, resource: str, metrics: TransformationMetrics) -> "PrefixChain":
        """Return the same chain, which records what it does to values of ``resource``."""
        links = [Prefixed(link.prefix, Measured(link, resource, metrics)) for link in self._links]
        chain = PrefixChain(links, unmatched=self._unmatched)
        chain._unknown = metrics.of(resource, "unknown", "from_storage")
        return chain

    async def to_storage(self, data: bytes, authenticated_data: bytes) -> bytes:
        first = self._links[0]
        return first.prefix + await first.transformer.to_storage(data, authenticated_data)

    async def from_storage(self, data: bytes, authenticated_data: bytes) -> tuple[bytes, bool]:
        errors: list[TransformError] = []
        for index, link in enumerate(self._links):
            if not data.startswith(link.prefix):
                continue
            try:
                plaintext, stale = await link.transformer.from_storage(
                    data[len(link.prefix) :], authenticated_data
                )
            except TransformError as error:
                # Identity before others only says "encrypted": one of the others may know it.
                if link.prefix:
                    errors.append(error)
                continue
            return plaintext, stale or index != 0
        raise self._unreadable(errors)

    def _unreadable(self, errors: Sequence[TransformError]) -> TransformError:
        if len(errors) == 1:
            return errors[0]
        if not errors and self._unknown is not None:
            self._unknown.failed("")
        return TransformError(joined([error.message for error in errors]) or self._unmatched)


class Measured:
    """A link of a chain, with every value that it seals or opens on record."""

    def __init__(self, link: Prefixed, resource: str, metrics: TransformationMetrics) -> None:
        inner = link.transformer
        if isinstance(inner, PrefixChain):
            inner = inner.measured(resource, metrics)
        prefix = link.prefix.decode()
        self._inner = inner
        self._writes = metrics.of(resource, prefix, "to_storage")
        self._reads = metrics.of(resource, prefix or "identity", "from_storage")
        self._is_identity = not prefix

    async def to_storage(self, data: bytes, authenticated_data: bytes) -> bytes:
        began = perf_counter()
        try:
            stored = await self._inner.to_storage(data, authenticated_data)
        except TransformError as error:
            self._writes.failed(error.code)
            raise
        self._writes.succeeded(perf_counter() - began)
        return stored

    async def from_storage(self, data: bytes, authenticated_data: bytes) -> tuple[bytes, bool]:
        began = perf_counter()
        try:
            opened = await self._inner.from_storage(data, authenticated_data)
        except TransformError as error:
            # Identity that meets ciphertext only passes it on, which is no failure.
            if not self._is_identity:
                self._reads.failed(error.code)
            raise
        self._reads.succeeded(perf_counter() - began)
        return opened


def joined(messages: Sequence[str]) -> str:
    """Join distinct messages as apimachinery's Aggregate does; one stands for itself."""
    distinct = tuple(dict.fromkeys(messages))
    if len(distinct) > 1:
        return f"[{', '.join(distinct)}]"
    return distinct[0] if distinct else ""


@dataclass(frozen=True, slots=True)
class KmsCheck:
    """A health check as /healthz and /readyz name it: ``kms-provider-N`` or ``kms-providers``."""

    name: str
    run: Callable[[], Awaitable[None]]  # raises TransformError with upstream's text


class TransformerSet:
    """Which transformer serves which resource; swapped whole when the configuration is reloaded."""

    def __init__(
        self,
        transformers: Mapping[str, Transformer],
        *,
        checks: Sequence[KmsCheck] = (),
        metrics: TransformationMetrics | None = None,
    ) -> None:
        """Keys are ``RESOURCE.GROUP``, ``*.GROUP`` or ``*.*``, the core group's without the group.

        Resources without an entry stay plaintext, and off the record.
        """
        self._plain = Identity()
        self._metrics = metrics
        self.swap(transformers, checks=checks)

    @classmethod
    def unloaded(cls, *, metrics: TransformationMetrics | None = None) -> "TransformerSet":
        """Return a set that has no transformer for anything until its first ``swap``."""
        transformers = cls({}, metrics=metrics)
        transformers.refuse("the encryption configuration has not been loaded yet")
        return transformers

    def refuse(self, reason: str) -> None:
        """Have no transformer for anything, nor health, until the next ``swap``."""

        async def fail() -> None:
            raise TransformError(reason)

        self._change({}, checks=(KmsCheck("kms-providers", fail),), refusal=reason)

    def check_loaded(self) -> None:
        """Raise EncryptionConfigError with the reason while there is no configuration."""
        if self._refusal:
            raise EncryptionConfigError(self._refusal)

    def for_resource(self, resource: str) -> Transformer:
        """Return the transformer of ``resource``, identity when the configuration names none.

        Raises EncryptionConfigError while there is no configuration.
        """
        return self._resolved.get(resource) or self._resolve(resource)

    def checks(self) -> tuple[KmsCheck, ...]:
        """Return the health checks that hold now."""
        return self._checks

    def swap(
        self, transformers: Mapping[str, Transformer], *, checks: Sequence[KmsCheck] = ()
    ) -> None:
        """Serve these from the next operation on; running ones end with what they began."""
        self._change(transformers, checks=checks, refusal="")

    def _change(
        self, transformers: Mapping[str, Transformer], *, checks: Sequence[KmsCheck], refusal: str
    ) -> None:
        self._refusal = refusal
        self._configured = dict(transformers)
        self._checks = tuple(checks)
        self._resolved: dict[str, Transformer] = {}

    def _resolve(self, resource: str) -> Transformer:
        self.check_loaded()
        configured = self._configured
        found = (
            configured.get(qualified(resource))
            or configured.get(f"*.{group_of(resource)}")
            or configured.get("*.*")
            or self._plain
        )
        if self._metrics is not None and isinstance(found, PrefixChain):
            found = found.measured(resource, self._metrics)
        self._resolved[resource] = found
        return found

"""Reversible steps between an encoded object and the bytes etcd keeps (k8s.io/apiserver storage/value)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class Transformer(Protocol):
    """Seals and opens one value. ``authenticated_data`` is the full etcd key."""

    async def to_storage(self, data: bytes, authenticated_data: bytes) -> bytes:
        """Return the bytes to store; raises TransformError."""

    async def from_storage(self, data: bytes, authenticated_data: bytes) -> tuple[bytes, bool]:
        """Return (plaintext, stale); raises TransformError. Stale asks for a rewrite."""


@dataclass(frozen=True, slots=True)
class KmsCheck:
    """A health check as /healthz and /readyz name it: ``kms-provider-N`` or ``kms-providers``."""

    name: str
    run: Callable[[], Awaitable[None]]  # raises TransformError with upstream's text


class TransformerSet:
    """Which transformer serves which resource; swapped whole when the configuration is reloaded."""

    def __init__(
        self,
        transformers: Mapping[str, Transformer] | None = None,
        *,
        checks: Sequence[KmsCheck] = (),
    ) -> None:
        """Keys are resources of the core group, or ``*.`` or ``*.*``; others stay plaintext."""
        raise NotImplementedError

    def for_resource(self, resource: str) -> Transformer:
        """Return the transformer of ``resource``, identity when nothing is configured."""
        raise NotImplementedError

    def checks(self) -> tuple[KmsCheck, ...]:
        """Return the health checks that hold now."""
        raise NotImplementedError

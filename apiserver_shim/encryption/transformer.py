"""Reversible steps between encoded objects and stored bytes (k8s.io/apiserver storage/value)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from apiserver_shim.errors import TransformError

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

    async def to_storage(self, data: bytes, authenticated_data: bytes) -> bytes:
        first = self._links[0]
        return first.prefix + await first.transformer.to_storage(data, authenticated_data)

    async def from_storage(self, data: bytes, authenticated_data: bytes) -> tuple[bytes, bool]:
        errors: list[str] = []
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
                    errors.append(error.message)
                continue
            return plaintext, stale or index != 0
        raise TransformError(joined(errors) or self._unmatched)


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
        transformers: Mapping[str, Transformer] | None = None,
        *,
        checks: Sequence[KmsCheck] = (),
    ) -> None:
        """Keys are resources of the core group, or ``*.`` or ``*.*``; others stay plaintext."""
        self._plain = Identity()
        self._current = (dict(transformers or {}), tuple(checks))

    def for_resource(self, resource: str) -> Transformer:
        """Return the transformer of ``resource``, identity when nothing is configured."""
        transformers = self._current[0]
        return (
            transformers.get(resource)
            or transformers.get("*.")
            or transformers.get("*.*")
            or self._plain
        )

    def checks(self) -> tuple[KmsCheck, ...]:
        """Return the health checks that hold now."""
        return self._current[1]

    def swap(
        self, transformers: Mapping[str, Transformer], *, checks: Sequence[KmsCheck] = ()
    ) -> None:
        """Serve these from the next operation on; running ones end with what they began."""
        self._current = (dict(transformers), tuple(checks))

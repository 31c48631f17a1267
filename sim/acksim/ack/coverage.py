"""Which provider, key and key version each stored Secret depends on, as etcd tells.

Nothing is decrypted: each value says itself who sealed it. Pages keep memory small.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from acksim.clients.etcd import Sealed, describe
from apiserver_shim.storage.etcd import EtcdClient, prefix_end
from apiserver_shim.storage.etcd_pb2 import KeyValue

_PAGE_BYTES = 8 << 20
_MOST_KEYS = 1000
_FIRST_KEYS = 16  # of unknown size, at most 1.5 MiB each


@dataclass(frozen=True, slots=True)
class Seal:
    """What a stored value says of who sealed it; all None: plaintext.

    `kms` is v1 or v2 for a KMS provider, else the cipher's name; `key_id` stands in v2 values only.
    """

    provider: str | None
    kms: str | None
    key_id: str | None
    key_version: str | None

    @classmethod
    def of(cls, value: bytes) -> "Seal":
        sealed = describe(value)
        if sealed.plain and not sealed.prefix:
            return cls(None, None, None, None)
        scheme, _, name = sealed.by.partition(" ")
        return cls(name, scheme.removeprefix("kms:"), _key_id(sealed), sealed.key_version)


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a cluster's Secrets are sealed now: by nobody, or a provider and a key version."""

    provider: str | None
    kms: str
    key_version: str | None

    @classmethod
    def of(cls, encryption: Mapping[str, Any]) -> "Wanted":
        """From what the control API says of a cluster's encryption."""
        return cls(encryption["provider"], encryption["kms"], encryption["key_version"])

    def is_met(self, seal: Seal) -> bool:
        """Whether the value was sealed as a new one would be."""
        if self.provider is None:
            return seal.provider is None
        return self._same_provider(seal) and seal.key_version == self.key_version

    def hides_staleness(self, seal: Seal) -> bool:
        """KMS v1 stores no key_id: to the API server an older version of the key is not stale."""
        return self.kms == "v1" and self._same_provider(seal)

    def _same_provider(self, seal: Seal) -> bool:
        return (seal.provider, seal.kms) == (self.provider, self.kms)


@dataclass(slots=True)
class Coverage:
    """The Secrets of one cluster, counted by seal."""

    secrets: Counter[Seal] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.secrets.total()

    @property
    def providers(self) -> set[str]:
        """The names of the providers that some Secret depends on."""
        return {seal.provider for seal in self.secrets if seal.provider is not None}

    def groups(self) -> list[tuple[Seal, int]]:
        """The most frequent first."""
        return self.secrets.most_common()


async def survey(etcd: EtcdClient, etcd_prefix: str) -> Coverage:
    """Counts every Secret below a cluster's prefix, all as of one moment; raises ShimError."""
    coverage = Coverage()
    async for page in secret_pages(etcd, etcd_prefix):
        coverage.secrets.update(Seal.of(kv.value) for kv in page)
    return coverage


async def secret_pages(
    etcd: EtcdClient, etcd_prefix: str, *, pinned: bool = True
) -> AsyncGenerator[Sequence[KeyValue], None]:
    """Pages of about 8 MiB in the order of keys; `pinned`: all as of the first one's moment."""
    prefix = f"{etcd_prefix}/secrets/".encode()
    start, end = prefix, prefix_end(prefix)
    limit, revision = _FIRST_KEYS, 0
    while True:
        page = await etcd.list(start, end, limit=limit, revision=revision if pinned else 0)
        if not page.kvs:
            return
        last, more = page.kvs[-1].key, page.total > len(page.kvs)
        average = sum(len(kv.value) for kv in page.kvs) // len(page.kvs) + 1
        yield page.kvs
        if not more:
            return
        start, revision = last + b"\0", revision or page.revision
        limit = max(1, min(_MOST_KEYS, _PAGE_BYTES // average))


def _key_id(sealed: Sealed) -> str | None:
    """KMS v2 values name `KeyId/KeyVersionId`."""
    return None if sealed.key_id is None else sealed.key_id.partition("/")[0]

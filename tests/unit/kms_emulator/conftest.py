"""The domain over a store in memory, with a clock that a test can move."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from secrets import token_bytes
from typing import ClassVar

import pytest

from kms_emulator.keys import Key, Scope
from kms_emulator.operations import kms_of
from kms_emulator.operations.kms import Kms
from kms_emulator.service.new_key import NewKey
from kms_emulator.store import MemoryKeyStore


@dataclass
class Domain:
    """A KMS without its edge."""

    scope: ClassVar[Scope] = Scope("1000000000000001", "cn-hangzhou")

    time: datetime = datetime(2026, 5, 1, 12, tzinfo=UTC)
    store: MemoryKeyStore = field(default_factory=MemoryKeyStore)
    kms: Kms = field(init=False)

    def __post_init__(self) -> None:
        self.kms = kms_of(self.store, now=lambda: self.time, token_bytes=token_bytes)

    def wait(self, **duration: float) -> None:
        self.time += timedelta(**duration)

    async def create(self, **choices: object) -> Key:
        return await self.kms.keys.create(self.scope, NewKey(**choices))  # type: ignore[arg-type]

    async def find(self, key: Key) -> Key:
        return await self.kms.keys.find(self.scope, key.id)

    def seal(self, key: Key, plaintext: bytes = b"secret") -> bytes:
        return self.kms.crypto.encrypt(key, plaintext, context={}).blob

    async def open(self, blob: bytes) -> bytes:
        parsed = self.kms.crypto.read_blob(blob)
        key = await self.kms.keys.find_version(self.scope, parsed.version_id)
        return self.kms.crypto.decrypt(key, parsed, context={})


@pytest.fixture
def domain() -> Domain:
    return Domain()

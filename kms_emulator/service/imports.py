"""Imported key material: wrapped for a token, unwrapped, forgotten, and imported again.

Only the material that was imported first may ever come back, since ciphertext depends on it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alibaba_edge.errors import InvalidParameterError, UnopenableError
from alibaba_edge.ports import Clock
from kms_emulator.crypto.asymmetric import new_rsa_key, public_der, rsa_decrypt
from kms_emulator.errors import (
    ImportTokenExpiredError,
    KeyMaterialInvalidError,
    OriginUnsupportedError,
)
from kms_emulator.import_token import ImportToken, open_token, seal_token
from kms_emulator.keys import ORIGIN_EXTERNAL, Key
from kms_emulator.service.keys import Keys
from kms_emulator.specs import SPECS
from kms_emulator.states import advance

TOKEN_LIFETIME = timedelta(hours=24)
_WRAPPING_BITS = 2048


@dataclass(frozen=True, slots=True)
class ImportParameters:
    """What a caller needs to wrap key material. `public` is SubjectPublicKeyInfo."""

    token: bytes
    public: bytes
    expires_at: datetime


class Imports:
    """Key material that comes from outside."""

    def __init__(self, keys: Keys, *, now: Clock, token_bytes: Callable[[int], bytes]) -> None:
        self._keys = keys
        self._now = now
        self._token_bytes = token_bytes

    async def parameters(self, key: Key, algorithm: str) -> ImportParameters:
        _require_external(key)
        advance("GetParametersForImport", key.state)
        private = await asyncio.to_thread(new_rsa_key, _WRAPPING_BITS)
        expires_at = self._now() + TOKEN_LIFETIME
        token = ImportToken(algorithm, expires_at, private)
        sealed = seal_token(key, token, token_bytes=self._token_bytes)
        return ImportParameters(sealed, public_der(private), expires_at)

    async def import_material(
        self, key: Key, wrapped: bytes, *, token: bytes, expires_at: datetime | None
    ) -> None:
        _require_external(key)
        advance("ImportKeyMaterial", key.state)
        now = self._now()
        opened = open_token(key, token)
        if opened.expires_at <= now:
            raise ImportTokenExpiredError
        if expires_at is not None and expires_at <= now:
            raise InvalidParameterError("KeyMaterialExpireUnix")
        try:
            material = await asyncio.to_thread(
                rsa_decrypt, opened.private, opened.algorithm, wrapped
            )
        except UnopenableError:
            raise KeyMaterialInvalidError from None
        await self._keys.change(key, lambda k: _with_material(k, material, expires_at))

    async def delete_material(self, key: Key) -> None:
        _require_external(key)

        def delete(current: Key) -> Key:
            state = advance("DeleteKeyMaterial", current.state)
            return replace(current.without_material(), state=state)

        await self._keys.change(key, delete)


def _require_external(key: Key) -> None:
    if key.origin != ORIGIN_EXTERNAL:
        raise OriginUnsupportedError


def _with_material(key: Key, material: bytes, expires_at: datetime | None) -> Key:
    state = advance("ImportKeyMaterial", key.state)
    digest = hashlib.sha256(key.id.encode() + material).digest()
    first = not key.material_digest
    same = first or hmac.compare_digest(digest, key.material_digest)
    if len(material) * 8 != SPECS[key.spec].bits or not same:
        raise KeyMaterialInvalidError
    return replace(
        key,
        state=state,
        primary=replace(key.primary, material=material),
        material_digest=digest,
        material_expires_at=expires_at,
    )

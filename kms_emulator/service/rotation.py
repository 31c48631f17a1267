"""Rotation: the policy, versions of asymmetric keys, and the lever that the API does not have."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from alibaba_edge.ports import Clock
from kms_emulator.errors import LimitExceededError, OperationUnsupportedError
from kms_emulator.keys import Key, PrimaryKeyVersion, Scope
from kms_emulator.service.keys import Keys
from kms_emulator.service.new_key import check_rotation, rotatable
from kms_emulator.specs import SPECS, Family
from kms_emulator.states import advance

MOST_VERSIONS = 50
SHORTEST_AGE = timedelta(days=7)


class Rotation:
    """New versions, by rule or by hand."""

    def __init__(self, keys: Keys, *, now: Clock) -> None:
        self._keys = keys
        self._now = now

    async def update_policy(self, key: Key, interval: timedelta | None) -> None:
        """None turns it off. A rotation that is overdue by the new interval happens at once."""

        def update(current: Key) -> Key:
            advance("UpdateRotationPolicy", current.state)
            if interval is None:
                if not rotatable(current):
                    raise OperationUnsupportedError
                return replace(current, rotation_interval=None)
            check_rotation(
                interval, rotatable=rotatable(current), in_instance=bool(current.instance_id)
            )
            now = self._now()
            overdue = current.primary.created_at + interval <= now
            rotating = self._keys.rotated(current, now) if overdue else current
            return replace(rotating, rotation_interval=interval)

        await self._keys.change(key, update)

    async def rotate(self, scope: Scope, key_id: str) -> Key:
        """Rotate a symmetric key now, policy or not; KMS itself offers no such operation."""

        def turn(current: Key) -> Key:
            advance("UpdateRotationPolicy", current.state)
            if not rotatable(current):
                raise OperationUnsupportedError
            return self._keys.rotated(current, self._now())

        return await self._keys.change(await self._keys.find(scope, key_id), turn)

    async def create_version(self, key: Key) -> PrimaryKeyVersion:
        """Of an asymmetric key, once in seven days. Callers name the version they mean."""
        _check_new_version(key, self._now())
        version = await self._keys.with_new_version(key)

        def add(current: Key) -> Key:
            _check_new_version(current, version.created_at)
            return current.with_primary(version)

        await self._keys.change(key, add)
        return version


def _check_new_version(key: Key, now: datetime) -> None:
    advance("CreateKeyVersion", key.state)
    asymmetric = SPECS[key.spec].family in {Family.RSA, Family.EC}
    if not asymmetric or now - key.primary.created_at < SHORTEST_AGE:
        raise OperationUnsupportedError
    if len(key.versions) >= MOST_VERSIONS:
        raise LimitExceededError

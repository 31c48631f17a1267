"""What may be asked of a new key: spec, usage, origin, protection and rotation in agreement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from alibaba_edge.errors import InvalidParameterError, MissingParameterError, NotBuiltError
from kms_emulator.errors import InstanceNotFoundError, OperationUnsupportedError
from kms_emulator.keys import ORIGIN_EXTERNAL, ORIGIN_KMS, Key
from kms_emulator.specs import (
    AES_256,
    HSM,
    INSTANCES,
    SOFTWARE,
    SPECS,
    UNBUILT_SPECS,
    Family,
    KeySpec,
)

SHORTEST_ROTATION = timedelta(days=7)
LONGEST_ROTATION = timedelta(days=730)
LONGEST_INSTANCE_ROTATION = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A caller's choices, in KMS's words; what is empty takes its default."""

    spec: str = ""
    usage: str = ""
    origin: str = ""
    protection_level: str = ""
    instance_id: str = ""
    description: str = ""
    rotates: bool = False
    rotation_interval: timedelta | None = None
    policy: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    def settled(self) -> NewKey:
        """With every default in place. Raises the error of the first choice that cannot be had."""
        level = self._level()
        spec = self._spec(level)
        usage = self.usage or spec.usages[0]
        if usage not in spec.usages:
            raise InvalidParameterError("KeyUsage")
        origin = self.origin or ORIGIN_KMS
        if origin not in {ORIGIN_KMS, ORIGIN_EXTERNAL}:
            raise InvalidParameterError("Origin")
        if origin == ORIGIN_EXTERNAL and spec.family is not Family.SYMMETRIC:
            raise InvalidParameterError("Origin")
        if self.policy and not self.instance_id:
            raise OperationUnsupportedError
        interval = self.rotation_interval if self.rotates else None
        if self.rotates:
            if interval is None:
                raise MissingParameterError("RotationInterval")
            check_rotation(
                interval,
                rotatable=is_rotatable(spec.name, origin, level, self.instance_id),
                in_instance=bool(self.instance_id),
            )
        return replace(
            self,
            spec=spec.name,
            usage=usage,
            origin=origin,
            protection_level=level,
            rotation_interval=interval,
        )

    def _level(self) -> str:
        """A KMS instance decides how its keys are protected; elsewhere the caller does."""
        if self.instance_id:
            if self.instance_id not in INSTANCES:
                raise InstanceNotFoundError
            return INSTANCES[self.instance_id]
        return self.protection_level or SOFTWARE

    def _spec(self, level: str) -> KeySpec:
        if self.spec in UNBUILT_SPECS:
            raise NotBuiltError(f"KeySpec {self.spec}")
        spec = SPECS.get(self.spec or AES_256)
        offered = spec is not None and level in spec.levels
        if spec is None or not offered or (spec.needs_instance and not self.instance_id):
            raise InvalidParameterError("KeySpec")
        return spec


def is_rotatable(spec: str, origin: str, level: str, instance_id: str) -> bool:
    """Symmetric keys of KMS's own material, unless the hardware of an instance holds them."""
    in_hardware = bool(instance_id) and level == HSM
    symmetric = SPECS[spec].family is Family.SYMMETRIC
    return symmetric and origin == ORIGIN_KMS and not in_hardware


def rotatable(key: Key) -> bool:
    return is_rotatable(key.spec, key.origin, key.protection_level, key.instance_id)


def check_rotation(interval: timedelta, *, rotatable: bool, in_instance: bool) -> None:
    if not rotatable:
        raise OperationUnsupportedError
    longest = LONGEST_INSTANCE_ROTATION if in_instance else LONGEST_ROTATION
    if not SHORTEST_ROTATION <= interval <= longest:
        raise InvalidParameterError("RotationInterval")

"""Rows about key policies, which keys in a KMS instance have."""

from __future__ import annotations

from typing import Any

from kms_emulator.errors import OperationUnsupportedError
from kms_emulator.keys import Key
from kms_emulator.operations.kms import Kms, Row, find_key, row
from kms_emulator.schemas import policies as schemas


async def get_key_policy(
    _kms: Kms, _request: schemas.GetKeyPolicyRequest, key: Key
) -> dict[str, Any]:
    _require_instance(key)
    return {"Policy": schemas.policy_text(key)}


async def set_key_policy(
    kms: Kms, request: schemas.SetKeyPolicyRequest, key: Key
) -> dict[str, Any]:
    _require_instance(key)
    await kms.keys.set_policy(key, request.policy)
    return {}


def _require_instance(key: Key) -> None:
    if not key.instance_id:
        raise OperationUnsupportedError


ROWS: tuple[Row, ...] = (
    row(
        schemas.GetKeyPolicyRequest,
        find_key,
        get_key_policy,
        name="GetKeyPolicy",
        access="Read",
    ),
    row(
        schemas.SetKeyPolicyRequest,
        find_key,
        set_key_policy,
        name="SetKeyPolicy",
        access="Write",
    ),
)

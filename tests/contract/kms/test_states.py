"""The state matrix, each cell over the wire: operation by operation, state by state."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from kms_emulator.keys import STATE_TABLE, KeyState, Scope
from kms_emulator.ports import ROOT_ACCOUNT_ID

if TYPE_CHECKING:
    from tests.contract.kms.conftest import World

SCOPE = Scope(ROOT_ACCOUNT_ID, "cn-hangzhou")
ENDS_IN_409 = "Rejected."


def key_in(world: World, state: KeyState) -> tuple[str, str, str]:
    """A key in this state, with a blob it sealed before and an alias of its own."""
    key_id = world.create_key()
    alias = f"alias/{uuid4()}"
    blob = world.call("Encrypt", KeyId=key_id, Plaintext="aGVsbG8=").body["CiphertextBlob"]
    world.call("CreateAlias", KeyId=key_id, AliasName=alias)
    if state is KeyState.DISABLED:
        world.call("DisableKey", KeyId=key_id)
    elif state is KeyState.PENDING_DELETION:
        world.call("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays="30")
    elif state is KeyState.PENDING_IMPORT:
        asyncio.run(_await_import(world, key_id))
    return key_id, blob, alias


async def _await_import(world: World, key_id: str) -> None:
    """No operation leads here yet, so the store is told."""
    key = await world.store.get(SCOPE, key_id)
    assert key is not None
    changed = replace(key, state=KeyState.PENDING_IMPORT, revision=key.revision + 1)
    await world.store.replace(changed)


def state_of(world: World, key_id: str) -> str:
    reply = world.call("DescribeKey", KeyId=key_id)
    return str(reply.body["KeyMetadata"]["KeyState"])


@pytest.mark.parametrize("state", KeyState)
@pytest.mark.parametrize("operation", STATE_TABLE)
def test_cell(world: World, operation: str, state: KeyState) -> None:
    key_id, blob, alias = key_in(world, state)
    parameters = {
        "Decrypt": {"CiphertextBlob": blob},
        "Encrypt": {"KeyId": key_id, "Plaintext": "aGVsbG8="},
        "ScheduleKeyDeletion": {"KeyId": key_id, "PendingWindowInDays": "7"},
        "CreateAlias": {"KeyId": key_id, "AliasName": f"alias/{uuid4()}"},
        "UpdateAlias": {"KeyId": key_id, "AliasName": alias},
        "DeleteAlias": {"AliasName": alias},
        "UpdateKeyDescription": {"KeyId": key_id, "Description": "new"},
    }.get(operation, {"KeyId": key_id})
    if operation == "DescribeKeyVersion":
        versions = world.call("ListKeyVersions", KeyId=key_id).body["KeyVersions"]
        parameters["KeyVersionId"] = versions["KeyVersion"][0]["KeyVersionId"]

    reply = world.call(operation, **parameters)

    cell = STATE_TABLE[operation][state]
    if isinstance(cell, KeyState):
        assert reply.status == 200, reply
        assert state_of(world, key_id) == cell
    else:
        assert (reply.status, reply.code) == (409, cell.value)
        assert state_of(world, key_id) == state


def test_a_key_past_its_deletion_date_is_gone_with_all_its_names(world: World) -> None:
    key_id, blob, alias = key_in(world, KeyState.PENDING_DELETION)
    before = world.call("ListKeys").body["TotalCount"]
    world.time = world.start + timedelta(days=30) - timedelta(seconds=1)
    assert world.call("Decrypt", CiphertextBlob=blob).code == "Rejected.PendingDeletion"
    world.time = world.start + timedelta(days=30)
    assert world.call("Decrypt", CiphertextBlob=blob).code == "Forbidden.KeyNotFound"
    assert world.call("DescribeKey", KeyId=key_id).code == "Forbidden.KeyNotFound"
    assert world.call("DescribeKey", KeyId=alias).code == "Forbidden.AliasNotFound"
    assert world.call("CancelKeyDeletion", KeyId=key_id).code == "Forbidden.KeyNotFound"
    assert world.call("ListKeys").body["TotalCount"] < before
    assert asyncio.run(world.store.get(SCOPE, key_id)) is None
    world.time = world.start  # turning the clock back does not bring it back
    assert world.call("DescribeKey", KeyId=key_id).code == "Forbidden.KeyNotFound"
    other = world.create_key()
    assert world.call("CreateAlias", KeyId=other, AliasName=alias).status == 200


def test_material_is_erased_without_anyone_asking(world: World) -> None:
    key_id, _, _ = key_in(world, KeyState.PENDING_DELETION)
    world.time = world.start + timedelta(days=31)

    async def erased() -> bool:
        for _ in range(50):
            if await world.store.get(SCOPE, key_id) is None:
                return True
            await asyncio.sleep(0.1)
        return False

    assert asyncio.run(erased())

"""The state matrix, each cell over the wire: operation by operation, state by state."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from alibaba_edge.ports import ROOT_ACCOUNT_ID
from kms_emulator.crypto.asymmetric import rsa_encrypt
from kms_emulator.keys import KeyState, Scope
from kms_emulator.states import STATE_TABLE
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from tests.contract.kms.conftest import Subject, World

# The rules stand above the store, so one that forgets and one that writes are enough.
pytestmark = pytest.mark.parametrize("_server", ["memory", "sqlite"], indirect=True, scope="module")

SCOPE = Scope(ROOT_ACCOUNT_ID, "cn-hangzhou")


HELLO = b64encode(b"hello").decode()

SYMMETRIC: dict[str, str] = {}
RSA_CIPHER = {"KeySpec": "RSA_2048"}
SIGNER = {"KeySpec": "EC_P256"}
EXTERNAL = {"Origin": "EXTERNAL"}
IN_INSTANCE = {"DKMSInstanceId": "kst-acksim-software"}
MAC = {"KeySpec": "HMAC_SHA_256", **IN_INSTANCE}
WHAT = {
    # The key an operation is meant for; a plain one where nothing is said.
    "AsymmetricEncrypt": RSA_CIPHER,
    "AsymmetricDecrypt": RSA_CIPHER,
    "AsymmetricSign": SIGNER,
    "AsymmetricVerify": SIGNER,
    "GetPublicKey": SIGNER,
    "CreateKeyVersion": SIGNER,
    "GenerateMac": MAC,
    "VerifyMac": MAC,
    "GetParametersForImport": EXTERNAL,
    "ImportKeyMaterial": EXTERNAL,
    "DeleteKeyMaterial": EXTERNAL,
    "GetKeyPolicy": IN_INSTANCE,
    "SetKeyPolicy": IN_INSTANCE,
}
IMPORTED = b"m" * 32


def key_in(world: World, state: KeyState, what: dict[str, str] | None = None) -> Subject:
    """A key in this state, with a blob it sealed before and an alias of its own."""
    made = world.call("CreateKey", **(what or SYMMETRIC)).body["KeyMetadata"]
    key_id = made["KeyId"]
    versions = world.call("ListKeyVersions", KeyId=key_id).body["KeyVersions"]["KeyVersion"]
    subject = world.subject(key_id, versions[0]["KeyVersionId"], f"alias/{uuid4()}")
    world.call("CreateAlias", KeyId=key_id, AliasName=subject.alias)
    if what is EXTERNAL:
        prepare_import(world, subject)
        if state is not KeyState.PENDING_IMPORT:
            call = subject.parameters("ImportKeyMaterial")
            assert world.call("ImportKeyMaterial", **call).status == 200
    elif what is RSA_CIPHER:
        call = subject.parameters("AsymmetricEncrypt")
        subject.blob = world.call("AsymmetricEncrypt", **call).body["CiphertextBlob"]
    elif not what:
        sealed = world.call("Encrypt", KeyId=key_id, Plaintext=HELLO)
        subject.blob = sealed.body["CiphertextBlob"]
    if state is KeyState.DISABLED:
        world.call("DisableKey", KeyId=key_id)
    elif state is KeyState.PENDING_DELETION:
        world.call("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays="30")
    elif state is KeyState.PENDING_IMPORT and what is not EXTERNAL:
        asyncio.run(_await_import(world, key_id))
    return subject


def prepare_import(world: World, subject: Subject) -> None:
    call = subject.parameters("GetParametersForImport")
    parameters = world.call("GetParametersForImport", **call).body
    public = b64decode(parameters["PublicKey"])
    wrapped = rsa_encrypt(public, "RSAES_OAEP_SHA_256", IMPORTED)
    subject.token, subject.wrapped = parameters["ImportToken"], b64encode(wrapped).decode()


async def _await_import(world: World, key_id: str) -> None:
    """Only keys of external origin get there by themselves, so the store is told."""
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
    subject = key_in(world, state, WHAT.get(operation))
    if operation == "CreateKeyVersion":
        world.time += timedelta(days=7)

    reply = world.call(operation, **subject.parameters(operation))

    cell = STATE_TABLE[operation][state]
    if isinstance(cell, KeyState):
        assert reply.status == 200, reply
        assert state_of(world, subject.key_id) == cell
    else:
        assert (reply.status, reply.code) == (409, cell.value)
        assert state_of(world, subject.key_id) == state


def test_a_key_past_its_deletion_date_is_gone_with_all_its_names(world: World) -> None:
    doomed = key_in(world, KeyState.PENDING_DELETION)
    key_id, blob, alias = doomed.key_id, doomed.blob, doomed.alias
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
    key_id = key_in(world, KeyState.PENDING_DELETION).key_id
    world.time = world.start + timedelta(days=31)

    async def erased() -> bool:
        async with asyncio.timeout(PATIENCE):
            while await world.store.get(SCOPE, key_id) is not None:  # noqa: ASYNC110 - its own time
                await asyncio.sleep(0.1)
        return True

    assert asyncio.run(erased())

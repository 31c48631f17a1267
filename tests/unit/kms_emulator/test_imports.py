"""Imported key material: what opens a token, what may come back, and what expiry takes away."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alibaba_edge.errors import ApiError
from kms_emulator.crypto.asymmetric import new_rsa_key, public_der, rsa_encrypt
from kms_emulator.errors import ImportTokenInvalidError
from kms_emulator.import_token import ALGORITHMS, ImportToken, open_token, seal_token
from kms_emulator.keys import Key, KeyState

if TYPE_CHECKING:
    from tests.unit.kms_emulator.conftest import Domain

MATERIAL = bytes(range(32))
OTHER = bytes(32)


@cache
def wrapping_key() -> bytes:
    return new_rsa_key(2048)


def token_for(domain: Domain, key: Key, algorithm: str = ALGORITHMS[2]) -> bytes:
    """As GetParametersForImport makes it, round one RSA key for all tests."""
    token = ImportToken(algorithm, domain.time + timedelta(hours=24), wrapping_key())
    return seal_token(key, token, token_bytes=bytes)


def wrap(material: bytes, algorithm: str = ALGORITHMS[2]) -> bytes:
    return rsa_encrypt(public_der(wrapping_key()), algorithm, material)


async def give(
    domain: Domain, key: Key, material: bytes = MATERIAL, *, until: datetime | None = None
) -> None:
    await domain.kms.imports.import_material(
        key, wrap(material), token=token_for(domain, key), expires_at=until
    )


async def refused(domain: Domain, key: Key, material: bytes, token: bytes) -> str:
    with pytest.raises(ApiError) as raised:
        await domain.kms.imports.import_material(key, material, token=token, expires_at=None)
    return raised.value.code


async def test_parameters_lead_to_a_key_that_works(domain: Domain) -> None:
    key = await domain.create(origin="EXTERNAL")
    assert (key.state, key.primary.material) == (KeyState.PENDING_IMPORT, b"")
    parameters = await domain.kms.imports.parameters(key, "RSAES_OAEP_SHA_256")
    assert parameters.expires_at == domain.time + timedelta(hours=24)
    wrapped = rsa_encrypt(parameters.public, "RSAES_OAEP_SHA_256", MATERIAL)
    await domain.kms.imports.import_material(key, wrapped, token=parameters.token, expires_at=None)
    key = await domain.find(key)
    assert key.state is KeyState.ENABLED
    assert await domain.open(domain.seal(key)) == b"secret"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_the_token_knows_its_algorithm(domain: Domain, algorithm: str) -> None:
    key = await domain.create(origin="EXTERNAL")
    token = token_for(domain, key, algorithm)
    wrapped = wrap(MATERIAL, algorithm)
    await domain.kms.imports.import_material(key, wrapped, token=token, expires_at=None)
    assert (await domain.find(key)).primary.material == MATERIAL
    other = ALGORITHMS[ALGORITHMS.index(algorithm) - 1]
    assert await refused(domain, key, wrap(MATERIAL, other), token) == "InvalidKeyMaterial"


async def test_a_token_is_for_one_key_and_a_day(domain: Domain) -> None:
    key, twin = [await domain.create(origin="EXTERNAL") for _ in range(2)]
    token = token_for(domain, key)
    assert await refused(domain, twin, wrap(MATERIAL), token) == "InvalidImportToken"
    domain.wait(hours=24)
    assert await refused(domain, key, wrap(MATERIAL), token) == "ExpiredImportToken"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_any_flipped_bit_or_cut_of_a_token_is_refused(domain: Domain, data: st.DataObject) -> None:
    key = Key(
        scope=domain.scope,
        id="k",
        created_at=domain.time,
        primary=None,  # type: ignore[arg-type]
        creator="c",
        import_secret=bytes(32),
    )
    token = bytearray(token_for(domain, key))
    assert open_token(key, bytes(token)).private == wrapping_key()
    bit = data.draw(st.integers(0, len(token) * 8 - 1))
    token[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ImportTokenInvalidError):
        open_token(key, bytes(token))
    token[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ImportTokenInvalidError):
        open_token(key, bytes(token[: bit // 8]))


async def test_a_token_is_bound_to_its_key_even_under_one_secret(domain: Domain) -> None:
    key = await domain.create(origin="EXTERNAL")
    with pytest.raises(ImportTokenInvalidError):
        open_token(replace(key, id="another"), token_for(domain, key))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(garbage=st.binary(max_size=200))
async def test_garbage_is_no_token_and_no_material(domain: Domain, garbage: bytes) -> None:
    key = await domain.create(origin="EXTERNAL")
    assert await refused(domain, key, wrap(MATERIAL), garbage) == "InvalidImportToken"
    assert await refused(domain, key, garbage, token_for(domain, key)) == "InvalidKeyMaterial"


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
async def test_material_has_the_length_of_its_spec(domain: Domain, length: int) -> None:
    key = await domain.create(origin="EXTERNAL")
    token = token_for(domain, key)
    assert await refused(domain, key, wrap(bytes(length)), token) == "InvalidKeyMaterial"


async def test_only_the_first_material_may_come_back(domain: Domain) -> None:
    key = await domain.create(origin="EXTERNAL")
    await give(domain, key)
    blob = domain.seal(await domain.find(key))
    await domain.kms.imports.delete_material(await domain.find(key))
    key = await domain.find(key)
    assert (key.state, key.primary.material) == (KeyState.PENDING_IMPORT, b"")
    with pytest.raises(ApiError, match=r"Rejected\.PendingImport"):
        await domain.open(blob)
    token = token_for(domain, key)
    assert await refused(domain, key, wrap(OTHER), token) == "InvalidKeyMaterial"
    await give(domain, key)
    assert await domain.open(blob) == b"secret"


async def test_material_expires_and_is_forgotten(domain: Domain) -> None:
    key = await domain.create(origin="EXTERNAL")
    await give(domain, key, until=domain.time + timedelta(days=1))
    blob = domain.seal(await domain.find(key))
    domain.wait(days=1, seconds=-1)
    assert await domain.open(blob) == b"secret"
    domain.wait(seconds=1)
    await domain.kms.keys.catch_up()
    stored = await domain.store.get(domain.scope, key.id)
    assert stored is not None
    assert (stored.state, stored.primary.material) == (KeyState.PENDING_IMPORT, b"")
    assert stored.material_expires_at is None
    await give(domain, stored, until=domain.time + timedelta(days=1))
    assert await domain.open(blob) == b"secret"


async def test_expiry_in_the_past_is_refused(domain: Domain) -> None:
    key = await domain.create(origin="EXTERNAL")
    with pytest.raises(ApiError, match="KeyMaterialExpireUnix"):
        await give(domain, key, until=domain.time)


async def test_a_disabled_key_stays_disabled_and_loses_its_material(domain: Domain) -> None:
    key = await domain.create(origin="EXTERNAL")
    await give(domain, key)
    await domain.kms.keys.disable(await domain.find(key))
    await give(domain, await domain.find(key), until=domain.time + timedelta(days=1))
    assert (await domain.find(key)).state is KeyState.DISABLED
    domain.wait(days=1)
    assert (await domain.find(key)).state is KeyState.PENDING_IMPORT


async def test_a_key_without_material_cannot_be_enabled_by_a_cancelled_deletion(
    domain: Domain,
) -> None:
    key = await domain.create(origin="EXTERNAL")
    await give(domain, key, until=domain.time + timedelta(days=1))
    await domain.kms.keys.schedule_deletion(await domain.find(key), days=7)
    domain.wait(days=2)
    key = await domain.find(key)
    assert (key.state, key.primary.material) == (KeyState.PENDING_DELETION, b"")
    await domain.kms.keys.cancel_deletion(key)
    assert (await domain.find(key)).state is KeyState.PENDING_IMPORT


async def test_keys_of_our_own_material_take_none(domain: Domain) -> None:
    key = await domain.create()
    for call in (
        domain.kms.imports.parameters(key, ALGORITHMS[0]),
        domain.kms.imports.import_material(key, b"x", token=b"y", expires_at=None),
        domain.kms.imports.delete_material(key),
    ):
        with pytest.raises(ApiError, match=r"Unsupported\.Origin"):
            await call

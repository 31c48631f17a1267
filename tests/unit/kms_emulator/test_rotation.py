"""Rotation on the simulated clock: when it happens, when it waits, and what stays readable."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from alibaba_edge.errors import ApiError
from kms_emulator.schemas.keys import key_metadata
from kms_emulator.service.rotation import MOST_VERSIONS

if TYPE_CHECKING:
    from kms_emulator.keys import Key
    from tests.unit.kms_emulator.conftest import Domain

WEEK = timedelta(days=7)


async def rotating(domain: Domain) -> Key:
    return await domain.create(rotates=True, rotation_interval=WEEK)


async def test_each_interval_brings_a_version_and_none_is_lost(domain: Domain) -> None:
    key = await rotating(domain)
    blobs = [domain.seal(key)]
    for _ in range(3):
        domain.wait(days=7)
        key = await domain.find(key)
        blobs.append(domain.seal(key))
    assert len(key.versions) == 4
    assert len({blob[:36] for blob in blobs}) == 4
    for blob in blobs:
        assert await domain.open(blob) == b"secret"


async def test_a_jump_of_the_clock_brings_every_version_at_its_own_date(domain: Domain) -> None:
    key = await rotating(domain)
    domain.wait(days=7 * 5 + 3)
    key = await domain.find(key)
    ages = [domain.time - version.created_at for version in key.versions]
    assert ages == [timedelta(days=3 + 7 * n) for n in range(6)]


async def test_nothing_rotates_a_second_early(domain: Domain) -> None:
    key = await rotating(domain)
    domain.wait(days=7, seconds=-1)
    assert len((await domain.find(key)).versions) == 1
    domain.wait(seconds=1)
    assert len((await domain.find(key)).versions) == 2


async def test_keys_that_nobody_looks_at_rotate_too(domain: Domain) -> None:
    key = await rotating(domain)
    domain.wait(days=7)
    await domain.kms.keys.catch_up()
    stored = await domain.store.get(domain.scope, key.id)
    assert stored is not None
    assert len(stored.versions) == 2


async def test_rotation_is_suspended_while_the_key_is_not_enabled(domain: Domain) -> None:
    key = await rotating(domain)
    await domain.kms.keys.disable(key)
    domain.wait(days=30)
    key = await domain.find(key)
    assert len(key.versions) == 1
    shown = key_metadata(key)
    assert shown["AutomaticRotation"] == "Suspended"
    assert shown["NextRotationDate"] == "2026-05-08T12:00:00Z"

    await domain.kms.keys.enable(key)
    key = await domain.find(key)
    assert key_metadata(key)["AutomaticRotation"] == "Enabled"
    assert [version.created_at for version in key.versions[:-1]] == [domain.time]


async def test_a_cancelled_deletion_catches_up_too(domain: Domain) -> None:
    key = await rotating(domain)
    await domain.kms.keys.schedule_deletion(key, days=30)
    domain.wait(days=20)
    await domain.kms.keys.cancel_deletion(await domain.find(key))
    assert len((await domain.find(key)).versions) == 2


async def test_an_interval_that_is_over_already_rotates_at_once(domain: Domain) -> None:
    key = await domain.create()
    domain.wait(days=100)
    await domain.kms.rotation.update_policy(key, timedelta(days=101))
    assert len((await domain.find(key)).versions) == 1
    await domain.kms.rotation.update_policy(await domain.find(key), timedelta(days=100))
    key = await domain.find(key)
    assert [version.created_at for version in key.versions[:-1]] == [domain.time]
    shown = key_metadata(key)
    assert shown["LastRotationDate"] == "2026-08-09T12:00:00Z"
    assert shown["RotationInterval"] == "8640000s"
    assert shown["NextRotationDate"] == "2026-11-17T12:00:00Z"


async def test_turning_rotation_off_ends_it(domain: Domain) -> None:
    key = await rotating(domain)
    await domain.kms.rotation.update_policy(key, None)
    domain.wait(days=70)
    key = await domain.find(key)
    assert len(key.versions) == 1
    assert key_metadata(key)["AutomaticRotation"] == "Disabled"
    assert "RotationInterval" not in key_metadata(key)


@pytest.mark.parametrize(
    ("choices", "interval", "code"),
    [
        ({}, timedelta(days=6), "InvalidParameter"),
        ({}, timedelta(days=731), "InvalidParameter"),
        ({}, timedelta(days=730), None),
        ({"instance_id": "kst-acksim-software"}, timedelta(days=366), "InvalidParameter"),
        ({"instance_id": "kst-acksim-hardware"}, WEEK, "Rejected.UnsupportedOperation"),
        ({"protection_level": "HSM"}, WEEK, None),
        ({"spec": "EC_P256"}, WEEK, "Rejected.UnsupportedOperation"),
    ],
)
async def test_what_may_rotate(
    domain: Domain, choices: dict[str, str], interval: timedelta, code: str | None
) -> None:
    key = await domain.create(**choices)
    assert await outcome(domain, key, interval) == code


async def outcome(domain: Domain, key: Key, interval: timedelta) -> str | None:
    try:
        await domain.kms.rotation.update_policy(key, interval)
    except ApiError as error:
        return error.code
    return None


async def test_the_lever_rotates_now(domain: Domain) -> None:
    key = await domain.create()
    old = domain.seal(key)
    rotated = await domain.kms.rotation.rotate(domain.scope, key.id)
    assert rotated.primary.id != key.primary.id
    assert rotated.retired[0].material == key.primary.material
    assert domain.seal(await domain.find(key))[:36] == rotated.primary.id.encode()
    assert await domain.open(old) == b"secret"


async def test_the_lever_obeys_state_and_kind(domain: Domain) -> None:
    disabled = await domain.create()
    await domain.kms.keys.disable(disabled)
    signer = await domain.create(spec="EC_P256")
    external = await domain.create(origin="EXTERNAL")
    for key, code in (
        (disabled, "Rejected.Disabled"),
        (signer, "Rejected.UnsupportedOperation"),
        (external, "Rejected.PendingImport"),
    ):
        with pytest.raises(ApiError) as raised:
            await domain.kms.rotation.rotate(domain.scope, key.id)
        assert raised.value.code == code


async def test_an_asymmetric_key_gets_a_version_a_week(domain: Domain) -> None:
    key = await domain.create(spec="EC_P256")
    with pytest.raises(ApiError, match="UnsupportedOperation"):
        await domain.kms.rotation.create_version(key)
    for count in range(2, MOST_VERSIONS + 1):
        domain.wait(days=7)
        version = await domain.kms.rotation.create_version(await domain.find(key))
        found = await domain.find(key)
        assert (found.versions[0], len(found.versions)) == (version, count)
    domain.wait(days=7)
    with pytest.raises(ApiError, match="LimitExceeded"):
        await domain.kms.rotation.create_version(await domain.find(key))


async def test_a_symmetric_key_gets_no_version_by_hand(domain: Domain) -> None:
    key = await domain.create()
    domain.wait(days=7)
    with pytest.raises(ApiError, match="UnsupportedOperation"):
        await domain.kms.rotation.create_version(key)


async def test_a_century_is_caught_up_with_in_steps(domain: Domain) -> None:
    key = await rotating(domain)
    domain.wait(days=7 * 2500)
    counts = [len((await domain.find(key)).versions) for _ in range(4)]
    assert counts == [1001, 2001, 2501, 2501]

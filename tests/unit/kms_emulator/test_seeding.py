"""A seed file becomes keys, the same ones each time, and touches none that is there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alibaba_edge.ports import ROOT_ACCOUNT_ID
from kms_emulator.errors import SeedError
from kms_emulator.keys import KeyState, Scope
from kms_emulator.seeding import Seed, plant, read_seed
from kms_emulator.store import MemoryKeyStore

NOW = datetime(2026, 5, 1, tzinfo=UTC)
HERE = Scope(ROOT_ACCOUNT_ID, "cn-hangzhou")
SHOP = Scope("1000000000000002", "cn-beijing")

TEXT = """
seed: 7
accounts:
  - {id: "1000000000000002", name: shop, access_keys: [{id: LTAIshop, secret: hush}]}
keys:
  - id: chosen
    aliases: [alias/shop, alias/other]
    material: MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=
  - account: "1000000000000002"
    region: cn-beijing
    state: Disabled
    tags: {team: a}
    versions:
      - {id: old, material: b29vb29vb29vb29vb29vb29vb29vb29vb29vb29vb28=}
      - {id: new}
  - {id: doomed, state: PendingDeletion, deleted_after_days: 9, creator: OSS}
"""


@pytest.fixture
def seed(tmp_path: Path) -> Seed:
    path = tmp_path / "seed.yaml"
    path.write_text(TEXT)
    return read_seed(path)


async def test_what_is_chosen_is_so(seed: Seed) -> None:
    store = MemoryKeyStore()
    await plant(seed, store, now=NOW)
    chosen = await store.get(HERE, "chosen")
    assert chosen is not None
    assert chosen.primary.material == b"01234567890123456789012345678901"
    assert (await store.list_aliases(HERE, key_id="chosen", offset=0, limit=9)).total == 2
    (shop,) = (await store.list_keys(SHOP, offset=0, limit=9)).items
    assert (shop.state, shop.tags) == (KeyState.DISABLED, {"team": "a"})
    assert [version.id for version in shop.versions] == ["new", "old"]
    assert shop.version("old") is not None
    doomed = await store.get(HERE, "doomed")
    assert doomed is not None
    assert (doomed.delete_at, doomed.creator) == (NOW + timedelta(days=9), "OSS")


async def test_what_is_not_chosen_is_the_same_each_time(seed: Seed) -> None:
    planted = []
    for number in (7, 7, 8):
        store = MemoryKeyStore()
        await plant(seed.model_copy(update={"seed": number}), store, now=NOW)
        planted.append((await store.list_keys(SHOP, offset=0, limit=9)).items[0])
    assert planted[0] == planted[1]
    assert planted[0].id != planted[2].id
    assert planted[0].primary.material != planted[2].primary.material


async def test_nothing_is_overwritten(seed: Seed) -> None:
    store = MemoryKeyStore()
    await plant(seed, store, now=NOW)
    chosen = await store.get(HERE, "chosen")
    assert chosen is not None
    changed = replace(chosen, state=KeyState.DISABLED, description="mine", revision=2)
    await store.replace(changed)
    alias = await store.alias(HERE, "alias/shop")
    assert alias is not None
    await store.replace_alias(replace(alias, key_id="doomed"))
    await plant(seed, store, now=NOW + timedelta(days=1))
    assert await store.get(HERE, "chosen") == changed
    assert await store.alias(HERE, "alias/shop") == replace(alias, key_id="doomed")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("keys: [{material: '!'}]", "keys.0.material"),
        ("keys: [{material: YWJj}]", "keys.0"),
        ("keys: [{spec: EC_P256}]", "keys.0"),
        ("keys: [{spec: DES}]", "keys.0"),
        ("keys: [{state: PendingImport}]", "keys.0.state"),
        ("keys: [{colour: red}]", "keys.0.colour"),
        ("accounts: [{id: abc}]", "accounts.0.id"),
        ("keys: [", "seed.yaml"),
    ],
)
def test_a_mistake_is_found_where_it_is(tmp_path: Path, text: str, place: str) -> None:
    path = tmp_path / "seed.yaml"
    path.write_text(text)
    with pytest.raises(SeedError, match=place):
        read_seed(path)


def test_secrets_stay_out_of_sight(seed: Seed) -> None:
    assert "hush" not in repr(seed)
    assert "0123456789" not in repr(seed)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SeedError, match="No such file"):
        read_seed(tmp_path / "none.yaml")

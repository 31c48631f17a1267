"""What every KeyStore must do, run over each of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alibaba_edge.sql.engine import open_engine
from kms_emulator.app import open_store
from kms_emulator.errors import AliasExistsError, KeyExistsError, KeyNotFoundError, StaleWriteError
from kms_emulator.keys import Alias, Key, KeyState, KeyVersion, PrimaryKeyVersion, Scope
from kms_emulator.store import KeyStore, MemoryKeyStore
from kms_emulator.store_sql import SqlKeyStore

NOW = datetime(2026, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)
HERE = Scope("1000000000000001", "cn-hangzhou")
OTHERS = (Scope("1000000000000001", "cn-beijing"), Scope("1000000000000002", "cn-hangzhou"))

MAKERS: dict[str, Callable[[Path, Callable[[], str]], KeyStore]] = {
    "memory": lambda _path, _postgresql: MemoryKeyStore(),
    "sqlite, bare": lambda path, _postgresql: SqlKeyStore(open_engine(path)),
    "sqlite, cached": lambda path, _postgresql: open_store(path),
    "postgresql": lambda _path, postgresql: open_store(postgresql()),
}


@pytest.fixture(params=MAKERS)
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, postgresql: Callable[[], str]
) -> AsyncIterator[KeyStore]:
    made = MAKERS[request.param](tmp_path / "kms.db", postgresql)
    yield made
    await made.close()


def key(name: str = "k1", *, scope: Scope = HERE, age: int = 0) -> Key:
    created = NOW - timedelta(days=age)
    return Key(
        scope=scope,
        id=name,
        created_at=created,
        primary=PrimaryKeyVersion(f"{name}-v2", created, b"2" * 32),
        retired=(
            KeyVersion(f"{name}-v1", created, b"1" * 32),
            KeyVersion(f"{name}-v0", created, b"0" * 32),
        ),
        creator=scope.account_id,
        description="naïve",
        protection_level="HSM",
    )


async def test_a_key_comes_back_whole(store: KeyStore) -> None:
    stored = replace(
        key(),
        delete_at=NOW + timedelta(days=7),
        state=KeyState.PENDING_DELETION,
        instance_id="kst-acksim-hardware",
        tags={"é": "", "b": '"'},
        policy="{}",
        deletion_protected=True,
        deletion_protection_description="naïve",
        rotation_interval=timedelta(days=7),
        material_expires_at=NOW + timedelta(days=3),
        material_digest=b"digest",
        import_secret=b"secret",
    )
    await store.add(stored)
    found = await store.get(HERE, "k1")
    assert found == stored
    assert found is not None
    assert type(found.primary) is PrimaryKeyVersion
    assert [type(version) for version in found.retired] == [KeyVersion, KeyVersion]


async def test_a_key_is_found_by_any_of_its_versions(store: KeyStore) -> None:
    await store.add(key())
    await store.add(key("k2"))
    for version in ("k1-v0", "k1-v1", "k1-v2"):
        assert await store.find_version(HERE, version) == key()
    assert await store.find_version(HERE, "k3-v0") is None


async def test_an_id_is_taken_once(store: KeyStore) -> None:
    await store.add(key())
    with pytest.raises(KeyExistsError):
        await store.add(replace(key(), description="another"))
    assert await store.get(HERE, "k1") == key()


async def test_scopes_are_where_keys_are(store: KeyStore) -> None:
    assert await store.scopes() == ()
    for scope in (HERE, *OTHERS):
        await store.add(replace(key(scope=scope), delete_at=NOW if scope == HERE else None))
    await store.add(key("k2", scope=OTHERS[0]))
    assert await store.scopes() == (OTHERS[0], HERE, OTHERS[1])
    await store.erase_due(NOW)
    assert await store.scopes() == OTHERS


async def test_names_sort_by_code_point(store: KeyStore) -> None:
    await store.add(key())
    names = ["alias/B", "alias/_", "alias/a", "alias/a-b", "alias/aB"]
    for name in names:
        await store.add_alias(Alias(HERE, name, "k1"))
    page = await store.list_aliases(HERE, offset=0, limit=9)
    assert [alias.name for alias in page.items] == sorted(names)


async def test_scopes_share_nothing(store: KeyStore) -> None:
    for scope in (HERE, *OTHERS):
        await store.add(key(scope=scope))
        await store.add_alias(Alias(scope, "alias/a", "k1"))
    await store.add(key("only-here"))
    await store.replace(replace(key(), description="changed", revision=2))
    await store.remove_alias(Alias(HERE, "alias/a", "k1"))
    for scope in OTHERS:
        assert await store.get(scope, "k1") == key(scope=scope)
        assert await store.get(scope, "only-here") is None
        assert await store.find_version(scope, "only-here-v2") is None
        assert (await store.list_keys(scope, offset=0, limit=9)).total == 1
        assert await store.alias(scope, "alias/a") == Alias(scope, "alias/a", "k1")
        assert (await store.list_aliases(scope, offset=0, limit=9)).total == 1


async def test_keys_are_listed_oldest_first_by_page(store: KeyStore) -> None:
    for number in (3, 1, 4, 5, 2):
        await store.add(key(f"k{number}", age=10 - number))
    await store.add(key("k6", age=5))  # as old as k5
    pages = [await store.list_keys(HERE, offset=offset, limit=4) for offset in (0, 4, 8)]
    assert [[item.id for item in page.items] for page in pages] == [
        ["k1", "k2", "k3", "k4"],
        ["k5", "k6"],
        [],
    ]
    assert {page.total for page in pages} == {6}
    assert (await store.list_keys(HERE, offset=0, limit=0)).total == 6


async def test_a_write_from_an_older_value_is_refused(store: KeyStore) -> None:
    await store.add(key())
    await store.replace(replace(key(), description="first", revision=2))
    with pytest.raises(StaleWriteError):
        await store.replace(replace(key(), description="second", revision=2))
    found = await store.get(HERE, "k1")
    assert found is not None
    assert found.description == "first"
    with pytest.raises(StaleWriteError):
        await store.replace(replace(key("k2"), revision=2))


async def test_of_many_writers_one_wins(store: KeyStore) -> None:
    await store.add(key())
    writes = [store.replace(replace(key(), description=f"{n}", revision=2)) for n in range(20)]
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(result) for result in results].count(StaleWriteError) == 19


async def test_a_new_primary_keeps_the_old_version(store: KeyStore) -> None:
    old = key()
    await store.add(old)
    retired = KeyVersion(old.primary.id, old.primary.created_at, old.primary.material)
    new = PrimaryKeyVersion("k1-v3", NOW, b"3" * 32)
    rotated = replace(old, primary=new, retired=(retired, *old.retired), revision=2)
    await store.replace(rotated)
    assert await store.get(HERE, "k1") == rotated
    assert await store.find_version(HERE, "k1-v3") == rotated
    assert await store.find_version(HERE, "k1-v2") == rotated


async def test_due_keys_are_erased_and_no_others(store: KeyStore) -> None:
    await store.add(replace(key("due"), delete_at=NOW))
    await store.add(replace(key("later"), delete_at=NOW + timedelta(seconds=1)))
    await store.add(key("never"))
    for name in ("due", "later"):
        await store.add_alias(Alias(HERE, f"alias/{name}", name))
    assert await store.get(HERE, "due")  # a cache has seen it
    assert await store.find_version(HERE, "due-v1")
    assert await store.alias(HERE, "alias/due")

    assert await store.erase_due(NOW) == 1
    assert await store.erase_due(NOW) == 0

    assert await store.get(HERE, "due") is None
    assert await store.find_version(HERE, "due-v1") is None
    assert await store.alias(HERE, "alias/due") is None
    assert [k.id for k in (await store.list_keys(HERE, offset=0, limit=9)).items] == [
        "later",
        "never",
    ]
    assert await store.alias(HERE, "alias/later")


async def test_keys_that_time_changes_are_found_wherever_they_are(store: KeyStore) -> None:
    week = timedelta(days=7)
    rotating = replace(key("rotating", age=7), rotation_interval=week)
    suspended = replace(key("suspended", age=7), rotation_interval=week, state=KeyState.DISABLED)
    expiring = replace(key("expiring", scope=OTHERS[1]), material_expires_at=NOW)
    later = replace(key("later", age=6), rotation_interval=week)
    for each in (rotating, suspended, expiring, later, key("never")):
        await store.add(each)
    assert set(await ids_changing(store)) == {"rotating", "expiring"}
    assert await ids_changing(store, days=-1) == []
    await store.replace(replace(rotating, rotation_interval=None, revision=2))
    await store.replace(replace(suspended, state=KeyState.ENABLED, revision=2))
    assert set(await ids_changing(store)) == {"suspended", "expiring"}
    [found] = [k for k in await store.changing_by(NOW) if k.id == "expiring"]
    assert found == expiring


async def ids_changing(store: KeyStore, *, days: int = 0) -> list[str]:
    return [found.id for found in await store.changing_by(NOW + timedelta(days=days))]


async def test_a_key_with_a_policy_is_found_by_other_accounts(store: KeyStore) -> None:
    shared = replace(key("shared"), policy="{}")
    for each in (shared, key("private"), replace(key("far", scope=OTHERS[0]), policy="{}")):
        await store.add(each)
    assert await store.shared_by(HERE.region, "shared-v1") == (shared,)
    for version in ("private-v1", "far-v1", "nothing"):
        assert await store.shared_by(HERE.region, version) == ()


async def test_a_cancelled_deletion_erases_nothing(store: KeyStore) -> None:
    await store.add(replace(key(), delete_at=NOW))
    await store.replace(replace(key(), revision=2))
    assert await store.erase_due(NOW + timedelta(days=1)) == 0
    assert await store.get(HERE, "k1") == replace(key(), revision=2)


async def test_aliases(store: KeyStore) -> None:
    await store.add(key("k1"))
    await store.add(key("k2"))
    for name, target in (("alias/b", "k1"), ("alias/a", "k2"), ("alias/c", "k1")):
        await store.add_alias(Alias(HERE, name, target))
    with pytest.raises(AliasExistsError):
        await store.add_alias(Alias(HERE, "alias/a", "k1"))
    with pytest.raises(KeyNotFoundError):
        await store.add_alias(Alias(HERE, "alias/new", "k3"))
    page = await store.list_aliases(HERE, offset=1, limit=1)
    assert ([alias.name for alias in page.items], page.total) == (["alias/b"], 3)
    page = await store.list_aliases(HERE, key_id="k1", offset=0, limit=9)
    assert ([alias.name for alias in page.items], page.total) == (["alias/b", "alias/c"], 2)

    await store.replace_alias(Alias(HERE, "alias/a", "k1"))
    assert await store.alias(HERE, "alias/a") == Alias(HERE, "alias/a", "k1")
    with pytest.raises(StaleWriteError):
        await store.replace_alias(Alias(HERE, "alias/z", "k1"))
    with pytest.raises(KeyNotFoundError):
        await store.replace_alias(Alias(HERE, "alias/a", "k3"))

    await store.remove_alias(Alias(HERE, "alias/a", "k1"))
    assert await store.alias(HERE, "alias/a") is None
    with pytest.raises(StaleWriteError):
        await store.remove_alias(Alias(HERE, "alias/a", "k1"))


async def test_a_database_outlives_its_process(tmp_path: Path) -> None:
    path = tmp_path / "kms.db"
    first = open_store(path)
    await first.add(key())
    await first.add_alias(Alias(HERE, "alias/a", "k1"))
    await first.close()
    second = open_store(path)
    assert await second.get(HERE, "k1") == key()
    assert await second.alias(HERE, "alias/a")
    await second.close()


async def test_only_the_owner_may_read_the_database(tmp_path: Path) -> None:
    path = tmp_path / "kms.db"
    path.touch(mode=0o644)
    store = open_store(path)
    await store.add(key())
    assert _modes(tmp_path) == {"kms.db": 0o600, "kms.db-wal": 0o600, "kms.db-shm": 0o600}
    await store.close()


def _modes(folder: Path) -> dict[str, int]:
    return {entry.name: entry.stat().st_mode & 0o777 for entry in folder.iterdir()}


async def test_erased_material_is_not_in_the_files(tmp_path: Path) -> None:
    path = tmp_path / "kms.db"
    store = open_store(path)
    material = bytes(range(100, 132))
    doomed = replace(key(), primary=PrimaryKeyVersion("k1-v2", NOW, material), delete_at=NOW)
    await store.add(doomed)
    await store.close()  # moves it from the log into the database
    store = open_store(path)

    def stored() -> bytes:
        return b"".join(entry.read_bytes() for entry in tmp_path.iterdir())

    assert material in stored()
    await store.erase_due(NOW)
    assert material not in stored()
    await store.close()

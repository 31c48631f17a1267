"""Tables of older versions become today's, with what is in them, once, whoever starts first."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Engine

from acksim.account.credentials import Credentials
from acksim.account.database import SCHEMA as ACCOUNT
from acksim.account.database import Database
from acksim.account.ram.authorizer import RamAuthorizer
from acksim.account.ram.generations import Generations
from acksim.account.ram.roles import MANAGED_SECURITY_ROLE
from acksim.account.sts.sessions import Sessions
from alibaba_edge.errors import NewerSchemaError
from alibaba_edge.ports import Decision, wall_clock
from alibaba_edge.sql.engine import open_engine
from alibaba_edge.sql.migration import Schema, bring_to_head, upgrade
from kms_emulator.app import open_store
from kms_emulator.keys import Scope
from kms_emulator.sql_tables import SCHEMA as KMS

SCHEMAS = pytest.mark.parametrize("schema", [KMS, ACCOUNT], ids=["kms", "account"])
HERE = Scope("1000000000000001", "cn-hangzhou")

FIRST_KEY = """
INSERT INTO kms_keys (account_id, region, key_id, created_at, creator, state, description, spec,
 usage, origin, protection_level, delete_at, revision) VALUES ('1000000000000001', 'cn-hangzhou',
 'k1', '2026-01-02 03:04:05', '1000000000000001', 'Disabled', 'old', 'Aliyun_AES_256',
 'ENCRYPT/DECRYPT', 'Aliyun_KMS', 'SOFTWARE', NULL, 3)"""
FIRST_VERSION = """
INSERT INTO kms_key_versions (account_id, region, version_id, key_id, position, created_at,
 material) VALUES ('1000000000000001', 'cn-hangzhou', 'v1', 'k1', 0, '2026-01-02 03:04:05',
 :material)"""
FIRST_ALIAS = """
INSERT INTO kms_aliases (account_id, region, name, key_id)
 VALUES ('1000000000000001', 'cn-hangzhou', 'alias/old', 'k1')"""


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request: pytest.FixtureRequest, tmp_path: Path, postgresql: Callable[[], str]) -> str:
    return postgresql() if request.param == "postgresql" else str(tmp_path / "a.db")


@pytest.fixture
def engine(location: str) -> Iterator[Engine]:
    made = open_engine(location)
    yield made
    made.dispose()


def at_first(engine: Engine, schema: Schema, *statements: str) -> None:
    """As the first release left it: its tables, and no word about their version."""
    with engine.begin() as connection:
        upgrade(connection, schema, to="0001")
        connection.execute(sa.text(f"DROP TABLE {schema.version_table}"))
        for statement in statements:
            values = {"material": b"m" * 32} if ":material" in statement else {}
            connection.execute(sa.text(statement), values)


@SCHEMAS
def test_the_head_is_the_last_revision(schema: Schema) -> None:
    script = ScriptDirectory(
        str(Path(schema.revisions).parent), version_locations=[str(schema.revisions)]
    )
    assert script.get_heads() == [schema.head]


@SCHEMAS
@pytest.mark.parametrize("old", [True, False], ids=["upgraded", "new"])
def test_upgraded_tables_are_those_of_a_new_database(
    engine: Engine, schema: Schema, old: bool
) -> None:
    if old:
        at_first(engine, schema)
    bring_to_head(engine, schema)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": schema.version_table, "compare_type": True}
        )
        assert compare_metadata(context, schema.tables) == []


async def test_keys_of_the_first_release_are_there(location: str) -> None:
    engine = open_engine(location)
    at_first(engine, KMS, FIRST_KEY, FIRST_VERSION, FIRST_ALIAS)
    engine.dispose()
    for _ in range(2):
        store = open_store(location)
        key = await store.get(HERE, "k1")
        alias = await store.alias(HERE, "alias/old")
        await store.close()
        assert key is not None
        assert alias is not None
        assert (key.state, key.revision, key.description) == ("Disabled", 3, "old")
        assert (key.primary.id, key.primary.material) == ("v1", b"m" * 32)


@SCHEMAS
def test_a_database_from_the_future_is_left_alone(engine: Engine, schema: Schema) -> None:
    bring_to_head(engine, schema)
    with engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE {schema.version_table} SET version_num = '9999'"))
    with pytest.raises(NewerSchemaError, match="9999"):
        bring_to_head(engine, schema)


@SCHEMAS
@pytest.mark.parametrize("old", [True, False], ids=["old", "new"])
def test_many_may_start_at_once(location: str, schema: Schema, old: bool) -> None:
    engines = [open_engine(location) for _ in range(4)]
    if old:
        at_first(engines[0], schema)
    with ThreadPoolExecutor(len(engines)) as threads:
        list(threads.map(lambda engine: bring_to_head(engine, schema), engines))
    with engines[0].connect() as connection:
        count = connection.scalar(sa.text(f"SELECT count(*) FROM {schema.version_table}"))
    for engine in engines:
        engine.dispose()
    assert count == 1


def test_a_start_without_an_upgrade_does_not_import_alembic(tmp_path: Path) -> None:
    program = (
        "import sys; from kms_emulator.app import open_store;"
        f"open_store({str(tmp_path / 'kms.db')!r}); sys.exit('alembic' in sys.modules)"
    )
    for _ in range(2):
        assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


FIRST_ACCOUNT = """
INSERT INTO accounts (id, name, created) VALUES ('1000000000000001', 'root', 1767323045)"""
FIRST_ACCESS_KEY = """
INSERT INTO access_keys (id, account_id, secret, active, created)
 VALUES ('LTAIold', '1000000000000001', 'secret', TRUE, 1767323045)"""


async def test_accounts_of_before_ram_keep_their_key_and_may_use_kms_keys(location: str) -> None:
    engine = open_engine(location)
    at_first(engine, ACCOUNT, FIRST_ACCOUNT, FIRST_ACCESS_KEY)
    engine.dispose()
    database = Database(location)
    generations = Generations(database)
    credentials = Credentials(database, generations, wall_clock)
    owner = await credentials.access_key("LTAIold")
    session = await Sessions(database, wall_clock).begin_for_service(
        HERE.account_id, MANAGED_SECURITY_ROLE, "s1"
    )
    role = await credentials.access_key(session.access_key_id)
    assert owner is not None
    assert role is not None
    assert owner.caller.kind == "root-account"
    decision = await RamAuthorizer(database, generations).decide(
        role.caller, "kms:Decrypt", resource="acs:kms:::key/k", context={}
    )
    database.close()
    assert decision is Decision.ALLOW

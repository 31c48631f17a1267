"""Whom a role trusts, and what an account that was authorized begins with."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from acksim.account.credentials import Credentials
from acksim.account.database import Database
from acksim.account.ram.authorizer import RamAuthorizer
from acksim.account.ram.errors import RoleNotExistError, RoleNotTrustingError
from acksim.account.ram.generations import Generations
from acksim.account.ram.roles import CONTAINER_SERVICE, MANAGED_SECURITY_ROLE, Role, Roles
from acksim.account.sts.sessions import Sessions
from alibaba_edge.ports import Caller, Decision

ACCOUNT, OTHER = "1000000000000001", "1000000000000002"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def role(*statements: str) -> Role:
    return Role(ACCOUNT, "3", "Ops", f'{{"Version":"1","Statement":[{",".join(statements)}]}}')


def trust(principal: str, effect: str = "Allow", more: str = "") -> str:
    return f'{{"Effect":"{effect}","Action":"sts:AssumeRole","Principal":{{{principal}}}{more}}}'


USER = f"acs:ram::{ACCOUNT}:user/alice"


@pytest.mark.parametrize(
    ("principal", "asking", "expected"),
    [
        (f"acs:ram::{ACCOUNT}:root", USER, True),
        (f"acs:ram::{ACCOUNT}:root", f"acs:ram::{OTHER}:user/alice", False),
        (f"acs:ram::{ACCOUNT}:user/Alice", USER, True),
        (f"acs:ram::{ACCOUNT}:user/bob", USER, False),
        (f"acs:ram::{ACCOUNT}:role/Chain", f"acs:ram::{ACCOUNT}:role/chain", True),
        (
            f"acs:ram::{ACCOUNT}:role/Chain",
            f"acs:sts::{ACCOUNT}:assumed-role/chain/session",
            True,
        ),
        (f"acs:ram::{ACCOUNT}:role/Chain", USER, False),
    ],
)
def test_whom_a_role_trusts(principal: str, asking: str, expected: bool) -> None:
    assert role(trust(f'"RAM":["{principal}"]')).trusts(asking) is expected
    assert not role(trust(f'"RAM":["{principal}"]')).trusts_service(CONTAINER_SERVICE)


def test_a_role_of_a_service_trusts_no_user() -> None:
    of_service = role(trust('"Service":["cs.aliyuncs.com"]'))
    assert of_service.trusts_service(CONTAINER_SERVICE)
    assert not of_service.trusts_service("ecs.aliyuncs.com")
    assert not of_service.trusts(USER)


def test_a_denied_trust_is_none() -> None:
    allowed = trust(f'"RAM":"acs:ram::{ACCOUNT}:root"')
    denied = trust(f'"RAM":"{USER}"', "Deny")
    for statements in ((allowed, denied), (denied, allowed)):
        assert not role(*statements).trusts(USER)
        assert role(*statements).trusts(f"acs:ram::{ACCOUNT}:user/bob")


def test_a_trust_may_ask_for_an_external_id() -> None:
    condition = ',"Condition":{"StringEquals":{"sts:ExternalId":"x-1"}}'
    careful = role(trust(f'"RAM":"acs:ram::{ACCOUNT}:root"', more=condition))
    assert not careful.trusts(USER)
    assert not careful.trusts(USER, {"sts:ExternalId": "x-2"})
    assert careful.trusts(USER, {"sts:ExternalId": "x-1"})


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    made = Database(tmp_path / "account.db")
    yield made
    made.close()


async def test_an_authorized_account_has_the_managed_role(database: Database) -> None:
    generations = Generations(database)
    credentials = Credentials(database, generations, lambda: NOW)
    roles = Roles(database, generations, lambda: NOW)
    account = (await credentials.new_account("shop")).account_id
    found = await roles.find(account, MANAGED_SECURITY_ROLE.upper())
    assert found is not None
    assert (found.name, found.created) == (MANAGED_SECURITY_ROLE, NOW)
    assert found.arn == f"acs:ram::{account}:role/aliyuncsmanagedsecurityrole"
    assert found.trust_policy == (
        '{"Statement":[{"Action":"sts:AssumeRole","Effect":"Allow",'
        '"Principal":{"Service":["cs.aliyuncs.com"]}}],"Version":"1"}'
    )
    sessions = Sessions(database, lambda: NOW)
    session = await sessions.begin_for_service(account, MANAGED_SECURITY_ROLE, account)
    key = await credentials.access_key(session.access_key_id)
    assert key is not None
    assert key.caller.principal_id == f"{found.id}:{account}"
    assert await allowed(database, key.caller, "kms:Decrypt") is Decision.ALLOW
    assert await allowed(database, key.caller, "kms:CreateKey") is Decision.IMPLICIT_DENY


async def allowed(database: Database, caller: Caller, action: str) -> Decision:
    authorizer = RamAuthorizer(database, Generations(database))
    resource = f"acs:kms:cn-hangzhou:{caller.account_id}:key/k"
    return await authorizer.decide(caller, action, resource=resource, context={})


async def test_without_the_role_or_its_trust_nobody_assumes_it(database: Database) -> None:
    generations = Generations(database)
    credentials = Credentials(database, generations, lambda: NOW)
    roles = Roles(database, generations, lambda: NOW)
    account = (await credentials.new_account("shop", authorized=False)).account_id
    assert await roles.find(account, MANAGED_SECURITY_ROLE) is None
    sessions = Sessions(database, lambda: NOW)
    with pytest.raises(RoleNotExistError, match="The role not exists: acs:ram::"):
        await sessions.begin_for_service(account, MANAGED_SECURITY_ROLE, "s1")
    other = trust(f'"RAM":"acs:ram::{account}:root"')
    document = f'{{"Version":"1","Statement":[{other}]}}'
    await roles.create(Role(account, "", MANAGED_SECURITY_ROLE, document))
    with pytest.raises(RoleNotTrustingError, match="does not trust you"):
        await sessions.begin_for_service(account, MANAGED_SECURITY_ROLE, "s1")

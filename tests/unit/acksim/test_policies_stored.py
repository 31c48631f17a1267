"""Policies that an earlier version stored and this one does not understand fail closed.

They are put where they would lie, past the operations that refuse them now: what a Deny may mean
is denied, what an Allow may mean is not allowed.
"""

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, update

from acksim.account.ram.evaluation import NamedDocument, PolicySet, Rights
from acksim.account.ram.held_policies import Holder, attach
from acksim.account.ram.policy_rows import Policy, insert_policy
from acksim.account.ram.roles import Role
from acksim.account.ram.tables import ram_roles
from acksim.account.tables import sts_sessions
from acksim.clients.alibaba import Signer
from alibaba_edge.conditions import OPERATORS
from alibaba_edge.ports import ROOT_CALLER, Decision
from kms_emulator.keys import Scope
from kms_emulator.policies import key_policy_of
from tests.unit.acksim.cloud import Cloud
from tests.unit.acksim.policy_cases import (
    ACCOUNT,
    USER,
    document,
    malformed_conditions,
    of_key,
    permission,
    trust,
)

ALLOW, IMPLICIT, EXPLICIT = Decision
KEY = f"acs:kms:cn-hangzhou:{ACCOUNT}:key/k"
CONTEXT = {"acs:SourceIp": "127.0.0.1", "acs:CurrentTime": "2026-05-01T12:00:00Z"}
CALLER = replace(ROOT_CALLER, kind="ram-user", arn=USER, user_name="alice")
EVERYTHING = document(permission("Allow", Action="*"))
TWICE = (
    '{"Version":"1","Statement":[{"Effect":"Deny","Effect":"Allow","Action":"kms:*",'
    '"Resource":"*"}]}'
)


def policies(*texts: str) -> PolicySet:
    return PolicySet(NamedDocument("Custom", "p", "v1", text, "user alice") for text in texts)


def by_ram(text: str, *more: str) -> Decision:
    return policies(text, *more).decide("kms:Encrypt", KEY, CONTEXT).decision


def by_session(text: str) -> Decision:
    rights = Rights(policies(EVERYTHING), policies(text))
    return rights.decide("kms:Encrypt", KEY, CONTEXT).decision


def by_key(text: str) -> Decision:
    return key_policy_of(ACCOUNT, text).decide(CALLER, "kms:Encrypt", context=CONTEXT)


def trusted(text: str) -> bool:
    return Role(ACCOUNT, "1", "clerk", text).trusts(USER, CONTEXT)


@pytest.mark.parametrize("operator", OPERATORS)
def test_conditions_that_are_not_understood(operator: str) -> None:
    """Every malformed value, wherever a policy lies, beside an Allow of everything or alone."""
    for condition in malformed_conditions(operator):
        allow, deny = (
            document(permission(effect, Condition=condition)) for effect in ("Allow", "Deny")
        )
        assert by_ram(deny, EVERYTHING) is EXPLICIT, deny
        assert by_ram(allow) is IMPLICIT, allow
        assert by_session(deny) is EXPLICIT, deny
        assert by_session(allow) is IMPLICIT, allow
        assert by_key(document(of_key("Allow"), of_key("Deny", Condition=condition))) is EXPLICIT
        assert by_key(document(of_key("Allow", Condition=condition))) is IMPLICIT
        assert not trusted(document(trust("Allow"), trust("Deny", Condition=condition)))
        assert not trusted(document(trust("Allow", Condition=condition)))


@pytest.mark.parametrize(
    "parts",
    [
        {"Action": []},
        {"Action": ["kms:Decrypt", 5]},
        {"Action": "encrypt"},
        {"NotAction": "kms:*"},
        {"Resource": "${acs:x}"},
        {"Resource": None},
        {"Condition": None},
        {"Condition": {"StringIs": {"a": "b"}}},
        {"NotPrincipal": {"RAM": USER}},
        {"Effect": "deny"},
        {"Effect": None},
    ],
)
def test_statements_that_are_not_understood(parts: dict[str, Any]) -> None:
    allow, deny = (document(permission(effect, **parts)) for effect in ("Allow", "Deny"))
    assert by_ram(deny, EVERYTHING) is EXPLICIT
    assert by_ram(allow) is not ALLOW
    key_allow, key_deny = (document(of_key(effect, **parts)) for effect in ("Allow", "Deny"))
    assert by_key(key_deny) is EXPLICIT
    assert by_key(key_allow) is not ALLOW


@pytest.mark.parametrize(
    "named",
    ["*", f"acs:ram::{ACCOUNT}:user/*", f"acs:ram::{ACCOUNT}:user/al?ce", "acs:ram::*:root", 5, []],
)
def test_principals_that_never_matched(named: Any) -> None:
    """A Deny is of everybody, beside those who are named well, too."""
    for principal in (named, [named, f"acs:ram::{ACCOUNT}:user/bob"]):
        denied = {"Principal": {"RAM": principal}}
        assert by_key(document(of_key("Allow"), of_key("Deny", **denied))) is EXPLICIT
        assert by_key(document(of_key("Allow", **denied))) is IMPLICIT
        assert not trusted(document(trust("Allow"), trust("Deny", **denied)))
        assert not trusted(document(trust("Allow", **denied)))


@pytest.mark.parametrize("text", [TWICE, "", "{", "[]", "[" * 5000, '{"Version":"2"}', "5"])
def test_documents_that_are_not_understood_deny(text: str) -> None:
    assert by_ram(text, EVERYTHING) is EXPLICIT
    assert by_session(text) is EXPLICIT
    assert by_key(text or "{}") is EXPLICIT
    assert not trusted(text)


def test_what_a_faulty_deny_is_not_about_stays_as_it_is() -> None:
    bad = {"NotIpAddress": {"acs:SourceIp": "10.0.0.0/33"}}
    denied = document(permission("Deny", Action="kms:Encrypt", Condition=bad))
    rights = policies(EVERYTHING, denied)
    assert rights.decide("kms:Encrypt", KEY, CONTEXT).decision is EXPLICIT
    assert rights.decide("kms:Decrypt", KEY, CONTEXT).decision is ALLOW
    impossible = {**bad, "StringEquals": {"acs:SourceIp": "192.0.2.9"}}
    elsewhere = document(permission("Deny", Condition=impossible))
    assert by_ram(elsewhere, EVERYTHING) is ALLOW, "whatever the other test means, this one fails"


def test_an_owner_can_replace_a_key_policy_that_nobody_understands() -> None:
    policy = key_policy_of(ACCOUNT, TWICE)
    for action, expected in (
        ("kms:GetKeyPolicy", ALLOW),
        ("kms:SetKeyPolicy", ALLOW),
        ("kms:Encrypt", EXPLICIT),
    ):
        assert policy.decide(ROOT_CALLER, action, context=CONTEXT) is expected
        assert policy.decide(CALLER, action, context=CONTEXT) is EXPLICIT
    stranger = replace(ROOT_CALLER, account_id="1000000000000002")
    assert policy.decide(stranger, "kms:SetKeyPolicy", context=CONTEXT) is EXPLICIT


def test_the_fault_is_in_the_log_once(caplog: pytest.LogCaptureFixture) -> None:
    text = document(permission("Deny", Condition={"Bool": {"acs:MFAPresent": "logged once"}}))
    with caplog.at_level(logging.WARNING):
        assert by_ram(text) is by_ram(text) is EXPLICIT
    [message] = caplog.messages
    assert "Statement[0].Condition.Bool.acs:MFAPresent: has to be true or false" in message


# Through the whole gateway, from the tables of a database.

RAM, STS = "2015-05-01", "2015-04-01"
BAD = {"NotIpAddress": {"acs:SourceIp": ["0.0.0.0/0", "10.0.0.0/33"]}}
DENY, ALLOWED = (document(permission(effect, Condition=BAD)) for effect in ("Deny", "Allow"))


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Cloud]:
    async with await Cloud.open(tmp_path) as opened:
        yield opened


async def user(cloud: Cloud, *names: str) -> Signer:
    """alice, with policies of the system."""
    await cloud.ok("CreateUser", {"UserName": "alice"}, version=RAM)
    made = await cloud.ok("CreateAccessKey", {"UserName": "alice"}, version=RAM)
    for name in names:
        policy = {"PolicyType": "System", "PolicyName": name, "UserName": "alice"}
        await cloud.ok("AttachPolicyToUser", policy, version=RAM)
    return Signer(made["AccessKey"]["AccessKeyId"], made["AccessKey"]["AccessKeySecret"])


@pytest.mark.parametrize(("text", "own"), [(DENY, ("AdministratorAccess",)), (ALLOWED, ())])
async def test_a_policy_in_the_database(cloud: Cloud, text: str, own: tuple[str, ...]) -> None:
    alice = await user(cloud, *own)
    found = await cloud.ram.users.get(ACCOUNT, "alice")
    policy = Policy("Custom", "old", text)

    def store(connection: Connection) -> None:
        insert_policy(connection, ACCOUNT, policy)
        attach(connection, Holder(ACCOUNT, "User", found.id), "Custom", "old", datetime.now(UTC))

    await cloud.database.run(store)
    answer = await cloud.call("ListKeys", signer=alice)
    assert (answer.status_code, answer.json()["Code"]) == (403, "Forbidden.NoPermission")


@pytest.mark.parametrize("effect", ["Deny", "Allow"])
async def test_a_trust_policy_in_the_database(cloud: Cloud, effect: str) -> None:
    alice = await user(cloud, "AdministratorAccess")
    text = document(trust("Allow"))
    clerk = {"RoleName": "clerk", "AssumeRolePolicyDocument": text}
    role = (await cloud.ok("CreateRole", clerk, version=RAM))["Role"]["Arn"]
    assume = {"RoleArn": role, "RoleSessionName": "desk"}
    await cloud.ok("AssumeRole", assume, version=STS, signer=alice)
    faulty = trust(effect, Condition=BAD)
    stored = document(trust("Allow"), faulty) if effect == "Deny" else document(faulty)
    await cloud.database.run(lambda c: c.execute(update(ram_roles).values(trust_policy=stored)))
    answer = await cloud.call("AssumeRole", assume, version=STS, signer=alice)
    assert (answer.status_code, answer.json()["Code"]) == (403, "NoPermission")


@pytest.mark.parametrize("text", [DENY, ALLOWED])
async def test_a_session_policy_in_the_database(cloud: Cloud, text: str) -> None:
    alice = await user(cloud, "AdministratorAccess")
    clerk = {"RoleName": "clerk", "AssumeRolePolicyDocument": document(trust("Allow"))}
    role = (await cloud.ok("CreateRole", clerk, version=RAM))["Role"]["Arn"]
    admin = {"PolicyType": "System", "PolicyName": "AdministratorAccess", "RoleName": "clerk"}
    await cloud.ok("AttachPolicyToRole", admin, version=RAM)
    assume = {"RoleArn": role, "RoleSessionName": "desk", "Policy": EVERYTHING}
    made = (await cloud.ok("AssumeRole", assume, version=STS, signer=alice))["Credentials"]
    await cloud.database.run(lambda c: c.execute(update(sts_sessions).values(policy=text)))
    session = Signer(made["AccessKeyId"], made["AccessKeySecret"], made["SecurityToken"])
    answer = await cloud.call("ListKeys", signer=session)
    assert (answer.status_code, answer.json()["Code"]) == (403, "Forbidden.NoPermission")


@pytest.mark.parametrize("effect", ["Deny", "Allow"])
async def test_a_key_policy_in_the_store(cloud: Cloud, effect: str) -> None:
    own = ("AdministratorAccess",) if effect == "Deny" else ()
    alice = await user(cloud, *own)
    made = await cloud.ok("CreateKey", {"DKMSInstanceId": "kst-acksim-software"})
    key_id = made["KeyMetadata"]["KeyId"]
    encrypt = {"KeyId": key_id, "Plaintext": "aGVsbG8="}
    await cloud.ok("Encrypt", encrypt, signer=alice)  # the default key policy allows it
    key = await cloud.store.get(Scope(ACCOUNT, "cn-hangzhou"), key_id)
    assert key is not None
    text = document(of_key(effect, Condition=BAD))
    await cloud.app.kms.keys.set_policy(key, text)
    answer = await cloud.call("Encrypt", encrypt, signer=alice)
    assert (answer.status_code, answer.json()["Code"]) == (403, "Forbidden.NoPermission")

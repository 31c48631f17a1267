"""STS by the official SDK: who may take on which role, with what, and for how long."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from alibabacloud_kms20160120 import models as kms_models
from alibabacloud_kms20160120.client import Client as KmsClient
from alibabacloud_ram20150501 import models as ram_models
from alibabacloud_sts20150401 import models
from alibabacloud_sts20150401.client import Client as StsClient
from alibabacloud_tea_openapi.models import Config

from acksim.clients.alibaba import Signer
from acksim.clients.trail import TrailClient, TrailQuery
from acksim.clients.world import World
from tests.contract.ram.conftest import Account, Key, new_account, refusal

ASSUMING = {"policy_type": "System", "policy_name": "AliyunSTSAssumeRoleAccess"}
FULL_KMS = "AliyunKMSFullAccess"


@dataclass(frozen=True, slots=True)
class Session:
    """What AssumeRole answered, and the clients that use it."""

    world: World
    answer: Any = field(repr=False)

    def config(self, **changes: str) -> Config:
        keys = self.answer.credentials
        given = {
            "access_key_id": keys.access_key_id,
            "access_key_secret": keys.access_key_secret,
            "security_token": keys.security_token,
        }
        return Config(
            **{**given, **changes},
            endpoint=self.world.facts.endpoint.removeprefix("http://"),
            protocol="HTTP",
            region_id="cn-hangzhou",
        )

    def kms(self, **changes: str) -> Any:
        return KmsClient(self.config(**changes))

    def sts(self) -> Any:
        return StsClient(self.config())

    @property
    def expiration(self) -> datetime:
        return datetime.fromisoformat(self.answer.credentials.expiration)


def sts_of(key: Key) -> Any:
    return StsClient(key._config())


def trust(*principals: str, **condition: dict[str, str]) -> str:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"RAM": list(principals)},
    }
    if condition:
        statement["Condition"] = condition
    return json.dumps({"Version": "1", "Statement": [statement]})


def make_role(account: Account, name: str = "Operator", /, **options: Any) -> str:
    """Its ARN; by default it trusts the whole account and may do everything with keys."""
    options.setdefault("assume_role_policy_document", trust(f"acs:ram::{account.id}:root"))
    account.ram.create_role(ram_models.CreateRoleRequest(role_name=name, **options))
    account.ram.attach_policy_to_role(
        ram_models.AttachPolicyToRoleRequest(
            role_name=name, policy_type="System", policy_name=FULL_KMS
        )
    )
    return f"acs:ram::{account.id}:role/{name}"


def assume(world: World, client: Any, role_arn: str, **parameters: Any) -> Session:
    parameters.setdefault("role_session_name", "night-shift")
    request = models.AssumeRoleRequest(role_arn=role_arn, **parameters)
    return Session(world, client.assume_role(request).body)


@dataclass(frozen=True, slots=True)
class Stage:
    """An account with a role, and a user who may take it on."""

    account: Account
    user: Key
    role_arn: str

    def assume(self, **parameters: Any) -> Session:
        return assume(self.user.world, sts_of(self.user), self.role_arn, **parameters)


@pytest.fixture
def stage(account: Account) -> Stage:
    return Stage(account, account.user("alice", ASSUMING), make_role(account))


def test_a_user_takes_on_a_role_and_acts_as_it(acksim: World, stage: Stage) -> None:
    session = stage.assume()
    who = session.answer.assumed_role_user
    account_id = stage.account.id
    assert who.arn == f"acs:ram::{account_id}:role/operator/night-shift"
    role_id, _, name = who.assumed_role_id.partition(":")
    assert name == "night-shift"
    assert session.answer.credentials.access_key_id.startswith("STS.")
    me = session.sts().get_caller_identity().body
    assert (me.identity_type, me.account_id, me.role_id) == ("AssumedRoleUser", account_id, role_id)
    assert me.principal_id == who.assumed_role_id
    assert me.arn == f"acs:sts::{account_id}:assumed-role/operator/night-shift"
    assert me.user_id is None
    session.kms().create_key(kms_models.CreateKeyRequest())
    owner = Signer(stage.account.owner.id, stage.account.owner.secret)
    trail = TrailClient(acksim.facts.endpoint, owner)
    (created,) = trail.events(TrailQuery({"EventName": "CreateKey"}))
    assert created["userIdentity"]["userName"] == "operator:night-shift"
    assert created["userIdentity"]["principalId"] == who.assumed_role_id
    (assumed,) = trail.events(TrailQuery({"ServiceName": "Sts", "EventName": "AssumeRole"}))
    assert assumed["userIdentity"]["userName"] == "alice"
    assert assumed["resourceName"] == "Operator"
    assert session.answer.credentials.access_key_secret not in json.dumps(assumed)


def test_an_account_and_a_user_are_told_who_they_are(account: Account) -> None:
    me = sts_of(account.owner).get_caller_identity().body
    assert (me.identity_type, me.arn) == ("Account", f"acs:ram::{account.id}:root")
    assert me.account_id == me.principal_id == me.user_id == account.id
    me = sts_of(account.user("alice")).get_caller_identity().body
    assert (me.identity_type, me.arn) == ("RAMUser", f"acs:ram::{account.id}:user/alice")
    assert me.principal_id == me.user_id != account.id
    assert me.role_id is None


def test_the_owner_takes_on_no_role(acksim: World, stage: Stage) -> None:
    owner = sts_of(stage.account.owner)
    error = refusal(lambda: assume(acksim, owner, stage.role_arn))
    assert (error.code, error.data["statusCode"]) == ("NoPermission", 403)
    assert "Roles may not be assumed by root accounts." in error.message


def test_without_the_permission_the_trust_does_not_help(acksim: World, stage: Stage) -> None:
    bob = sts_of(stage.account.user("bob"))
    error = refusal(lambda: assume(acksim, bob, stage.role_arn))
    assert (error.code, error.data["statusCode"]) == ("NoPermission", 403)
    assert "You are not authorized to do this action. You should be authorized by RAM." in (
        error.message
    )
    detail = error.data["AccessDeniedDetail"]
    assert (detail["AuthAction"], detail["PolicyType"]) == (
        "sts:AssumeRole",
        "AccountLevelIdentityBasedPolicy",
    )


def test_without_the_trust_the_permission_does_not_help(acksim: World, account: Account) -> None:
    document = trust(f"acs:ram::{account.id}:user/bob")
    role = make_role(account, "Bobs", assume_role_policy_document=document)
    alice, bob = (sts_of(account.user(name, ASSUMING)) for name in ("alice", "bob"))
    error = refusal(lambda: assume(acksim, alice, role))
    assert (error.code, error.data["statusCode"]) == ("NoPermission", 403)
    assert error.data["AccessDeniedDetail"]["PolicyType"] == "AssumeRolePolicy"
    assert assume(acksim, bob, role).answer.credentials.security_token


def test_no_user_takes_on_the_role_that_trusts_a_service(acksim: World, account: Account) -> None:
    alice = sts_of(account.user("alice", ASSUMING))
    role = f"acs:ram::{account.id}:role/aliyuncsmanagedsecurityrole"
    error = refusal(lambda: assume(acksim, alice, role))
    assert error.data["AccessDeniedDetail"]["PolicyType"] == "AssumeRolePolicy"


def test_a_role_that_is_not_there(stage: Stage) -> None:
    stage.account.ram.detach_policy_from_role(
        ram_models.DetachPolicyFromRoleRequest(
            role_name="Operator", policy_type="System", policy_name=FULL_KMS
        )
    )
    stage.account.ram.delete_role(ram_models.DeleteRoleRequest(role_name="Operator"))
    error = refusal(stage.assume)
    assert (error.code, error.data["statusCode"]) == ("EntityNotExist.Role", 404)
    assert "The specified Role not exists." in error.message


def test_a_session_policy_narrows_what_the_role_may(stage: Stage) -> None:
    allowed = {"Effect": "Allow", "Action": ["kms:CreateKey", "ecs:*"], "Resource": "*"}
    policy = json.dumps({"Version": "1", "Statement": [allowed]})
    narrow, wide = stage.assume(policy=policy), stage.assume()
    key = narrow.kms().create_key(kms_models.CreateKeyRequest()).body.key_metadata
    request = kms_models.DescribeKeyRequest(key_id=key.key_id)
    error = refusal(lambda: narrow.kms().describe_key(request))
    assert error.code == "Forbidden.NoPermission"
    assert wide.kms().describe_key(request).body.key_metadata.key_id == key.key_id


def test_a_session_policy_adds_nothing_to_the_role(acksim: World, account: Account) -> None:
    alice = sts_of(account.user("alice", ASSUMING))
    account.ram.create_role(
        ram_models.CreateRoleRequest(
            role_name="Nobody", assume_role_policy_document=trust(f"acs:ram::{account.id}:root")
        )
    )
    allowed = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    policy = json.dumps({"Version": "1", "Statement": [allowed]})
    session = assume(acksim, alice, f"acs:ram::{account.id}:role/Nobody", policy=policy)
    error = refusal(lambda: session.kms().create_key(kms_models.CreateKeyRequest()))
    assert error.code == "Forbidden.NoPermission"


def test_a_session_ends_with_its_time_on_the_simulated_clock(acksim: World, stage: Stage) -> None:
    short, usual = stage.assume(duration_seconds=900), stage.assume()
    now = datetime.now(UTC)
    assert abs(short.expiration - now - timedelta(minutes=15)) < timedelta(seconds=30)
    assert abs(usual.expiration - now - timedelta(hours=1)) < timedelta(seconds=30)
    try:
        acksim.move_clock(advance="16m")
        assert refusal(short.sts().get_caller_identity).code == "InvalidSecurityToken.Expired"
        assert usual.sts().get_caller_identity().body.account_id == stage.account.id
        acksim.move_clock(advance="45m")
        assert refusal(usual.sts().get_caller_identity).code == "InvalidSecurityToken.Expired"
    finally:
        acksim.move_clock(reset=True)


@pytest.mark.parametrize(
    ("longest", "asked", "bounds"),
    [(3600, 3601, "15min/1hr"), (3600, 899, "15min/1hr"), (43200, 43201, "15min/12hr")],
)
def test_the_time_is_bounded_by_the_role(
    acksim: World, account: Account, longest: int, asked: int, bounds: str
) -> None:
    role = make_role(account, max_session_duration=longest)
    alice = sts_of(account.user("alice", ASSUMING))
    error = refusal(lambda: assume(acksim, alice, role, duration_seconds=asked))
    assert (error.code, error.data["statusCode"]) == ("InvalidParameter.DurationSeconds", 400)
    assert f"The Min/Max value of DurationSeconds is {bounds}." in error.message
    assert assume(acksim, alice, role, duration_seconds=longest).answer.credentials.expiration


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "no role": ({"role_arn": None}, "MissingRoleArn", "RoleArn is mandatory for this action."),
    "no session": (
        {"role_session_name": ""},
        "MissingRoleSessionName",
        "RoleSessionName is mandatory for this action.",
    ),
    "no ARN": (
        {"role_arn": "Operator"},
        "InvalidParameter.RoleArn",
        "The parameter RoleArn is wrongly formed.",
    ),
    "one letter": (
        {"role_session_name": "a"},
        "InvalidParameter.RoleSessionName",
        "The parameter RoleSessionName is wrongly formed.",
    ),
    "a space": (
        {"role_session_name": "night shift"},
        "InvalidParameter.RoleSessionName",
        "The parameter RoleSessionName is wrongly formed.",
    ),
    "no JSON": (
        {"policy": "allow all"},
        "InvalidParameter.PolicyGrammar",
        "The parameter Policy has not passed grammar check.",
    ),
    "no policy": (
        {"policy": '{"Version": "1", "Statement": [{"Effect": "Maybe"}]}'},
        "InvalidParameter.PolicyGrammar",
        "The parameter Policy has not passed grammar check.",
    ),
    "too long a policy": ({"policy": " " * 2049}, "InvalidParameter.PolicySize", "Policy"),
    "a short external id": ({"external_id": "x"}, "InvalidParameter.ExternalId", "ExternalId"),
    "an odd external id": ({"external_id": "x y"}, "InvalidParameter.ExternalId", "ExternalId"),
    "an odd source identity": (
        {"source_identity": "a:b"},
        "InvalidParameter.SourceIdentity",
        "SourceIdentity",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_refusals_have_the_products_codes(acksim: World, stage: Stage, case: str) -> None:
    changes, code, text = WRONG[case]
    parameters = {"role_arn": stage.role_arn, **changes}
    error = refusal(lambda: assume(acksim, sts_of(stage.user), **parameters))
    assert (error.code, error.data["statusCode"]) == (code, 400)
    assert text in error.message


def test_a_trust_with_an_external_id_wants_it(acksim: World, account: Account) -> None:
    document = trust(f"acs:ram::{account.id}:root", StringEquals={"sts:ExternalId": "contract:17"})
    role = make_role(account, assume_role_policy_document=document)
    alice = sts_of(account.user("alice", ASSUMING))
    for given in ({}, {"external_id": "contract:18"}):
        error = refusal(partial(assume, acksim, alice, role, **given))
        assert error.data["AccessDeniedDetail"]["PolicyType"] == "AssumeRolePolicy"
    assert assume(acksim, alice, role, external_id="contract:17").answer.credentials


def test_a_source_identity_stays_with_the_sessions_that_follow(
    acksim: World, account: Account
) -> None:
    first, second = (make_role(account, name) for name in ("First", "Second"))
    account.ram.attach_policy_to_role(
        ram_models.AttachPolicyToRoleRequest(role_name="First", **ASSUMING)
    )
    alice = sts_of(account.user("alice", ASSUMING))
    session = assume(acksim, alice, first, source_identity="alice")
    assert session.answer.source_identity == "alice"
    chained = assume(acksim, session.sts(), second)
    assert chained.answer.source_identity == "alice"
    assert chained.answer.assumed_role_user.arn.endswith(":role/second/night-shift")
    error = refusal(lambda: assume(acksim, session.sts(), second, source_identity="bob"))
    assert (error.code, error.data["statusCode"]) == ("NoPermission", 403)
    assert assume(acksim, alice, first).answer.source_identity is None


def test_a_role_that_trusts_another_account_lets_its_users_in(
    acksim: World, account: Account
) -> None:
    other = new_account(acksim)
    document = trust(f"acs:ram::{other.id}:root")
    role = make_role(account, assume_role_policy_document=document)
    own = sts_of(account.user("alice", ASSUMING))
    assert refusal(lambda: assume(acksim, own, role)).code == "NoPermission"
    session = assume(acksim, sts_of(other.user("bob", ASSUMING)), role)
    assert session.sts().get_caller_identity().body.account_id == account.id


def spoilt(token: str) -> str:
    return token[:-1] + ("A" if token[-1] != "A" else "B")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda _: "", "MissingSecurityToken"),
        (spoilt, "InvalidSecurityToken.MismatchWithAccessKey"),
    ],
)
def test_a_temporary_key_wants_its_token(
    stage: Stage, change: Callable[[str], str], code: str
) -> None:
    session = stage.assume()
    token = change(session.answer.credentials.security_token)
    kms = session.kms(security_token=token)
    assert refusal(lambda: kms.create_key(kms_models.CreateKeyRequest())).code == code

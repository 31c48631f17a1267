"""A role session outlives the process that began it, and ends when it was told to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acksim.clients.alibaba import ApiClient, ApiRefusedError, Signer

RAM, STS = "2015-05-01", "2015-04-01"


def user_and_role(endpoint: str) -> tuple[Signer, str]:
    """A user who may take on a role, and its ARN."""
    owner = ApiClient(endpoint, Signer.of_root(), version=RAM)
    owner.call("CreateUser", UserName="alice")
    key = owner.call("CreateAccessKey", UserName="alice")["AccessKey"]
    owner.call(
        "AttachPolicyToUser",
        UserName="alice",
        PolicyType="System",
        PolicyName="AliyunSTSAssumeRoleAccess",
    )
    trust = (
        '{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",'
        '"Principal":{"RAM":["acs:ram::1000000000000001:user/alice"]}}]}'
    )
    role = owner.call("CreateRole", RoleName="Clerk", AssumeRolePolicyDocument=trust)["Role"]
    return Signer(key["AccessKeyId"], key["AccessKeySecret"]), role["Arn"]


def test_a_session_is_there_after_a_kill_until_its_end(
    emulator: Callable[..., Any], tmp_path: Path
) -> None:
    with emulator(tmp_path) as first:
        alice, role_arn = user_and_role(first.wait().endpoint)
        sts = ApiClient(first.endpoint, alice, version=STS)
        keys = sts.call(
            "AssumeRole", RoleArn=role_arn, RoleSessionName="desk", DurationSeconds=900
        )["Credentials"]
        first.kill()
    session = Signer(keys["AccessKeyId"], keys["AccessKeySecret"], keys["SecurityToken"])
    with emulator(tmp_path) as second:
        me = ApiClient(second.wait().endpoint, session, version=STS)
        arn = me.call("GetCallerIdentity")["Arn"]
        second.post("/_sim/clock", {"advance": "15m"})
        with pytest.raises(ApiRefusedError, match=r"InvalidSecurityToken\.Expired"):
            me.call("GetCallerIdentity")
    assert arn == "acs:sts::1000000000000001:assumed-role/clerk/desk"

"""Roles by the unmodified official SDK, above all the one that Container Service uses."""

import json

import pytest
from alibabacloud_kms20160120 import models as kms
from alibabacloud_ram20150501 import models

from acksim.clients.world import World, WorldError
from tests.contract.ram.conftest import Account, new_account, refusal

ROLE = "AliyunCSManagedSecurityRole"
TRUST = (
    '{"Statement":[{"Action":"sts:AssumeRole","Effect":"Allow",'
    '"Principal":{"Service":["cs.aliyuncs.com"]}}],"Version":"1"}'
)
POLICY = {"policy_type": "System", "policy_name": "AliyunCSManagedSecurityRolePolicy"}


def test_the_role_that_container_service_uses(account: Account) -> None:
    ram = account.ram
    role = ram.get_role(models.GetRoleRequest(role_name=ROLE.lower())).body.role
    assert role.role_name == ROLE
    assert role.arn == f"acs:ram::{account.id}:role/aliyuncsmanagedsecurityrole"
    assert role.assume_role_policy_document == TRUST
    assert role.description == "CS will use this role to access your resources in other services."
    assert (role.max_session_duration, role.is_service_linked_role) == (3600, False)
    [held] = ram.list_policies_for_role(
        models.ListPoliciesForRoleRequest(role_name=ROLE)
    ).body.policies.policy
    assert (held.policy_name, held.policy_type, held.default_version) == (
        "AliyunCSManagedSecurityRolePolicy",
        "System",
        "v1",
    )
    version = ram.get_policy(models.GetPolicyRequest(**POLICY)).body.default_policy_version
    [statement] = json.loads(version.policy_document)["Statement"]
    assert (statement["Effect"], statement["Resource"]) == ("Allow", ["*"])
    assert set(statement["Action"]) == {
        "kms:GetSecretValue",
        "kms:ListSecrets",
        "kms:ListKeys",
        "kms:ListSecretVersionIds",
        "kms:ListAliasesByKeyId",
        "kms:SetDeletionProtection",
        "kms:DescribeKey",
        "kms:Encrypt",
        "kms:Decrypt",
    }


def test_without_the_role_no_cluster_gets_a_key_and_with_it_one_does(acksim: World) -> None:
    """What the console's authorization page does, by API: CreateRole and AttachPolicyToRole."""
    account = new_account(acksim, authorized=False)
    key = account.owner.kms().create_key(kms.CreateKeyRequest()).body.key_metadata.key_id
    with pytest.raises(WorldError, match=r"EntityNotExist\.Role|role not exists"):
        acksim.create_cluster("early", account_id=account.id, key_id=key)
    account.ram.create_role(
        models.CreateRoleRequest(role_name=ROLE, assume_role_policy_document=TRUST)
    )
    with pytest.raises(WorldError, match=r"Forbidden\.NoPermission"):
        acksim.create_cluster("early", account_id=account.id, key_id=key)
    account.ram.attach_policy_to_role(models.AttachPolicyToRoleRequest(role_name=ROLE, **POLICY))
    cluster = acksim.create_cluster("late", account_id=account.id, key_id=key)
    acksim.delete_cluster(cluster["cluster_id"])


def test_a_roles_life(account: Account) -> None:
    ram = account.ram
    trust = json.dumps(
        {
            "Version": "1",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "sts:AssumeRole",
                    "Principal": {"RAM": f"acs:ram::{account.id}:root"},
                }
            ],
        }
    )
    made = ram.create_role(
        models.CreateRoleRequest(
            role_name="Ops.Team",
            assume_role_policy_document=trust,
            description="operators",
            max_session_duration=7200,
            tag=[models.CreateRoleRequestTag(key="team", value="ops")],
        )
    ).body.role
    assert (made.role_name, made.arn) == ("Ops.Team", f"acs:ram::{account.id}:role/ops.team")
    assert (made.max_session_duration, made.assume_role_policy_document) == (7200, trust)
    again = models.CreateRoleRequest(role_name="ops.team", assume_role_policy_document=trust)
    assert refusal(lambda: ram.create_role(again)).code == "EntityAlreadyExists.Role"
    tag = models.ListRolesRequestTag(key="team")
    [listed] = ram.list_roles(models.ListRolesRequest(tag=[tag])).body.roles.role
    assert (listed.role_id, listed.tags.tag[0].tag_value) == (made.role_id, "ops")
    assert "AssumeRolePolicyDocument" not in listed.to_map()
    changed = ram.update_role(
        models.UpdateRoleRequest(
            role_name="Ops.Team", new_description="", new_assume_role_policy_document=TRUST
        )
    ).body.role
    assert (changed.description, changed.assume_role_policy_document) == ("", TRUST)
    assert changed.max_session_duration == 7200
    ram.attach_policy_to_role(models.AttachPolicyToRoleRequest(role_name="ops.team", **POLICY))
    gone = models.DeleteRoleRequest(role_name="Ops.Team")
    error = refusal(lambda: ram.delete_role(gone))
    assert (error.code, error.data["statusCode"]) == ("DeleteConflict.Role.Policy", 409)
    ram.detach_policy_from_role(models.DetachPolicyFromRoleRequest(role_name="Ops.Team", **POLICY))
    ram.delete_role(gone)
    error = refusal(lambda: ram.get_role(models.GetRoleRequest(role_name="Ops.Team")))
    assert (error.code, error.data["statusCode"]) == ("EntityNotExist.Role", 404)
    assert f"The role not exists: acs:ram::{account.id}:role/ops.team" in error.message


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ("{", "not JSON"),
        ('{"Version":"1"}', "Statement: is missing"),
        (TRUST.replace('"cs.aliyuncs.com"', '"cs"'), "Statement[0].Principal.Service[0]"),
        (TRUST.replace('"Version":"1"', '"Version":"2"'), "Version"),
        (TRUST.replace("sts:AssumeRole", "kms:Decrypt"), "Statement[0].Action"),
    ],
)
def test_a_trust_that_cannot_be_obeyed_is_refused(
    account: Account, document: str, place: str
) -> None:
    request = models.CreateRoleRequest(role_name="ops", assume_role_policy_document=document)
    error = refusal(lambda: account.ram.create_role(request))
    assert (error.code, error.data["statusCode"]) == ("MalformedPolicyDocument", 400)
    assert place in error.message

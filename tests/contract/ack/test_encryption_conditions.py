"""UpdateKMSEncryption and `encryption_provider_key`: each condition, and the error it has.

The names follow the sentences of the two documentation pages, "Use KMS to encrypt Kubernetes
Secrets" of 2021 and of 2026.
"""

from collections.abc import Callable
from typing import Any

import pytest
from alibabacloud_cs20151215 import models

from tests.contract.ack.conftest import Account
from tests.contract.ack.people import RamUser, new_user

Refused = Callable[..., Any]
Request = models.UpdateKMSEncryptionRequest

# The policy of the 2026 page, as it stands there.
DENY = {
    "Action": ["cs:UpdateKMSEncryption"],
    "Effect": "Deny",
    "Resource": ["*"],
}


@pytest.fixture
def operator(account: Account) -> RamUser:
    """A RAM user whom RAM lets do everything with clusters."""
    return new_user(account, "operator", "AliyunCSFullAccess")


def grant(account: Account, user: RamUser, cluster_id: str, role: str) -> None:
    item = models.GrantPermissionsRequestBody(
        cluster=cluster_id, role_type="cluster", role_name=role
    )
    account.client().grant_permissions(user.uid, models.GrantPermissionsRequest(body=[item]))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"cluster_spec": "ack.standard"}, "ErrorClusterSpecNotSupported"),
        ({"cluster_spec": ""}, "ErrorClusterSpecNotSupported"),
        ({"profile": "Serverless", "cluster_spec": "ack.standard"}, "ErrorClusterSpecNotSupported"),
        ({"profile": "Edge"}, "ErrorClusterSpecNotSupported"),
        ({"cluster_type": "Kubernetes"}, "ErrorClusterSpecNotSupported"),
        ({"profile": "Serverless"}, ""),
        ({"cluster_spec": "ack.pro.xlarge"}, ""),
    ],
)
def test_secret_encryption_is_supported_only_on_pro_and_serverless_pro_clusters(
    account: Account, client: Any, refused: Refused, fields: dict[str, str], code: str
) -> None:
    key_id = account.new_key()
    cluster_id = account.new_cluster(**fields)
    request = Request(kms_key_id=key_id, disable_encryption=False)
    creation = models.CreateClusterRequest(
        **{"name": "shop", "cluster_spec": "ack.pro.small", **fields},
        encryption_provider_key=key_id,
    )
    if code:
        assert refused(client.update_kmsencryption, cluster_id, request).code == code
        assert refused(client.create_cluster, creation).code == code
        assert client.describe_cluster_detail(cluster_id).body.state == "running"
    else:
        client.update_kmsencryption(cluster_id, request)
        account.wait_for(cluster_id, "running")
        client.create_cluster(creation)


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"KeySpec": "RSA_2048"}, "InvalidKMSKey.KeySpec"),
        ({"KeySpec": "RSA_2048", "KeyUsage": "SIGN/VERIFY"}, "InvalidKMSKey.KeySpec"),
        ({"Origin": "EXTERNAL"}, "InvalidKMSKey.KeyState"),
    ],
)
def test_only_keys_of_the_type_aliyun_aes_256_are_supported(
    account: Account, client: Any, refused: Refused, parameters: dict[str, str], code: str
) -> None:
    wrong, cluster_id = account.new_key(**parameters), account.new_cluster()
    request = Request(kms_key_id=wrong, disable_encryption=False)
    assert refused(client.update_kmsencryption, cluster_id, request).code == code
    creation = models.CreateClusterRequest(
        name="shop", cluster_spec="ack.pro.small", encryption_provider_key=wrong
    )
    assert refused(client.create_cluster, creation).code == code


def test_the_key_has_to_be_there_and_usable(
    account: Account, client: Any, refused: Refused
) -> None:
    key_id, cluster_id = account.new_key(), account.new_cluster()

    def code(key: str) -> str:
        request = Request(kms_key_id=key, disable_encryption=False)
        error = refused(client.update_kmsencryption, cluster_id, request)
        assert error.status_code == 400
        return str(error.code)

    assert code("") == "InvalidParameter"
    assert code("0" * 8 + "-0000-0000-0000-" + "0" * 12) == "InvalidKMSKey.NotFound"
    assert code("alias/nobody") == "InvalidKMSKey.NotFound"
    account.kms.call("DisableKey", KeyId=key_id)
    assert code(key_id) == "InvalidKMSKey.KeyState"
    account.kms.call("EnableKey", KeyId=key_id)
    account.kms.call("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    assert code(key_id) == "InvalidKMSKey.KeyState"
    assert client.describe_cluster_detail(cluster_id).body.state == "running"


def test_the_key_is_in_the_same_region_as_the_cluster(
    account: Account, client: Any, refused: Refused
) -> None:
    elsewhere = account.new_key(RegionId="cn-beijing")
    cluster_id = account.new_cluster()
    arn = f"acs:kms:cn-beijing:{account.id}:key/{elsewhere}"
    for key, code in ((elsewhere, "InvalidKMSKey.NotFound"), (arn, "InvalidKMSKey.Region")):
        request = Request(kms_key_id=key, disable_encryption=False)
        assert refused(client.update_kmsencryption, cluster_id, request).code == code


def test_an_alias_and_an_arn_name_a_key_as_well(account: Account, client: Any) -> None:
    key_id = account.new_key()
    account.kms.call("CreateAlias", AliasName="alias/shop", KeyId=key_id)
    cluster_id = account.new_cluster(encryption_provider_key="alias/shop")
    assert key_id in client.describe_cluster_detail(cluster_id).body.meta_data


def test_the_account_is_prompted_to_authorize_the_role_first(
    account: Account, client: Any, refused: Refused
) -> None:
    key_id, cluster_id = account.new_key(), account.new_cluster()
    role, policy = "AliyunCSManagedSecurityRole", "AliyunCSManagedSecurityRolePolicy"
    attached = {"PolicyName": policy, "PolicyType": "System", "RoleName": role}
    account.ram("DetachPolicyFromRole", **attached)
    account.ram("DeleteRole", RoleName=role)
    request = Request(kms_key_id=key_id, disable_encryption=False)
    error = refused(client.update_kmsencryption, cluster_id, request)
    assert (error.status_code, error.code) == (400, "ErrManagedSecurityRoleNotAttach")
    assert "please complete the security ramrole authorization at https://" in error.message


@pytest.mark.parametrize("role", ["admin", "ops"])
def test_a_ram_user_has_the_administrator_or_om_engineer_role(
    account: Account, operator: RamUser, refused: Refused, role: str
) -> None:
    key_id, cluster_id = account.new_key(), account.new_cluster()
    client = operator.door.client()
    request = Request(kms_key_id=key_id, disable_encryption=False)
    error = refused(client.update_kmsencryption, cluster_id, request)
    assert (error.status_code, error.code) == (403, "ForbiddenUpdateKMSState")
    grant(account, operator, cluster_id, "dev")
    error = refused(client.update_kmsencryption, cluster_id, request)
    assert error.code == "ForbiddenUpdateKMSState"
    grant(account, operator, cluster_id, role)
    client.update_kmsencryption(cluster_id, request)
    account.wait_for(cluster_id, "running")


def test_the_creator_of_a_cluster_may_encrypt_it(account: Account, operator: RamUser) -> None:
    key_id = account.new_key()
    cluster_id = operator.door.new_cluster()
    [own] = operator.door.client().describe_user_permission(operator.uid).body
    assert (own.resource_id, own.is_owner, own.role_type) == (cluster_id, 1, "admin")
    request = Request(kms_key_id=key_id, disable_encryption=False)
    operator.door.client().update_kmsencryption(cluster_id, request)
    account.wait_for(cluster_id, "running")


def test_the_deny_policy_of_the_page_blocks_enabling_and_disabling(
    account: Account, operator: RamUser, refused: Refused
) -> None:
    plain, sealed = (
        account.new_cluster(),
        account.new_cluster(encryption_provider_key=account.new_key()),
    )
    for cluster_id in (plain, sealed):
        item = models.UpdateUserPermissionsRequestBody(
            cluster=cluster_id, role_type="cluster", role_name="admin"
        )
        account.client().update_user_permissions(
            operator.uid, models.UpdateUserPermissionsRequest(mode="patch", body=[item])
        )
    operator.attach_statement("no-switching", DENY)
    enabling = Request(kms_key_id=account.new_key(), disable_encryption=False)
    disabling = Request(disable_encryption=True)
    for cluster_id, request in ((plain, enabling), (sealed, disabling)):
        error = refused(operator.door.client().update_kmsencryption, cluster_id, request)
        assert (error.status_code, error.code) == (403, "StatusForbidden")
        assert "RAM policy Forbidden for action cs:UpdateKMSEncryption" in error.message
        detail = error.data["accessDeniedDetail"]
        assert detail["NoPermissionType"] == "ExplicitDeny"
        assert detail["AuthPrincipalDisplayName"] == operator.uid
        assert account.client().describe_cluster_detail(cluster_id).body.state == "running"
    operator.door.client().describe_cluster_detail(plain)  # all else stays allowed


def test_a_ram_user_needs_the_action_at_all(account: Account, refused: Refused) -> None:
    reader = new_user(account, "reader", "AliyunCSReadOnlyAccess")
    cluster_id = account.new_cluster()
    grant(account, reader, cluster_id, "admin")
    reader.door.client().describe_cluster_detail(cluster_id)
    error = refused(
        reader.door.client().update_kmsencryption, cluster_id, Request(disable_encryption=True)
    )
    assert error.code == "StatusForbidden"
    assert error.data["accessDeniedDetail"]["NoPermissionType"] == "ImplicitDeny"


def test_nothing_is_switched_while_a_switch_goes_on_or_within_five_minutes(
    account: Account, client: Any, refused: Refused
) -> None:
    first, second = account.new_key(), account.new_key()
    cluster_id = account.new_cluster()
    account.world.move_clock(freeze=True)
    client.update_kmsencryption(cluster_id, Request(kms_key_id=first, disable_encryption=False))
    again = Request(kms_key_id=second, disable_encryption=False)
    error = refused(client.update_kmsencryption, cluster_id, again)
    assert (error.status_code, error.code) == (400, "ErrorClusterState")
    account.wait_for(cluster_id, "running")
    assert refused(client.update_kmsencryption, cluster_id, again).code == (
        "ErrorUpdateKMSTooFrequent"
    )
    account.world.move_clock(advance="299s")
    error = refused(client.update_kmsencryption, cluster_id, again)
    assert error.code == "ErrorUpdateKMSTooFrequent"
    account.world.move_clock(advance="1s")
    same = Request(kms_key_id=first, disable_encryption=False)
    assert refused(client.update_kmsencryption, cluster_id, same).code == "InvalidParameter"
    client.update_kmsencryption(cluster_id, again)
    account.wait_for(cluster_id, "running")


def test_what_is_not_encrypted_cannot_be_switched_off(
    account: Account, client: Any, refused: Refused
) -> None:
    cluster_id = account.new_cluster()
    error = refused(client.update_kmsencryption, cluster_id, Request(disable_encryption=True))
    assert error.code == "InvalidParameter"

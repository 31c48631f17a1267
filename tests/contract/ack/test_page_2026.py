"""The page of March 2026, "Use KMS to encrypt Kubernetes Secrets", one test for each thing it says.

In the page's order: prerequisites, limitations, a new and an existing cluster, rotation, FAQ. What
it shares with the older page is in test_page_2021.py.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from alibabacloud_cs20151215 import models
from alibabacloud_ram20150501 import models as ram_models
from kubernetes.client import ApiException

from acksim.clients.world import World
from tests.contract.ack.conftest import Account
from tests.contract.ack.people import Secrets, new_role_session, new_user, primary_version, ram_of
from tests.contract.ack.test_page_2021 import encrypted_with, switch
from tests.contract.ack.waiting import wait_until

Refused = Callable[..., Any]
PASSWORD = {"password": "aHVudGVyMg=="}
# As the FAQ has it, pasted.
DENY = json.loads("""
{
    "Action": [
        "cs:UpdateKMSEncryption"
    ],
    "Effect": "Deny",
    "Resource": [
        "*"
    ]
}
""")


def readable(secrets: Secrets, name: str) -> bool:
    try:
        return secrets.read(name) == PASSWORD
    except ApiException:
        return False


# Prerequisites


def test_the_key_has_to_be_in_the_region_of_the_cluster(
    account: Account, client: Any, refused: Refused
) -> None:
    cluster_id = account.new_cluster()
    elsewhere = account.kms.call("CreateKey", RegionId="cn-beijing")["KeyMetadata"]
    by_arn = refused(client.update_kmsencryption, cluster_id, switch(elsewhere["Arn"]))
    assert by_arn.code == "InvalidKMSKey.Region"
    by_id = refused(client.update_kmsencryption, cluster_id, switch(elsewhere["KeyId"]))
    assert by_id.code == "InvalidKMSKey.NotFound"


@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"DKMSInstanceId": "kst-acksim-software"},
        {"DKMSInstanceId": "kst-acksim-hardware"},
        {"ProtectionLevel": "HSM"},
    ],
    ids=["default", "software-protected", "hardware-protected", "classic HSM"],
)
def test_default_software_and_hardware_protected_keys_are_supported(
    account: Account, kind: dict[str, str]
) -> None:
    key_id = account.new_key(**kind)
    cluster_id = account.new_cluster(encryption_provider_key=key_id)
    secrets = Secrets(account, cluster_id)
    secrets.create("app1")
    assert secrets.sealed("app1").key_version == primary_version(account, key_id)
    assert secrets.read("app1") == PASSWORD


# Limitations


@pytest.mark.parametrize(
    ("fields", "supported"),
    [
        ({"cluster_spec": "ack.pro.small"}, True),
        ({"cluster_spec": "ack.pro.small", "profile": "Serverless"}, True),
        ({"cluster_spec": "ack.standard"}, False),
        ({"cluster_spec": "ack.standard", "profile": "Serverless"}, False),
        ({"cluster_spec": "ack.pro.small", "profile": "Edge"}, False),
        ({"cluster_spec": "", "cluster_type": "Kubernetes"}, False),
    ],
)
def test_only_pro_and_serverless_pro_clusters_support_it(
    account: Account, client: Any, refused: Refused, fields: dict[str, str], supported: bool
) -> None:
    key_id = account.new_key()
    if supported:
        cluster_id = account.new_cluster(encryption_provider_key=key_id, **fields)
        assert encrypted_with(client.describe_cluster_detail(cluster_id).body) == key_id
        return
    wanted = models.CreateClusterRequest(name="shop", encryption_provider_key=key_id, **fields)
    assert refused(client.create_cluster, wanted).code == "ErrorClusterSpecNotSupported"
    cluster_id = account.new_cluster(**fields)
    later = refused(client.update_kmsencryption, cluster_id, switch(key_id))
    assert later.code == "ErrorClusterSpecNotSupported"


def test_a_disabled_key_keeps_secrets_and_service_account_objects_from_the_api_server(
    account: Account, client: Any
) -> None:
    key_id = account.new_key()
    cluster_id = account.new_cluster(encryption_provider_key=key_id)
    secrets = Secrets(account, cluster_id)
    secrets.create("app1")
    token = {
        "metadata": {
            "name": "token",
            "annotations": {"kubernetes.io/service-account.name": "default"},
        },
        "type": "kubernetes.io/service-account-token",
    }
    secrets.api.create_namespaced_secret("default", token)
    account.kms.call("DisableKey", KeyId=key_id)
    account.world.restart_cluster(cluster_id)
    for name in ("app1", "token"):
        with pytest.raises(ApiException) as raised:
            secrets.api.read_namespaced_secret(name, "default")
        assert raised.value.status == 500
    with pytest.raises(ApiException):
        secrets.api.list_namespaced_secret("default")
    detail = account.wait_for(cluster_id, "unavailable")
    assert encrypted_with(detail) == key_id
    account.kms.call("EnableKey", KeyId=key_id)
    account.wait_for(cluster_id, "running")
    wait_until(lambda: readable(secrets, "app1"), "the Secret does not come back")
    assert client.describe_cluster_detail(cluster_id).body.state == "running"


def test_a_deleted_key_takes_its_secrets_along(account: Account) -> None:
    key_id = account.new_key()
    cluster_id = account.new_cluster(encryption_provider_key=key_id)
    secrets = Secrets(account, cluster_id)
    secrets.create("app1")
    account.kms.call("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays="7")
    account.world.move_clock(advance="8d")
    account.world.restart_cluster(cluster_id)
    with pytest.raises(ApiException):
        secrets.read("app1")
    with pytest.raises(Exception, match=r"Forbidden\.KeyNotFound"):
        account.kms.call("CancelKeyDeletion", KeyId=key_id)
    with pytest.raises(ApiException):
        secrets.create("app2")


# An existing cluster


def test_the_first_time_the_role_is_authorized_by_whoever_may_manage_ram(
    acksim: World, refused: Refused
) -> None:
    made = acksim.new_account(authorized=False)
    account = Account(acksim, made["account_id"], made["access_key_id"], made["access_key_secret"])
    key_id, client = account.new_key(), account.client()
    cluster_id = account.new_cluster()
    missing = refused(client.update_kmsencryption, cluster_id, switch(key_id))
    assert missing.code == "ErrManagedSecurityRoleNotAttach"
    role = models.CheckServiceRoleRequestRoles(name="AliyunCSManagedSecurityRole")
    check = models.CheckServiceRoleRequest(roles=[role])
    assert not client.check_service_role(check).body.roles[0].granted

    trust = {
        "Statement": [
            {
                "Action": "sts:AssumeRole",
                "Effect": "Allow",
                "Principal": {"Service": ["cs.aliyuncs.com"]},
            }
        ],
        "Version": "1",
    }
    create = ram_models.CreateRoleRequest(
        role_name="AliyunCSManagedSecurityRole", assume_role_policy_document=json.dumps(trust)
    )
    user = new_user(account, "admin")
    assert refused(ram_of(user.door).create_role, create).code == "NoPermission"
    user.attach("AliyunRAMFullAccess")
    ram_of(user.door).create_role(create)
    ram_of(user.door).attach_policy_to_role(
        ram_models.AttachPolicyToRoleRequest(
            policy_type="System",
            policy_name="AliyunCSManagedSecurityRolePolicy",
            role_name="AliyunCSManagedSecurityRole",
        )
    )
    assert client.check_service_role(check).body.roles[0].granted
    assert client.update_kmsencryption(cluster_id, switch(key_id)).status_code == 202
    assert encrypted_with(account.wait_for(cluster_id, "running")) == key_id
    acksim.delete_cluster(cluster_id)


def test_a_ram_role_must_be_administrator_or_operator_as_well(
    account: Account, client: Any, refused: Refused
) -> None:
    cluster_id, key_id = account.new_cluster(), account.new_key()
    role = new_role_session(account, "operators", "AliyunCSFullAccess")
    door = account.client(**role.credentials)
    error = refused(door.update_kmsencryption, cluster_id, switch(key_id))
    assert error.code == "ForbiddenUpdateKMSState"
    grant = models.GrantPermissionsRequestBody(
        cluster=cluster_id, role_type="cluster", role_name="ops", is_ram_role=True
    )
    client.grant_permissions(role.uid, models.GrantPermissionsRequest(body=[grant]))
    assert door.update_kmsencryption(cluster_id, switch(key_id)).status_code == 202
    assert encrypted_with(account.wait_for(cluster_id, "running")) == key_id


# Rotation


def test_rotation_reaches_new_secrets_and_old_ones_once_they_are_annotated(
    account: Account,
) -> None:
    key_id = account.new_key()
    secrets = Secrets(account, account.new_cluster(encryption_provider_key=key_id))
    secrets.create("old")
    first = primary_version(account, key_id)
    account.kms.call(
        "UpdateRotationPolicy",
        KeyId=key_id,
        EnableAutomaticRotation="True",
        RotationInterval="7d",
    )
    account.world.move_clock(advance="8d")
    second = wait_until(
        lambda: (now := primary_version(account, key_id)) != first and now, "no rotation"
    )
    secrets.create("new")
    assert secrets.sealed("new").key_version == second
    assert secrets.sealed("old").key_version == first
    annotation = {"metadata": {"annotations": {"encryption-key-rotation-time": "2026-05-01"}}}
    for item in secrets.api.list_secret_for_all_namespaces().items:
        secrets.api.patch_namespaced_secret(item.metadata.name, item.metadata.namespace, annotation)
    assert secrets.sealed("old").key_version == second
    assert secrets.read("old") == PASSWORD


# FAQ


def test_clients_always_see_plaintext_and_etcd_never_does(account: Account) -> None:
    secrets = Secrets(account, account.new_cluster(encryption_provider_key=account.new_key()))
    secrets.create("app1")
    assert secrets.read("app1") == PASSWORD
    assert b"hunter2" not in secrets.raw("app1")


def test_the_deny_policy_keeps_users_from_enabling_and_disabling(
    account: Account, refused: Refused
) -> None:
    key_id = account.new_key()
    off = account.new_cluster(profile="Serverless")
    on = account.new_cluster(profile="Serverless", encryption_provider_key=key_id)
    user = new_user(account, "ops")
    user.attach("AliyunCSFullAccess")
    for cluster_id in (off, on):
        grant = models.GrantPermissionsRequestBody(
            cluster=cluster_id, role_type="cluster", role_name="admin", is_custom=False
        )
        body = [grant]
        request = models.UpdateUserPermissionsRequest(body=body, mode="patch")
        account.client().update_user_permissions(user.uid, request)
    user.attach_statement("no-switching", DENY)
    door = user.door.client()
    enabling = refused(door.update_kmsencryption, off, switch(key_id))
    disabling = refused(door.update_kmsencryption, on, switch(None))
    for error in (enabling, disabling):
        assert error.status_code == 403
        assert error.code == "StatusForbidden"
        assert "no-switching" not in f"{error.message} {error.data}", "that is for the log"
    ram_of(account).detach_policy_from_user(
        ram_models.DetachPolicyFromUserRequest(
            policy_type="Custom", policy_name="no-switching", user_name=user.name
        )
    )
    assert door.update_kmsencryption(off, switch(key_id)).status_code == 202
    account.wait_for(off, "running")

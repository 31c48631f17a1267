"""The page of 2021, "Use KMS to encrypt Kubernetes Secrets", one test for each thing it says.

In the page's order: prerequisites, how it works, a new cluster, an existing one, switching off.
Where the newer page says otherwise, the newer one holds; docs/fidelity.md lists it.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from alibabacloud_cs20151215 import models
from kubernetes.client import ApiException

from tests.contract.ack.conftest import Account
from tests.contract.ack.people import Secrets, calls_by_the_role, new_user, primary_version

Refused = Callable[..., Any]
PASSWORD = "aHVudGVyMg=="


def switch(key_id: str | None) -> Any:
    return models.UpdateKMSEncryptionRequest(kms_key_id=key_id, disable_encryption=key_id is None)


def encrypted_with(detail: Any) -> str:
    return str(json.loads(detail.meta_data)["Capabilities"]["EncryptionKMSKeyId"])


# Prerequisites


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ({"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT/DECRYPT"}, "InvalidKMSKey.KeySpec"),
        ({"KeySpec": "EC_P256", "KeyUsage": "SIGN/VERIFY"}, "InvalidKMSKey.KeySpec"),
    ],
)
def test_only_keys_of_the_type_aliyun_aes_256_are_supported(
    account: Account, client: Any, refused: Refused, spec: dict[str, str], code: str
) -> None:
    key_id = account.new_key(**spec)
    cluster_id = account.new_cluster()
    assert refused(client.update_kmsencryption, cluster_id, switch(key_id)).code == code
    wanted = models.CreateClusterRequest(
        name="shop", cluster_spec="ack.pro.small", encryption_provider_key=key_id
    )
    assert refused(client.create_cluster, wanted).code == code


def test_an_unauthorized_account_is_asked_to_authorize_first(acksim: Any, refused: Refused) -> None:
    made = acksim.new_account(authorized=False)
    account = Account(acksim, made["account_id"], made["access_key_id"], made["access_key_secret"])
    key_id, client = account.new_key(), account.client()
    cluster_id = account.new_cluster()
    existing = refused(client.update_kmsencryption, cluster_id, switch(key_id))
    new = refused(
        client.create_cluster,
        models.CreateClusterRequest(
            name="shop", cluster_spec="ack.pro.small", encryption_provider_key=key_id
        ),
    )
    for error in (existing, new):
        assert error.code == "ErrManagedSecurityRoleNotAttach"
        assert "please complete the security ramrole authorization" in error.message
    acksim.delete_cluster(cluster_id)


def test_a_ram_user_needs_the_crypto_admin_policy_to_choose_a_key(
    account: Account, refused: Refused
) -> None:
    """The list of keys to choose from is KMS's, so the permission is asked for there."""
    key_id = account.new_key()
    user = new_user(account, "ops")
    describe = {"KeyId": key_id}
    with pytest.raises(Exception, match=r"Forbidden\.NoPermission"):
        user.door.kms.call("DescribeKey", **describe)
    user.attach("AliyunKMSCryptoAdminAccess")
    assert user.door.kms.call("DescribeKey", **describe)["KeyMetadata"]["KeyId"] == key_id


def test_kms_charges_for_calls_by_the_ten_thousand_and_for_keys(account: Account) -> None:
    key_id = account.new_key()
    for _ in range(3):
        account.kms.call("Encrypt", KeyId=key_id, Plaintext="AA==")
    account.world.move_clock(advance="2d")
    bill = account.world.bill(account_id=account.id)
    assert sum(item["calls"] for item in bill["items"]) == 3
    assert float(bill["items"][0]["amount"]) == pytest.approx(3 * 0.08 / 10_000)
    assert {item["key_id"] for item in bill["hosting"]} == {key_id}


def test_with_encryption_the_api_server_calls_kms_to_write_and_to_read(account: Account) -> None:
    cluster_id = account.new_cluster(encryption_provider_key=account.new_key())
    secrets = Secrets(account, cluster_id)
    before = len(calls_by_the_role(account, "Encrypt"))
    secrets.create("app1")
    assert len(calls_by_the_role(account, "Encrypt")) == before + 1
    account.world.restart_cluster(cluster_id)
    before = len(calls_by_the_role(account, "Decrypt"))
    assert secrets.read("app1") == {"password": PASSWORD}
    assert len(calls_by_the_role(account, "Decrypt")) > before


# How Secrets are encrypted and decrypted


def test_each_secret_has_a_random_dek_of_its_own_stored_beside_it_as_kms_sealed_it(
    account: Account,
) -> None:
    key_id = account.new_key()
    secrets = Secrets(account, account.new_cluster(encryption_provider_key=key_id))
    secrets.create("one")
    secrets.create("two")
    one, two = secrets.raw("one"), secrets.raw("two")
    assert b"hunter2" not in one + two
    prefix = b"k8s:enc:kms:v1:grpc-kms-provider:"
    lengths = {int.from_bytes(raw[len(prefix) :][:2]) for raw in (one, two)}
    assert len(lengths) == 1
    deks = [raw[len(prefix) + 2 :][: lengths.copy().pop()].decode() for raw in (one, two)]
    opened = [account.kms.call("Decrypt", CiphertextBlob=dek) for dek in deks]
    assert [each["KeyId"] for each in opened] == [key_id, key_id]
    assert opened[0]["Plaintext"] != opened[1]["Plaintext"]


def test_a_secret_is_read_by_having_kms_open_its_dek(account: Account) -> None:
    key_id = account.new_key()
    cluster_id = account.new_cluster(encryption_provider_key=key_id)
    secrets = Secrets(account, cluster_id)
    secrets.create("app1")
    account.kms.call("DisableKey", KeyId=key_id)
    account.world.restart_cluster(cluster_id)
    with pytest.raises(ApiException):
        secrets.read("app1")
    account.kms.call("EnableKey", KeyId=key_id)
    assert secrets.read("app1") == {"password": PASSWORD}


# A new cluster


def test_a_new_pro_cluster_is_encrypted_with_the_key_that_was_selected(
    account: Account, client: Any
) -> None:
    key_id = account.new_key()
    cluster_id = account.new_cluster(encryption_provider_key=key_id)
    assert encrypted_with(client.describe_cluster_detail(cluster_id).body) == key_id
    secrets = Secrets(account, cluster_id)
    secrets.create("app1")
    assert secrets.sealed("app1").key_version == primary_version(account, key_id)


def test_the_trail_shows_encryption_and_decryption_by_the_assumed_role(account: Account) -> None:
    cluster_id = account.new_cluster(encryption_provider_key=account.new_key())
    secrets = Secrets(account, cluster_id)
    secrets.create("app1")
    account.world.restart_cluster(cluster_id)
    secrets.read("app1")
    for action in ("Encrypt", "Decrypt"):
        assert calls_by_the_role(account, action), action


# An existing cluster


def test_switching_on_goes_from_updating_to_running(account: Account, client: Any) -> None:
    cluster_id, key_id = account.new_cluster(), account.new_key()
    begun = client.update_kmsencryption(cluster_id, switch(key_id))
    assert begun.status_code == 202
    detail = account.wait_for(cluster_id, "running")
    assert encrypted_with(detail) == key_id
    events = client.describe_cluster_events(
        cluster_id, models.DescribeClusterEventsRequest()
    ).body.events
    reasons = [event.data.reason for event in events]
    assert {"KMSEncryptionUpdating", "KMSEncryptionUpdated"} <= set(reasons)
    secrets = Secrets(account, cluster_id)
    secrets.create("app1")
    assert secrets.sealed("app1").key_version == primary_version(account, key_id)


@pytest.mark.parametrize(
    ("role", "allowed"), [("admin", True), ("ops", True), ("dev", False), (None, False)]
)
def test_a_ram_user_must_be_administrator_or_operator_to_switch_on(
    account: Account, refused: Refused, role: str | None, allowed: bool
) -> None:
    cluster_id, key_id = account.new_cluster(), account.new_key()
    user = new_user(account, "ops")
    user.attach("AliyunCSFullAccess")
    if role is not None:
        namespaced = role == "dev"
        grant = models.GrantPermissionsRequestBody(
            cluster=cluster_id,
            role_type="namespace" if namespaced else "cluster",
            role_name=role,
            namespace="default" if namespaced else None,
            is_custom=False,
        )
        account.client().grant_permissions(user.uid, models.GrantPermissionsRequest(body=[grant]))
    update = user.door.client().update_kmsencryption
    if allowed:
        assert update(cluster_id, switch(key_id)).status_code == 202
        assert encrypted_with(account.wait_for(cluster_id, "running")) == key_id
    else:
        assert refused(update, cluster_id, switch(key_id)).code == "ForbiddenUpdateKMSState"


# Switching off


def test_switching_off_goes_from_updating_to_running(account: Account, client: Any) -> None:
    key_id = account.new_key()
    cluster_id = account.new_cluster(encryption_provider_key=key_id)
    secrets = Secrets(account, cluster_id)
    secrets.create("before")
    assert client.update_kmsencryption(cluster_id, switch(None)).status_code == 202
    assert encrypted_with(account.wait_for(cluster_id, "running")) == ""
    secrets.create("after")
    assert secrets.sealed("after").plain
    stays = secrets.sealed("before").key_version
    assert stays == primary_version(account, key_id), "what is stored stays until it is rewritten"
    assert secrets.read("before") == secrets.read("after") == {"password": PASSWORD}


def test_a_ram_user_must_be_administrator_or_operator_to_switch_off(
    account: Account, refused: Refused
) -> None:
    cluster_id = account.new_cluster(encryption_provider_key=account.new_key())
    user = new_user(account, "ops")
    user.attach("AliyunCSFullAccess")
    error = refused(user.door.client().update_kmsencryption, cluster_id, switch(None))
    assert error.code == "ForbiddenUpdateKMSState"

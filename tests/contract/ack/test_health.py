"""The state of a cluster follows the truth: without its key it is `unavailable`, and says why."""

from typing import Any

import pytest
from alibabacloud_cs20151215 import models
from kubernetes.client.exceptions import ApiException

from tests.contract.ack.conftest import Account
from tests.contract.ack.kubeconfigs import core_v1


def newest_event(client: Any, cluster_id: str) -> Any:
    events = client.describe_cluster_events(cluster_id, models.DescribeClusterEventsRequest())
    return events.body.events[0]


def test_if_the_key_becomes_unavailable_the_cluster_is_and_comes_back(
    account: Account, client: Any
) -> None:
    key_id = account.new_key()
    cluster_id = account.new_cluster(encryption_provider_key=key_id)
    account.kms.call("DisableKey", KeyId=key_id)
    with core_v1(client, cluster_id) as api, pytest.raises(ApiException):
        api.create_namespaced_secret("default", {"metadata": {"name": "app1"}})
    account.wait_for(cluster_id, "unavailable")
    event = newest_event(client, cluster_id)
    assert (event.data.level, event.data.reason) == ("error", "KMSKeyUnavailable")
    assert f"key {key_id} is Disabled; enable it" in event.data.message
    account.kms.call("EnableKey", KeyId=key_id)
    account.wait_for(cluster_id, "running")
    event = newest_event(client, cluster_id)
    assert (event.data.level, event.data.reason) == ("info", "ClusterRecovered")


def test_a_look_each_minute_finds_out_even_if_nobody_asks_for_a_secret(
    account: Account, client: Any
) -> None:
    key_id = account.new_key()
    cluster_id = account.new_cluster(encryption_provider_key=key_id)
    account.kms.call("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    account.world.move_clock(advance="61s")
    account.wait_for(cluster_id, "unavailable")
    assert "PendingDeletion" in newest_event(client, cluster_id).data.message
    account.world.move_clock(advance="8d")
    request = models.UpdateKMSEncryptionRequest(disable_encryption=True)
    with pytest.raises(Exception, match="is unavailable"):
        client.update_kmsencryption(cluster_id, request)
    client.delete_cluster(cluster_id, models.DeleteClusterRequest())
    account.wait_until_gone(cluster_id)


def test_a_cluster_whose_role_is_gone_says_so(account: Account, client: Any) -> None:
    cluster_id = account.new_cluster(encryption_provider_key=account.new_key())
    role, policy = "AliyunCSManagedSecurityRole", "AliyunCSManagedSecurityRolePolicy"
    account.ram("DetachPolicyFromRole", PolicyName=policy, PolicyType="System", RoleName=role)
    account.world.move_clock(advance="61s")
    account.wait_for(cluster_id, "unavailable")
    assert "AliyunCSManagedSecurityRole" in newest_event(client, cluster_id).data.message
    account.ram("AttachPolicyToRole", PolicyName=policy, PolicyType="System", RoleName=role)
    account.wait_for(cluster_id, "running")

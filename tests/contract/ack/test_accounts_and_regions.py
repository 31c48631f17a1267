"""A cluster is of one account and one region; to all others it does not exist."""

from collections.abc import Callable
from typing import Any

from alibabacloud_cs20151215 import models

from acksim.clients.world import World
from tests.contract.ack.conftest import Account
from tests.contract.ack.kubeconfigs import core_v1
from tests.contract.ack.test_legacy_sdk import Legacy

Refused = Callable[..., Any]


def test_another_account_sees_nothing_of_a_cluster(
    acksim: World, account: Account, refused: Refused
) -> None:
    cluster_id = account.new_cluster(deletion_protection=True)
    task_id = account.client().describe_cluster_detail(cluster_id) and (
        account.client()
        .modify_cluster(cluster_id, models.ModifyClusterRequest(cluster_name="mine"))
        .body.task_id
    )
    made = acksim.new_account()
    other = Account(
        acksim, made["account_id"], made["access_key_id"], made["access_key_secret"]
    ).client()
    uid = account.id
    item = models.GrantPermissionsRequestBody(
        cluster=cluster_id, role_type="cluster", role_name="admin"
    )
    for call in (
        lambda: other.describe_cluster_detail(cluster_id),
        lambda: other.modify_cluster(cluster_id, models.ModifyClusterRequest()),
        lambda: other.delete_cluster(cluster_id, models.DeleteClusterRequest()),
        lambda: other.update_kmsencryption(
            cluster_id, models.UpdateKMSEncryptionRequest(disable_encryption=True)
        ),
        lambda: other.describe_cluster_user_kubeconfig(
            cluster_id, models.DescribeClusterUserKubeconfigRequest()
        ),
        lambda: other.describe_cluster_events(cluster_id, models.DescribeClusterEventsRequest()),
        lambda: other.grant_permissions(uid, models.GrantPermissionsRequest(body=[item])),
        lambda: other.clean_cluster_user_permissions(
            cluster_id, uid, models.CleanClusterUserPermissionsRequest()
        ),
    ):
        error = refused(call)
        assert (error.status_code, error.code) == (404, "ErrorClusterNotFound")
    assert refused(other.describe_task_info, task_id).code == "ErrorTaskNotFound"
    assert other.describe_clusters_v1(models.DescribeClustersV1Request()).body.clusters == []
    assert other.describe_clusters(models.DescribeClustersRequest()).body == []
    assert other.describe_events(models.DescribeEventsRequest()).body.events == []


def test_a_cluster_of_another_region_lives_there_alone(
    account: Account, client: Any, refused: Refused
) -> None:
    legacy = Legacy(account, region="cn-beijing")
    key_id = account.new_key(RegionId="cn-beijing")
    body = {"name": "north", "region_id": "cn-beijing", "cluster_spec": "ack.pro.small"}
    begun = legacy.send("POST", "/clusters", {**body, "encryption_provider_key": key_id})
    cluster_id = begun["cluster_id"]
    assert refused(client.describe_cluster_detail, cluster_id).code == "ErrorClusterNotFound"
    assert legacy.wait_for(cluster_id, "running")["region_id"] == "cn-beijing"
    [listed] = client.describe_clusters_v1(
        models.DescribeClustersV1Request(region_id="cn-beijing")
    ).body.clusters
    assert listed.cluster_id == cluster_id
    request = models.DescribeClustersForRegionRequest()
    assert client.describe_clusters_for_region("cn-hangzhou", request).body.clusters == []
    # Its plugin finds the key in the cluster's own region.
    config = legacy.send("GET", f"/k8s/{cluster_id}/user_config")["config"]
    with core_v1(config, cluster_id) as api:
        api.create_namespaced_secret("default", {"metadata": {"name": "app1"}})
        assert api.read_namespaced_secret("app1", "default").metadata.name == "app1"

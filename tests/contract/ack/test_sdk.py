"""The unmodified official SDK, alibabacloud-cs20151215, doing every operation that is built."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from alibabacloud_cs20151215 import models
from cryptography import x509

from acksim.ack.cs import OPERATIONS
from tests.contract.ack.conftest import Account

Refused = Callable[..., Any]

UID = "234567890123456789"


def encryption(detail: Any) -> tuple[bool, str]:
    """As terraform reads it from `meta_data`."""
    capabilities = json.loads(detail.meta_data)["Capabilities"]
    return capabilities["DisableEncryption"], capabilities["EncryptionKMSKeyId"]


def test_a_clusters_life(account: Account, client: Any, refused: Refused) -> None:
    key_id = account.new_key()
    created = client.create_cluster(
        models.CreateClusterRequest(
            name="shop",
            cluster_type="ManagedKubernetes",
            cluster_spec="ack.pro.small",
            encryption_provider_key=key_id,
            vpcid="vpc-1",
            vswitch_ids=["vsw-1"],
            tags=[models.Tag(key="team", value="till")],
            deletion_protection=True,
            client_token="once",
        )
    )
    assert created.status_code == 202
    assert created.body.task_id.startswith("T-")
    assert len(created.body.task_id) == 26
    assert len(created.body.cluster_id) == 33
    cluster_id = created.body.cluster_id
    again = models.CreateClusterRequest(name="shop", client_token="once")
    assert client.create_cluster(again).body.cluster_id == cluster_id

    detail = account.wait_for(cluster_id, "running")
    assert encryption(detail) == (False, key_id)
    assert (
        detail.to_map()
        | {
            "name": "shop",
            "cluster_spec": "ack.pro.small",
            "profile": "Default",
            "region_id": "cn-hangzhou",
            "vpc_id": "vpc-1",
            "vswitch_ids": ["vsw-1"],
            "tags": [{"key": "team", "value": "till"}],
            "deletion_protection": True,
        }
        == detail.to_map()
    )
    task = client.describe_task_info(created.body.task_id).body
    assert (task.state, task.task_type, task.target.id) == ("success", "cluster_create", cluster_id)
    assert [stage.state for stage in task.stages] == ["success"]

    protected = refused(client.delete_cluster, cluster_id, models.DeleteClusterRequest())
    assert protected.code == "ErrorDeletionProtection"
    change = models.ModifyClusterRequest(
        cluster_name="shop-2", deletion_protection=False, timezone="Asia/Shanghai"
    )
    modified = client.modify_cluster(cluster_id, change)
    assert modified.status_code == 202
    assert client.describe_task_info(modified.body.task_id).body.state == "success"
    detail = client.describe_cluster_detail(cluster_id).body
    assert (detail.name, detail.timezone, detail.vpc_id) == ("shop-2", "Asia/Shanghai", "vpc-1")

    deleted = client.delete_cluster(cluster_id, models.DeleteClusterRequest())
    assert deleted.status_code == 202
    account.wait_until_gone(cluster_id)
    assert client.describe_task_info(deleted.body.task_id).body.state == "success"


def test_lists_and_their_filters(account: Account, client: Any) -> None:
    first = account.new_cluster(name="till")
    second = account.new_cluster(name="warehouse", cluster_spec="ack.standard")
    everywhere = client.describe_clusters_v1(models.DescribeClustersV1Request()).body
    assert [one.cluster_id for one in everywhere.clusters] == [first, second]
    assert everywhere.page_info.total_count == 2
    for wanted in (
        models.DescribeClustersV1Request(name="war"),
        models.DescribeClustersV1Request(cluster_id=second),
        models.DescribeClustersV1Request(cluster_spec="ack.standard"),
        models.DescribeClustersV1Request(page_size=1, page_number=2),
    ):
        found = client.describe_clusters_v1(wanted).body.clusters
        assert [one.cluster_id for one in found] == [second]
    nothing = client.describe_clusters_v1(models.DescribeClustersV1Request(region_id="cn-beijing"))
    assert nothing.body.clusters == []
    request = models.DescribeClustersForRegionRequest()
    here = client.describe_clusters_for_region("cn-hangzhou", request).body.clusters
    assert [one.to_map().get("meta_data") for one in here] == [None, None]
    assert client.describe_clusters_for_region("cn-beijing", request).body.clusters == []
    plain = client.describe_clusters(models.DescribeClustersRequest(name="till")).body
    assert [one.cluster_id for one in plain] == [first]


def test_encryption_is_switched_on_off_and_to_another_key(account: Account, client: Any) -> None:
    first, second = account.new_key(), account.new_key()
    cluster_id = account.new_cluster()
    assert encryption(client.describe_cluster_detail(cluster_id).body) == (True, "")
    for key_id, disable in ((first, False), (second, False), ("", True)):
        wanted = models.UpdateKMSEncryptionRequest(
            kms_key_id=key_id or None, disable_encryption=disable
        )
        assert client.update_kmsencryption(cluster_id, wanted).status_code == 202
        assert client.describe_cluster_detail(cluster_id).body.state == "updating"
        assert encryption(account.wait_for(cluster_id, "running")) == (disable, key_id)
        account.world.move_clock(advance="5m")
    events = client.describe_cluster_events(cluster_id, models.DescribeClusterEventsRequest()).body
    reasons = [event.data.reason for event in events.events]
    assert reasons.count("KMSEncryptionUpdated") == 3
    updated = models.DescribeEventsRequest(
        type="cluster_configuration_modify", cluster_id=cluster_id
    )
    assert {one.cluster_id for one in client.describe_events(updated).body.events} == {cluster_id}


def test_events_page_by_number_and_by_token(account: Account, client: Any) -> None:
    cluster_id = account.new_cluster()
    for name in ("a", "b"):
        client.modify_cluster(cluster_id, models.ModifyClusterRequest(cluster_name=name))
    every = client.describe_events(models.DescribeEventsRequest()).body
    assert every.page_info.total_count == 3
    ids = [event.event_id for event in every.events]
    by_number = models.DescribeEventsRequest(page_size=2, page_number=2)
    assert [one.event_id for one in client.describe_events(by_number).body.events] == ids[2:]
    page = client.describe_events(models.DescribeEventsRequest(max_results=2)).body
    assert [one.event_id for one in page.events] == ids[:2]
    rest = models.DescribeEventsRequest(max_results=2, next_token=page.next_token)
    page = client.describe_events(rest).body
    assert ([one.event_id for one in page.events], page.next_token) == (ids[2:], "")
    request = models.DescribeEventsForRegionRequest(cluster_id=cluster_id)
    here = client.describe_events_for_region("cn-hangzhou", request).body
    assert [one.event_id for one in here.events] == ids
    assert client.describe_events_for_region("cn-beijing", request).body.events == []


def test_a_kubeconfig_lives_as_long_as_asked(account: Account, client: Any) -> None:
    cluster_id = account.new_cluster()
    for minutes, days in ((15, 0), (4320, 3), (None, 3 * 365)):
        request = models.DescribeClusterUserKubeconfigRequest(temporary_duration_minutes=minutes)
        body = client.describe_cluster_user_kubeconfig(cluster_id, request).body
        [user] = yaml.safe_load(body.config)["users"]
        certificate = x509.load_pem_x509_certificate(
            base64.b64decode(user["user"]["client-certificate-data"])
        )
        assert user["name"] == account.id
        ends = datetime.fromisoformat(body.expiration)
        assert certificate.not_valid_after_utc == ends
        expected = datetime.now(UTC) + timedelta(days=days, minutes=15 if days == 0 else 0)
        assert abs(ends - expected) < timedelta(seconds=60)


def test_grants_are_shown_as_given(account: Account, client: Any) -> None:
    cluster_id = account.new_cluster()
    item = models.GrantPermissionsRequestBody
    items = [
        item(cluster=cluster_id, role_type="cluster", role_name="ops"),
        item(cluster=cluster_id, role_type="namespace", namespace="default", role_name="dev"),
        item(cluster="", role_type="all-clusters", role_name="restricted", is_ram_role=True),
        item(cluster=cluster_id, role_type="cluster", role_name="view", is_custom=True),
    ]
    client.grant_permissions(UID, models.GrantPermissionsRequest(body=items))

    def shown() -> set[tuple[Any, ...]]:
        return {
            (one.resource_id, one.resource_type, one.role_name, one.role_type, one.is_ram_role)
            for one in client.describe_user_permission(UID).body
        }

    wide = ("all-clusters", "cluster", "restricted", "restricted", 1)
    custom = (cluster_id, "cluster", "view", "custom", 0)
    dev = (f"{cluster_id}/default", "namespace", "dev", "dev", 0)
    assert shown() == {wide, custom, dev, (cluster_id, "cluster", "ops", "ops", 0)}
    gone = models.UpdateUserPermissionsRequestBody(
        cluster=cluster_id, role_type="cluster", role_name="ops"
    )
    request = models.UpdateUserPermissionsRequest(mode="delete", body=[gone])
    client.update_user_permissions(UID, request)
    assert shown() == {wide, custom, dev}
    client.clean_cluster_user_permissions(
        cluster_id, UID, models.CleanClusterUserPermissionsRequest(force=True)
    )
    assert shown() == {wide}
    request = models.UpdateUserPermissionsRequest(mode="patch", body=[gone])
    client.update_user_permissions(UID, request)
    assert shown() == {wide, (cluster_id, "cluster", "ops", "ops", 0)}
    client.grant_permissions(UID, models.GrantPermissionsRequest(body=[]))
    assert shown() == set()


def test_the_service_and_its_roles(account: Account, client: Any, refused: Refused) -> None:
    roles = [
        models.CheckServiceRoleRequestRoles(name=name)
        for name in ("AliyunCSManagedSecurityRole", "AliyunCSKubernetesAuditRole")
    ]
    checked = client.check_service_role(models.CheckServiceRoleRequest(roles=roles)).body.roles
    assert [one.granted for one in checked] == [True, False]
    request = models.OpenAckServiceRequest(type="propayasgo")
    assert client.open_ack_service(request).body.order_id
    error = refused(client.open_ack_service, request)
    assert error.status_code == 500
    assert "您已开通过" in error.message


def test_every_operation_of_the_table_is_tried_here() -> None:
    """By the SDK's own method names, so that a new row cannot go untested."""
    text = Path(__file__).read_text().replace("_", "").lower()
    built = [row.name for row in OPERATIONS if row.built]
    assert [name for name in built if f"client.{name.lower()}(" not in text] == []


def test_what_is_not_built_says_so(client: Any, refused: Refused) -> None:
    error = refused(client.describe_cluster_nodes, "c1", models.DescribeClusterNodesRequest())
    assert (error.status_code, error.code) == (400, "UnsupportedOperation.NotBuilt")

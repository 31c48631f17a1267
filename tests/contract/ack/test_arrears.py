""" "If your account has been overdue for seven days, you cannot manage the cluster." """

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from alibabacloud_cs20151215 import models

from acksim.clients.world import World
from tests.contract.ack.conftest import Account


@pytest.fixture
def poor(acksim: World) -> Iterator[Account]:
    """Who has a cluster and holds nothing."""
    made = acksim.new_account("poor", cash="0.00")
    poor = Account(acksim, made["account_id"], made["access_key_id"], made["access_key_secret"])
    yield poor
    for cluster in acksim.clusters():
        if cluster["account_id"] == poor.id:
            acksim.delete_cluster(cluster["cluster_id"])
    acksim.move_clock(reset=True)


def test_an_account_overdue_for_seven_days_cannot_manage_its_cluster_until_it_pays(
    poor: Account, refused: Callable[..., Any]
) -> None:
    client = poor.client()
    cluster_id = poor.new_cluster(encryption_provider_key=poor.new_key())
    rename = models.ModifyClusterRequest(cluster_name="shop2")
    poor.world.move_clock(advance="7d")
    client.modify_cluster(cluster_id, rename)
    poor.world.move_clock(advance="1d")
    switch = models.UpdateKMSEncryptionRequest(disable_encryption=True)
    create = models.CreateClusterRequest(name="more", cluster_spec="ack.pro.small")
    for call, arguments in (
        (client.modify_cluster, (cluster_id, rename)),
        (client.update_kmsencryption, (cluster_id, switch)),
        (client.delete_cluster, (cluster_id, models.DeleteClusterRequest())),
        (client.create_cluster, (create,)),
    ):
        error = refused(call, *arguments)
        assert (error.code, error.status_code) == ("Forbidden.InDebtOverdue", 403), call
    detail = client.describe_cluster_detail(cluster_id).body
    assert detail.name == "shop2"
    assert client.describe_cluster_events(
        cluster_id, models.DescribeClusterEventsRequest()
    ).body.events
    poor.world.move_money(account_id=poor.id, recharge="100")
    client.modify_cluster(cluster_id, models.ModifyClusterRequest(cluster_name="shop3"))
    client.delete_cluster(cluster_id, models.DeleteClusterRequest())
    poor.wait_until_gone(cluster_id)

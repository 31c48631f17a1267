"""Rows about clusters: made, shown, changed, encrypted, deleted."""

from dataclasses import replace
from typing import Any

from acksim.ack.cluster import KUBERNETES_VERSION, PRO_SPECS, Cluster, ClusterError
from acksim.ack.cs import answers, requests
from acksim.ack.cs.service import (
    Asked,
    AskedOf,
    ContainerService,
    Row,
    find_account,
    find_cluster,
    row,
)
from acksim.ack.encryption import Change, require_pro
from alibaba_edge.gateway.product import Fields, Route
from alibaba_edge.regions import REGIONS


async def create(
    cs: ContainerService, request: requests.CreateClusterRequest, asked: Asked
) -> Fields:
    token = request.client_token
    for known in await cs.clusters.all(asked.asker.account_id):
        if token and known.options.get("client_token") == token:
            return answers.begun(known, asked.request_id)
    region = request.region_id or asked.region
    if region not in REGIONS:
        raise ClusterError("InvalidParameter", f"region_id {region!r} is not known")
    cluster = cs.clusters.draft(asked.asker.account_id, request.name, region=region)
    cluster = replace(
        cluster,
        creator=asked.asker.uid,
        cluster_type=request.cluster_type,
        profile=request.profile,
        cluster_spec=request.cluster_spec,
        kubernetes_version=request.kubernetes_version or KUBERNETES_VERSION,
        deletion_protection=request.deletion_protection,
        tags={tag.key: tag.value for tag in request.tags},
        options=request.given(requests.NetworkOptions),
    )
    if request.encryption_provider_key:
        require_pro(cluster)
        key_id = await cs.encryption.usable_key(cluster, request.encryption_provider_key)
        cluster = replace(cluster, key_id=key_id)
    return answers.begun(await cs.clusters.begin(cluster), asked.request_id)


async def describe(
    cs: ContainerService, _request: requests.ClusterRequest, asked: AskedOf
) -> Fields:
    return answers.cluster_detail(asked.cluster, cs.address)


async def list_everywhere(
    cs: ContainerService, request: requests.ListClustersRequest, asked: Asked
) -> Fields:
    return await _list(cs, request, asked, full=True)


async def list_in_region(
    cs: ContainerService, request: requests.ListClustersRequest, asked: Asked
) -> Fields:
    return await _list(cs, request, asked, full=False)


async def list_plainly(
    cs: ContainerService, request: requests.DescribeClustersRequest, asked: Asked
) -> Fields:
    found = await cs.clusters.all(asked.asker.account_id)
    return [
        answers.listed_cluster(one, cs.address)
        for one in found
        if request.name in one.name
        and request.cluster_type in {"", one.cluster_type}
        and request.resource_group_id in {"", one.options.get("resource_group_id", "")}
    ]


async def modify(
    cs: ContainerService, request: requests.ModifyClusterRequest, asked: AskedOf
) -> Fields:
    cluster = asked.cluster
    changes: dict[str, Any] = {
        "options": {**cluster.options, **request.given(requests.ClusterOptions)}
    }
    if request.cluster_name is not None:
        changes["name"] = request.cluster_name
    if request.deletion_protection is not None:
        changes["deletion_protection"] = request.deletion_protection
    if request.cluster_spec is not None:
        if cluster.cluster_spec in PRO_SPECS and request.cluster_spec not in PRO_SPECS:
            raise ClusterError("InvalidParameter", "a Pro cluster cannot be made a basic one")
        changes["cluster_spec"] = request.cluster_spec
    return answers.begun(await cs.clusters.modify(cluster, **changes), asked.request_id)


async def delete(cs: ContainerService, _request: requests.ClusterRequest, asked: AskedOf) -> Fields:
    return answers.begun(await cs.clusters.begin_delete(asked.cluster), asked.request_id)


async def update_kms_encryption(
    cs: ContainerService, request: requests.UpdateKMSEncryptionRequest, asked: AskedOf
) -> Fields:
    change = Change(request.kms_key_id, request.disable_encryption)
    begun = await cs.encryption.update(asked.cluster, asked.asker, change)
    return answers.begun(begun, asked.request_id)


async def _list(
    cs: ContainerService, request: requests.ListClustersRequest, asked: Asked, *, full: bool
) -> dict[str, Any]:
    found = [one for one in await cs.clusters.all(asked.asker.account_id) if _wanted(one, request)]
    start = (request.page_number - 1) * request.page_size
    items = [
        answers.listed_cluster(one, cs.address) if full else answers.cluster_item(one)
        for one in found[start : start + request.page_size]
    ]
    size = request.page_size
    return answers.page("clusters", items, number=request.page_number, size=size, total=len(found))


def _wanted(cluster: Cluster, request: requests.ListClustersRequest) -> bool:
    return (
        request.name in cluster.name
        and request.cluster_id in {"", cluster.id}
        and request.cluster_type in {"", cluster.cluster_type}
        and request.cluster_spec in {"", cluster.cluster_spec}
        and request.profile in {"", cluster.profile}
        and request.region_id in {"", cluster.region}
    )


ROWS: tuple[Row, ...] = (
    row(
        "CreateCluster",
        Route("POST", "/clusters"),
        requests.CreateClusterRequest,
        find_account,
        create,
        access="Write",
        success=202,
    ),
    row(
        "DescribeClusterDetail",
        Route("GET", "/clusters/{cluster_id}"),
        requests.ClusterRequest,
        find_cluster,
        describe,
    ),
    row(
        "DescribeClustersV1",
        Route("GET", "/api/v1/clusters"),
        requests.ListClustersRequest,
        find_account,
        list_everywhere,
    ),
    row(
        "DescribeClustersForRegion",
        Route("GET", "/regions/{region_id}/clusters"),
        requests.ListClustersRequest,
        find_account,
        list_in_region,
    ),
    row(
        "DescribeClusters",
        Route("GET", "/clusters"),
        requests.DescribeClustersRequest,
        find_account,
        list_plainly,
    ),
    row(
        "ModifyCluster",
        Route("PUT", "/api/v2/clusters/{cluster_id}"),
        requests.ModifyClusterRequest,
        find_cluster,
        modify,
        access="Write",
        success=202,
    ),
    row(
        "DeleteCluster",
        Route("DELETE", "/clusters/{cluster_id}"),
        requests.ClusterRequest,
        find_cluster,
        delete,
        access="Write",
        success=202,
    ),
    row(
        "UpdateKMSEncryption",
        Route("PUT", "/clusters/{cluster_id}/kms"),
        requests.UpdateKMSEncryptionRequest,
        find_cluster,
        update_kms_encryption,
        access="Write",
        success=202,
    ),
)

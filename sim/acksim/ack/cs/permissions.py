"""Rows about who may what: kubeconfigs, grants, service roles, opening the service."""

from collections.abc import Sequence
from datetime import timedelta

from acksim.ack.cluster import ClusterError
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
from acksim.ack.grants import ALL_CLUSTERS, CLUSTER_WIDE, Grant
from alibaba_edge.gateway.product import Fields, Route


async def kubeconfig(
    cs: ContainerService, request: requests.KubeconfigRequest, asked: AskedOf
) -> Fields:
    minutes = request.TemporaryDurationMinutes
    made = cs.kubeconfigs.of_user(
        asked.cluster,
        asked.asker.uid,
        lifetime=None if minutes is None else timedelta(minutes=minutes),
        private=request.PrivateIpAddress,
    )
    return {"config": made.text, "expiration": made.expires.strftime("%Y-%m-%dT%H:%M:%SZ")}


async def grant_permissions(
    cs: ContainerService, request: requests.GrantPermissionsRequest, asked: Asked
) -> Fields:
    await cs.permissions.replace(asked.asker, request.uid, _grants(request.body))
    return None


async def update_user_permissions(
    cs: ContainerService, request: requests.UpdateUserPermissionsRequest, asked: Asked
) -> Fields:
    permissions = cs.permissions
    act = {
        "apply": permissions.replace,
        "patch": permissions.add,
        "delete": permissions.remove,
    }[request.mode]
    await act(asked.asker, request.uid, _grants(request.body))
    return None


async def describe_user_permission(
    cs: ContainerService, request: requests.UserRequest, asked: Asked
) -> Fields:
    account_id = asked.asker.account_id
    owned = await cs.permissions.created_by(account_id, request.uid)
    granted = await cs.permissions.of_user(account_id, request.uid)
    return [
        *(answers.ownership(one) for one in owned if request.uid != account_id),
        *(answers.permission(one) for one in granted),
    ]


async def clean_cluster_user_permissions(
    cs: ContainerService, request: requests.CleanPermissionsRequest, asked: AskedOf
) -> Fields:
    await cs.permissions.clean(asked.asker, request.uid, asked.cluster)
    return None


async def check_service_role(
    cs: ContainerService, request: requests.CheckServiceRoleRequest, asked: Asked
) -> Fields:
    checked = []
    for role in request.roles:
        granted = await cs.roles.granted(asked.asker.account_id, role.name)
        message = "" if granted else f"the role {role.name} is not granted to cs.aliyuncs.com"
        checked.append({"name": role.name, "granted": granted, "message": message})
    return {"roles": checked}


async def open_ack_service(
    cs: ContainerService, request: requests.OpenAckServiceRequest, asked: Asked
) -> Fields:
    order_id = await cs.subscriptions.open(asked.asker.account_id, request.type)
    return {"order_id": order_id, "request_id": asked.request_id}


def _grants(items: Sequence[requests.GrantItem]) -> list[Grant]:
    """Raises ClusterError `InvalidParameter` for an item that says where only in part."""
    return [_grant(item) for item in items]


def _grant(item: requests.GrantItem) -> Grant:
    wide = item.role_type == "all-clusters"
    if wide == bool(item.cluster):
        raise ClusterError(
            "InvalidParameter", "cluster is needed, except with the role_type all-clusters"
        )
    namespaced = item.role_type == "namespace"
    if namespaced and not item.namespace:
        raise ClusterError("InvalidParameter", "the role_type namespace needs a namespace")
    grant = Grant(
        ALL_CLUSTERS if wide else item.cluster,
        item.namespace if namespaced else CLUSTER_WIDE,
        item.role_name,
        custom=item.is_custom,
        of_role=item.is_ram_role,
    )
    grant.check()
    return grant


ROWS: tuple[Row, ...] = (
    row(
        "DescribeClusterUserKubeconfig",
        Route("GET", "/k8s/{cluster_id}/user_config"),
        requests.KubeconfigRequest,
        find_cluster,
        kubeconfig,
    ),
    row(
        "GrantPermissions",
        Route("POST", "/permissions/users/{uid}"),
        requests.GrantPermissionsRequest,
        find_account,
        grant_permissions,
        access="Write",
    ),
    row(
        "UpdateUserPermissions",
        Route("POST", "/permissions/users/{uid}/update"),
        requests.UpdateUserPermissionsRequest,
        find_account,
        update_user_permissions,
        access="Write",
    ),
    row(
        "DescribeUserPermission",
        Route("GET", "/permissions/users/{uid}"),
        requests.UserRequest,
        find_account,
        describe_user_permission,
    ),
    row(
        "CleanClusterUserPermissions",
        Route("DELETE", "/cluster/{cluster_id}/user/{uid}/permissions"),
        requests.CleanPermissionsRequest,
        find_cluster,
        clean_cluster_user_permissions,
        access="Write",
    ),
    row(
        "CheckServiceRole",
        Route("POST", "/ram/check-service-role"),
        requests.CheckServiceRoleRequest,
        find_account,
        check_service_role,
    ),
    row(
        "OpenAckService",
        Route("POST", "/service/open"),
        requests.OpenAckServiceRequest,
        find_account,
        open_ack_service,
        access="Write",
    ),
)

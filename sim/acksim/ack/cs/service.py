"""What every row of the CS table is made from: the rooms behind it, and the usual lookups."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

from acksim.ack.cluster import Cluster, ClusterError
from acksim.ack.clusters import ClusterService
from acksim.ack.cs.requests import (
    CleanPermissionsRequest,
    ClusterEventsRequest,
    ClusterRequest,
    ModifyClusterRequest,
)
from acksim.ack.encryption import Encryption
from acksim.ack.events import ClusterEvents
from acksim.ack.grants import Asker
from acksim.ack.kubeconfig import ApiServerAddress, Kubeconfigs
from acksim.ack.permissions import Permissions
from acksim.ack.service_roles import ServiceRoles
from acksim.ack.subscriptions import Subscriptions
from acksim.ack.tasks import Tasks
from alibaba_edge.gateway.product import Call, Fields, Found, Operation, Resource, Route
from alibaba_edge.ports import Access

RequestT = TypeVar("RequestT", bound=BaseModel)
SubjectT = TypeVar("SubjectT")

CLUSTER_TYPE = "ACS::CS::Cluster"


@dataclass(frozen=True, slots=True)
class ContainerService:
    """The control plane, as the rows see it."""

    clusters: ClusterService
    encryption: Encryption
    permissions: Permissions
    tasks: Tasks
    events: ClusterEvents
    kubeconfigs: Kubeconfigs
    subscriptions: Subscriptions
    roles: ServiceRoles
    address: ApiServerAddress


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that is about no cluster, or about all of an account's."""

    asker: Asker
    region: str
    request_id: str


@dataclass(frozen=True, slots=True)
class AskedOf(Asked):
    """A call about one cluster."""

    cluster: Cluster


OfCluster = ClusterRequest | ModifyClusterRequest | ClusterEventsRequest | CleanPermissionsRequest
Row = Operation[ContainerService, Any, Any]
Find = Callable[[ContainerService, Call, RequestT], Awaitable[Found[SubjectT]]]
Run = Callable[[ContainerService, RequestT, SubjectT], Awaitable[Fields]]


def row(  # noqa: PLR0913 - a row says everything about itself
    name: str,
    route: Route,
    request: type[RequestT],
    find: Find[RequestT, SubjectT],
    run: Run[RequestT, SubjectT],
    *,
    access: Access = "Read",
    success: int = 200,
) -> Row:
    """An operation whose RAM action is `cs:` and its name."""
    return Operation(name, request, access, find, run, f"cs:{name}", route=route, success=success)


async def find_account(_cs: ContainerService, call: Call, _request: BaseModel) -> Found[Asked]:
    """For what is about no cluster, or about any."""
    asked = Asked(_asker(call), call.region, call.request_id)
    arn = f"acs:cs:{call.region}:{call.caller.account_id}:cluster/*"
    return Found(asked, (Resource(arn, CLUSTER_TYPE, ""),))


async def find_cluster(cs: ContainerService, call: Call, request: OfCluster) -> Found[AskedOf]:
    """Of the caller's account and the call's region; any other is not to be found."""
    cluster = await cs.clusters.get(request.cluster_id)
    if (cluster.account_id, cluster.region) != (call.caller.account_id, call.region):
        raise ClusterError("ErrorClusterNotFound", f"cluster {request.cluster_id!r} does not exist")
    asked = AskedOf(_asker(call), call.region, call.request_id, cluster)
    arn = f"acs:cs:{cluster.region}:{cluster.account_id}:cluster/{cluster.id}"
    conditions = {f"acs:ResourceTag/{key}": value for key, value in cluster.tags.items()}
    resource = Resource(arn, CLUSTER_TYPE, cluster.id, conditions=conditions)
    return Found(asked, (resource,))


def _asker(call: Call) -> Asker:
    """A session stands for its role: `<role id>:<session name>`."""
    return Asker(call.caller.account_id, call.caller.principal_id.partition(":")[0])

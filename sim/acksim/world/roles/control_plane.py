"""The managed control plane, put together."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from acksim.account.database import Database
from acksim.account.metadata import RoleCredentials
from acksim.account.ram.roles import Roles
from acksim.ack.api_servers import ApiServers
from acksim.ack.arranging import Arranger
from acksim.ack.clusters import ClusterService
from acksim.ack.coverage import survey
from acksim.ack.cs.service import ContainerService
from acksim.ack.directory import ClusterDirectory
from acksim.ack.encryption import Encryption, SwitchReport
from acksim.ack.events import ClusterEvents
from acksim.ack.grants import Grants
from acksim.ack.health import ClusterHealth
from acksim.ack.kubeconfig import ApiServerAddress, Kubeconfigs
from acksim.ack.kubernetes import KubernetesApi
from acksim.ack.permissions import Permissions
from acksim.ack.pki import LocalAuthority
from acksim.ack.plugins import Plugins
from acksim.ack.service_roles import ServiceRoles
from acksim.ack.store import ClusterStore
from acksim.ack.subscriptions import Subscriptions
from acksim.ack.switching import EncryptionSwitch
from acksim.ack.tasks import Tasks
from acksim.data_dir.layout import Layout
from apiserver_shim.storage.etcd import EtcdClient


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the control plane stands on."""

    layout: Layout
    endpoint: str
    authority: LocalAuthority
    address: ApiServerAddress
    database: Database
    roles: Roles
    credentials: RoleCredentials
    etcd: EtcdClient
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """Its rooms; `service` is what the API's rows see of them."""

    service: ContainerService
    switch: EncryptionSwitch
    plugins: Plugins
    health: ClusterHealth

    @property
    def clusters(self) -> ClusterService:
        return self.service.clusters

    async def start(self, stack: contextlib.AsyncExitStack) -> None:
        """Takes up what is on record; ends in reverse order with the stack."""
        stack.push_async_callback(self.plugins.stop_all)
        stack.push_async_callback(self.switch.stop)
        stack.push_async_callback(self.clusters.stop)
        await self.clusters.resume()
        await self.service.permissions.resume()
        for work in (self.service.permissions.catch_up_regularly(), self.health.watch()):
            stack.callback(asyncio.create_task(work).cancel)


def control_plane(around: Surroundings) -> ControlPlane:
    """Every room once, from the bottom up."""
    now, database = around.now, around.database
    store = ClusterStore(database)
    tasks, events = Tasks(database, now), ClusterEvents(database, now)
    grants = Grants(database, now)
    kubernetes = KubernetesApi(around.authority, around.address)
    permissions = Permissions(store, grants, kubernetes)

    def notice(cluster_id: str) -> None:
        health.notice(cluster_id)  # which is made below: each of the two asks the other

    plugins = Plugins(
        around.layout,
        endpoint=around.endpoint,
        roles=around.credentials,
        now=now,
        on_failure=notice,
    )
    health = ClusterHealth(store, keys=plugins.describe_key, events=events, now=now)
    arranger = Arranger(store, ClusterDirectory(around.layout.clusters), plugins)
    switch = EncryptionSwitch(
        store,
        arranger=arranger,
        servers=ApiServers(around.authority, around.address),
        survey=lambda cluster: survey(around.etcd, cluster.etcd_prefix),
        now=now,
        report=SwitchReport(tasks, events),
    )
    clusters = ClusterService(
        store,
        arranger=arranger,
        plugins=plugins,
        switch=switch,
        etcd=around.etcd,
        tasks=tasks,
        events=events,
        permissions=permissions,
        now=now,
    )
    roles = ServiceRoles(around.roles)
    encryption = Encryption(
        tasks=tasks,
        events=events,
        keys=plugins.describe_key,
        roles=roles,
        grants=grants,
        switch=switch,
        now=now,
    )
    service = ContainerService(
        clusters=clusters,
        encryption=encryption,
        permissions=permissions,
        tasks=tasks,
        events=events,
        kubeconfigs=Kubeconfigs(around.authority, around.address),
        subscriptions=Subscriptions(database, now),
        roles=roles,
        address=around.address,
    )
    return ControlPlane(service, switch, plugins, health)

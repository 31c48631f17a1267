"""The managed control plane, put together."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from apiserver_shim.storage.etcd import EtcdClient
from sim.account.database import Database
from sim.account.metadata import RoleCredentials
from sim.account.ram.roles import Roles
from sim.ack.api_servers import ApiServers
from sim.ack.arranging import Arranger
from sim.ack.clusters import ClusterService
from sim.ack.coverage import survey
from sim.ack.cs.service import ContainerService
from sim.ack.directory import ClusterDirectory
from sim.ack.encryption import Encryption, SwitchReport
from sim.ack.events import ClusterEvents
from sim.ack.grants import Grants
from sim.ack.health import ClusterHealth
from sim.ack.kubeconfig import ApiServerAddress, Kubeconfigs
from sim.ack.kubernetes import KubernetesApi
from sim.ack.permissions import Permissions
from sim.ack.pki import LocalAuthority
from sim.ack.plugins import Plugins
from sim.ack.service_roles import ServiceRoles
from sim.ack.store import ClusterStore
from sim.ack.subscriptions import Subscriptions
from sim.ack.switching import EncryptionSwitch
from sim.ack.tasks import Tasks
from sim.layout import Layout


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

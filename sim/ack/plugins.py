"""The managed KMS plugins: one a cluster, on a socket of its own.

A plugin knows the KMS only by its endpoint and a credentials URI of the role
AliyunCSManagedSecurityRole; what it does shows in the trail and on the bill like any client's.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from apiserver_shim.errors import KmsError
from apiserver_shim.kms_plugin.credentials import UriCredentials
from apiserver_shim.kms_plugin.http import http_client
from apiserver_shim.kms_plugin.kms_client import KmsClient
from apiserver_shim.kms_plugin.server import KmsPlugin, KmsPluginSettings
from sim.account.metadata import Grant, RoleCredentials
from sim.account.ram.roles import MANAGED_SECURITY_ROLE
from sim.ack.cluster import Cluster, ClusterError
from sim.layout import Layout

_TIMEOUT_SECONDS = 10.0


class Plugins:
    """The plugins that run in this process."""

    def __init__(
        self,
        layout: Layout,
        *,
        endpoint: str,
        roles: RoleCredentials,
        now: Callable[[], datetime],
    ) -> None:
        self._layout = layout
        self._endpoint = endpoint
        self._roles = roles
        self._now = now
        self._http = http_client()
        self._running: dict[str, tuple[KmsPlugin, str]] = {}

    def socket(self, cluster_id: str) -> Path:
        return self._layout.socket(cluster_id)

    async def resolve_key(self, cluster: Cluster) -> str:
        """The id of the cluster's key, asked of the KMS as the role; raises ClusterError."""
        uri = self._roles.uri(_grant(cluster))
        source = UriCredentials(uri, self._http, now=self._now)
        kms = KmsClient(self._endpoint, self._http, source, region=cluster.region)
        try:
            key = await kms.describe_key(cluster.key_id or "")
        except KmsError as error:
            raise ClusterError(error.code or "ErrorKms", error.message) from None
        finally:
            self._roles.revoke(uri)
        return key.key_id

    async def start(self, cluster: Cluster) -> None:
        """Listens on the cluster's socket; the key itself is asked only when it is needed."""
        if cluster.key_id is None or cluster.id in self._running:
            return
        uri = self._roles.uri(_grant(cluster))
        settings = KmsPluginSettings(
            socket=self.socket(cluster.id),
            endpoint=self._endpoint,
            key_id=cluster.key_id,
            credentials=uri,
            region=cluster.region,
        )
        plugin = KmsPlugin(settings, now=self._now, http=self._http)
        await plugin.start()
        self._running[cluster.id] = (plugin, uri)

    async def stop(self, cluster_id: str) -> None:
        running = self._running.pop(cluster_id, None)
        if running is not None:
            plugin, uri = running
            await plugin.stop()
            self._roles.revoke(uri)

    async def stop_all(self) -> None:
        for cluster_id in tuple(self._running):
            await self.stop(cluster_id)
        await self._http.aclose()


def _grant(cluster: Cluster) -> Grant:
    # As with Alibaba Cloud's other services, the session is named after the account.
    return Grant(cluster.account_id, MANAGED_SECURITY_ROLE, cluster.account_id, cluster.id)

"""The managed KMS plugins: one for each provider of a cluster, on a socket of its own.

A plugin knows the KMS only by its endpoint and a credentials URI of the role
AliyunCSManagedSecurityRole; what it does shows in the trail and on the bill like any client's.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

from acksim.account.metadata import Grant, RoleCredentials
from acksim.account.ram.roles import MANAGED_SECURITY_ROLE
from acksim.ack.cluster import Cluster, ClusterError, Provider
from acksim.ack.providers import providers_of
from acksim.data_dir.layout import Layout
from alibaba_edge.client.credentials import UriCredentials
from alibaba_edge.client.errors import KmsError
from alibaba_edge.client.http import HttpClient
from alibaba_edge.client.kms import KeyDescription, KmsClient
from alibaba_kms_plugin.server import KmsPlugin, KmsPluginSettings

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
        on_failure: Callable[[str], None] = lambda _cluster_id: None,
    ) -> None:
        """`on_failure` hears the cluster whose plugin was refused by the KMS."""
        self._layout = layout
        self._endpoint = endpoint
        self._roles = roles
        self._now = now
        self._on_failure = on_failure
        self._http = HttpClient()
        self._looking: dict[str, tuple[KmsClient, str]] = {}
        self._running: dict[str, dict[str, tuple[KmsPlugin, str]]] = {}

    def socket(self, provider: Provider) -> Path:
        return self._layout.socket(provider.socket)

    async def resolve_key(self, cluster: Cluster) -> str:
        """The id of the cluster's key, asked of the KMS as the role; raises ClusterError."""
        return (await self.describe_key(cluster, cluster.key_id or "")).key_id

    async def describe_key(self, cluster: Cluster, key_id: str) -> KeyDescription:
        """A key as the cluster's role finds it, by id, alias or ARN; raises ClusterError."""
        looking = self._looking.get(cluster.id) or self._client(cluster)
        try:
            return await looking[0].describe_key(key_id)
        except KmsError as error:
            raise ClusterError(error.code or "ErrorKms", error.message) from None
        finally:  # a running cluster is looked at again, with the same session
            if cluster.id in self._running:
                kept = self._looking.setdefault(cluster.id, looking)
            else:
                kept = None
            if kept is not looking:
                self._roles.revoke(looking[1])

    def _client(self, cluster: Cluster) -> tuple[KmsClient, str]:
        uri = self._roles.uri(_grant(cluster))
        source = UriCredentials(uri, self._http, now=self._now)
        return KmsClient(self._endpoint, self._http, source, region=cluster.region), uri

    async def start(self, cluster: Cluster) -> None:
        """Listens on each provider's socket; keys themselves are asked only when needed."""
        for provider in providers_of(cluster):
            await self._start(cluster, provider)

    async def _start(self, cluster: Cluster, provider: Provider) -> None:
        running = self._running.setdefault(cluster.id, {})
        if provider.name in running:
            return
        uri = self._roles.uri(_grant(cluster))
        settings = KmsPluginSettings(
            socket=self.socket(provider),
            endpoint=self._endpoint,
            key_id=provider.key_id,
            credentials=uri,
            region=cluster.region,
        )
        plugin = KmsPlugin(
            settings,
            now=self._now,
            http=self._http,
            on_failure=partial(self._on_failure, cluster.id),
        )
        running[provider.name] = (plugin, uri)  # before it waits: nobody else starts it
        try:
            await plugin.start()
        except BaseException:
            del running[provider.name]
            raise

    async def stop_others(self, cluster: Cluster) -> None:
        """Stops the plugins of providers that the cluster has no more."""
        kept = {provider.name for provider in providers_of(cluster)}
        for name in self._running.get(cluster.id, {}).keys() - kept:
            await self._stop(cluster.id, name)

    async def stop(self, cluster_id: str) -> None:
        for name in tuple(self._running.get(cluster_id, ())):
            await self._stop(cluster_id, name)
        self._running.pop(cluster_id, None)
        if (looking := self._looking.pop(cluster_id, None)) is not None:
            self._roles.revoke(looking[1])

    async def _stop(self, cluster_id: str, name: str) -> None:
        plugin, uri = self._running[cluster_id].pop(name)
        await plugin.stop()
        self._roles.revoke(uri)

    async def stop_all(self) -> None:
        for cluster_id in tuple(self._running):
            await self.stop(cluster_id)
        await self._http.aclose()


def _grant(cluster: Cluster) -> Grant:
    # As with Alibaba Cloud's other services, the session is named after the account.
    return Grant(cluster.account_id, MANAGED_SECURITY_ROLE, cluster.account_id, cluster.id)

"""What a cluster's API servers say of themselves: which encryption they serve, and its health.

Asked over HTTPS as the cluster's administrator. A name may stand for several servers, as a
headless service does: each address is asked, and all must agree. Where nobody listens no server
is; one that starts there reads the newest file.
"""

import asyncio
import errno
import re
import socket
import ssl
from urllib.parse import urlsplit

import httpx

from acksim.ack.cluster import Cluster
from acksim.ack.kubeconfig import ADMIN_GROUP, ADMIN_USER, ApiServerAddress
from acksim.ack.pki import LocalAuthority
from acksim.clients.kubernetes import load_pem

# Upstream's metric: the hash of the file whose transformers are in use since the last swap.
_SERVED = re.compile(
    r'^apiserver_encryption_config_controller_last_config_info\{[^}]*hash="(sha256:[0-9a-f]+)"',
    re.MULTILINE,
)
_TIMEOUT_SECONDS = 20.0  # a health check may wait for each provider's own three seconds


class ApiServers:
    """The API servers of every cluster, at one address."""

    def __init__(self, authority: LocalAuthority, address: ApiServerAddress) -> None:
        self._authority = authority
        self._url = urlsplit(address.private)

    async def objection(self, cluster: Cluster, digest: str) -> str | None:
        """Why not every API server serves that EncryptionConfiguration, in health; else None."""
        try:
            addresses = await self._listening()
            async with httpx.AsyncClient(
                verify=await asyncio.to_thread(self._trust, cluster),
                timeout=_TIMEOUT_SECONDS,
                trust_env=False,
            ) as http:
                asked = (self._ask(http, address, cluster, digest) for address in addresses)
                answers = await asyncio.gather(*asked)
        except (OSError, httpx.HTTPError) as error:
            return f"an API server does not answer: {str(error) or type(error).__name__}"
        return next((answer for answer in answers if answer is not None), None)

    async def _ask(
        self, http: httpx.AsyncClient, address: str, cluster: Cluster, digest: str
    ) -> str | None:
        metrics = await self._get(http, address, f"{cluster.path}/metrics")
        served = _SERVED.search(metrics.text)
        if served is None or served[1] != digest:
            return f"the API server at {address} serves an earlier encryption configuration"
        health = await self._get(http, address, f"{cluster.path}/healthz/kms-providers")
        return None if health.status_code == 200 else health.text.strip()

    async def _get(self, http: httpx.AsyncClient, address: str, path: str) -> httpx.Response:
        return await http.get(
            f"https://{address}{path}",
            headers={"Host": self._url.netloc},
            extensions={"sni_hostname": self._url.hostname},
        )

    async def _listening(self) -> list[str]:
        """The addresses where somebody listens; raises OSError if it is none of them."""
        port = self._url.port or 443
        found = await asyncio.get_running_loop().getaddrinfo(
            self._url.hostname, port, type=socket.SOCK_STREAM
        )
        hosts = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
        listens = await asyncio.gather(*(_listens(host, port) for host in hosts))
        there = [host for host, answer in zip(hosts, listens, strict=True) if answer]
        if not there:
            raise ConnectionRefusedError(f"connection refused by {', '.join(hosts)}")
        return [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host in there]

    def _trust(self, cluster: Cluster) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self._authority.certificate_path))
        pair = self._authority.client(ADMIN_USER, [ADMIN_GROUP], cluster.id)
        load_pem(context, pair.certificate + pair.private_key)
        return context


async def _listens(host: str, port: int) -> bool:
    """False where a connection is refused; whatever else goes wrong is for the question to tell."""
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        # `localhost` may have an IPv6 address on a machine that does without.
        return error.errno not in {errno.ECONNREFUSED, errno.EADDRNOTAVAIL}
    writer.close()
    return True

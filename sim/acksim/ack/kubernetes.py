"""A cluster's Kubernetes API as the control plane writes to it: with a certificate, over HTTPS."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson

from acksim.ack.cluster import Cluster, ClusterError
from acksim.ack.kubeconfig import ADMIN_GROUP, ApiServerAddress
from acksim.ack.pki import LocalAuthority
from acksim.clients.kubernetes import load_pem

_USER = "ack-control-plane"
_TIMEOUT_SECONDS = 10.0
_NOT_FOUND = 404
_APPLY = {"Content-Type": "application/apply-patch+yaml"}

Object = dict[str, Any]


class KubernetesError(ClusterError):
    """The API server did not answer, or not as hoped."""

    def __init__(self, message: str) -> None:
        super().__init__("ErrorClusterUnreachable", message)


class KubernetesSession:
    """One connection to one cluster; every method raises KubernetesError."""

    def __init__(self, http: httpx.AsyncClient, cluster: Cluster) -> None:
        self._http = http
        self._cluster = cluster

    async def exists(self, path: str) -> bool:
        return await self._send("GET", path) is not None

    async def items(self, path: str, *, selector: str) -> list[Object]:
        """Of a list, those that the label selector chooses."""
        found = await self._send("GET", path, params={"labelSelector": selector})
        items: list[Object] = (found or {}).get("items", [])
        return items

    async def apply(self, path: str, wanted: Object) -> bool:
        """Creates or changes an object; False if its namespace is not there."""
        answer = await self._send(
            "PATCH",
            path,
            params={"fieldManager": _USER, "force": "true"},
            headers=_APPLY,
            content=orjson.dumps(wanted),
        )
        return answer is not None

    async def delete(self, path: str) -> None:
        """Whether it was there or not."""
        await self._send("DELETE", path)

    async def _send(self, method: str, path: str, **request: Any) -> Object | None:
        """None for what is not found."""
        try:
            answer = await self._http.request(method, self._cluster.path + path, **request)
        except httpx.HTTPError as error:
            raise KubernetesError(
                f"the API server of cluster {self._cluster.id} does not answer: "
                f"{str(error) or type(error).__name__}"
            ) from None
        if answer.status_code == _NOT_FOUND:
            return None
        if not answer.is_success:
            raise KubernetesError(
                f"the API server of cluster {self._cluster.id} answers {answer.status_code}: "
                f"{answer.text[:500]}"
            )
        document: Object = orjson.loads(answer.content)
        return document


class KubernetesApi:
    """The way into every cluster, as a member of system:masters."""

    def __init__(self, authority: LocalAuthority, address: ApiServerAddress) -> None:
        self._authority = authority
        self._address = address

    @contextlib.asynccontextmanager
    async def session(self, cluster: Cluster) -> AsyncIterator[KubernetesSession]:
        async with httpx.AsyncClient(
            base_url=self._address.private,
            verify=await asyncio.to_thread(self._trust, cluster),
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
        ) as http:
            yield KubernetesSession(http, cluster)

    def _trust(self, cluster: Cluster) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self._authority.certificate_path))
        pair = self._authority.client(_USER, [ADMIN_GROUP], cluster.id)
        load_pem(context, pair.certificate + pair.private_key)
        return context

"""Every product behind the real gateway, in this process: signed calls, strict, on databases.

What stands outside (API servers, KMS plugins, etcd) is played by `Outside`.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from acksim.account.actiontrail.lookup import Trail
from acksim.account.actiontrail.product import actiontrail_product
from acksim.account.billing.balances import Balances
from acksim.account.billing.records import Records
from acksim.account.bss.operations import bss_product
from acksim.account.credentials import Credentials, RootKey
from acksim.account.database import Database
from acksim.account.ledger import Ledger
from acksim.account.ram.authorizer import RamAuthorizer
from acksim.account.ram.generations import Generations
from acksim.account.ram.operations import ram_product
from acksim.account.ram.ram import Ram, ram_of
from acksim.account.seals import Seals
from acksim.account.sts.product import sts_product
from acksim.account.sts.sessions import Sessions
from acksim.ack.cluster import Cluster, ClusterError
from acksim.ack.cs import cs_product
from acksim.ack.cs.service import ContainerService
from acksim.ack.encryption import Encryption
from acksim.ack.kubeconfig import ApiServerAddress, Kubeconfigs
from acksim.ack.pki import LocalAuthority
from acksim.ack.service_roles import ServiceRoles
from acksim.ack.subscriptions import Subscriptions
from acksim.clients.alibaba import Signer
from acksim.clock import Clock
from alibaba_edge.gateway.product import Product
from alibaba_edge.ports import (
    ROOT_ACCESS_KEY_ID,
    ROOT_ACCESS_KEY_SECRET,
    ROOT_ACCOUNT_ID,
    wall_clock,
)
from alibaba_edge.signing.client import canonical_query, signed_headers
from kms_emulator.app import Emulator, KmsSettings, create_app
from kms_emulator.store import MemoryKeyStore
from tests.unit.acksim.ack.conftest import Outside, Plane, plane_on

HOST = "127.0.0.1"
_KMS = "2016-01-20"
ROOT = RootKey(ROOT_ACCOUNT_ID, ROOT_ACCESS_KEY_ID, ROOT_ACCESS_KEY_SECRET)


@dataclass
class Cloud:
    """`app` is what the ports serve; `ram` and `database` are for what no call can do."""

    app: Emulator
    database: Database
    ram: Ram
    plane: Plane
    store: MemoryKeyStore
    products: Mapping[str, Product]

    @classmethod
    async def open(cls, directory: Path) -> Self:
        clock = Clock(directory / "clock.json")
        database = Database(directory / "account.db")
        generations = Generations(database)
        credentials = Credentials(database, generations, clock.now)
        await credentials.ensure_account(ROOT, "root")
        ram = ram_of(database, generations, clock.now)
        plane = plane_on(database, clock, Outside())
        seals, sessions = await Seals.of(database), Sessions(database, clock.now)
        products = (
            ram_product(ram),
            sts_product(ram.roles, sessions),
            actiontrail_product(Trail(database), seals),
            bss_product(Balances(database, clock.now), Records(database)),
            cs_product(_container_service(directory, database, ram, plane)),
        )
        authorizer = RamAuthorizer(database, generations)
        store = MemoryKeyStore()
        app = create_app(
            KmsSettings(),
            store=store,
            identify=credentials,
            authorizer=authorizer,
            diagnose=authorizer.diagnose,
            call_log=Ledger(database),
            products=products,
            now=wall_clock,
        )
        named = {product.name: product for product in products}
        return cls(app, database, ram, plane, store, named)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.plane.clusters.stop()
        with suppress(asyncio.CancelledError):
            await self.store.close()
        self.database.close()

    async def call(
        self,
        action: str,
        parameters: Mapping[str, str] | None = None,
        *,
        version: str = _KMS,
        signer: Signer | None = None,
    ) -> httpx.Response:
        """An RPC call."""
        return await self.send("POST", "/", action, version, parameters or {}, None, signer)

    async def ok(
        self,
        action: str,
        parameters: Mapping[str, str] | None = None,
        *,
        version: str = _KMS,
        signer: Signer | None = None,
    ) -> dict[str, Any]:
        answer = await self.call(action, parameters, version=version, signer=signer)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def send(
        self,
        method: str,
        path: str,
        action: str,
        version: str,
        query: Mapping[str, str],
        body: Any = None,
        signer: Signer | None = None,
    ) -> httpx.Response:
        """`path` as it is sent; `body` becomes JSON."""
        parameters = canonical_query(query)
        content = b"" if body is None else json.dumps(body).encode()
        headers = signed_headers(
            action,
            parameters,
            version=version,
            host=HOST,
            signed_at=datetime.now(UTC),
            key=signer or Signer.of_root(),
            method=method,
            path=path,
            body=content,
        )
        return await self.client.request(
            method, f"{path}?{parameters}", headers=headers, content=content
        )

    @property
    def client(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=True)
        return httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}")


def _container_service(
    directory: Path, database: Database, ram: Ram, plane: Plane
) -> ContainerService:
    address = ApiServerAddress("https://127.0.0.1:6443", "https://apiserver:6443")
    roles = ServiceRoles(ram.roles)

    async def no_key(_cluster: Cluster, key_id: str) -> Any:
        raise ClusterError("Forbidden.KeyNotFound", f"{key_id} is not found")

    return ContainerService(
        plane.clusters,
        encryption=Encryption(
            tasks=plane.tasks,
            events=plane.events,
            keys=no_key,
            roles=roles,
            grants=plane.grants,
            switch=_BusySwitch(),
            now=plane.clock.now,
        ),
        permissions=plane.permissions,
        tasks=plane.tasks,
        events=plane.events,
        kubeconfigs=Kubeconfigs(LocalAuthority(directory / "pki"), address),
        subscriptions=Subscriptions(database, plane.clock.now),
        roles=roles,
        address=address,
    )


class _BusySwitch:
    """Never begins."""

    async def begin(
        self,
        cluster_id: str,
        key_id: str | None,
        **changes: object,
    ) -> Cluster:
        raise ClusterError("ErrorClusterState", f"{cluster_id} is busy")

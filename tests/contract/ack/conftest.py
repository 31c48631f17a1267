"""The control plane as its clients see it: one world, an account and a cluster of one's own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from alibabacloud_cs20151215 import models
from alibabacloud_cs20151215.client import Client
from alibabacloud_tea_openapi.models import Config

from acksim.clients.alibaba import ApiClient, Signer
from acksim.clients.kms import Kms
from acksim.clients.world import World
from tests.contract.ack.waiting import wait_until

REGION = "cn-hangzhou"


@dataclass(frozen=True, slots=True)
class Account:
    """A fresh account as its owner uses it; `host` may name a region."""

    world: World
    id: str
    access_key_id: str
    access_key_secret: str

    def client(self, *, host: str | None = None, **config: str) -> Any:
        """The unmodified SDK."""
        address = self.world.facts.endpoint.removeprefix("http://")
        return Client(
            Config(
                **{
                    "access_key_id": self.access_key_id,
                    "access_key_secret": self.access_key_secret,
                    "endpoint": host or address,
                    "protocol": "HTTP",
                    "region_id": REGION,
                    **config,
                }
            )
        )

    @property
    def kms(self) -> Kms:
        return Kms(self.world.facts.endpoint, self.access_key_id, self.access_key_secret)

    def ram(self, action: str, **parameters: str) -> dict[str, Any]:
        signer = Signer(self.access_key_id, self.access_key_secret)
        return ApiClient(self.world.facts.endpoint, signer, version="2015-05-01").call(
            action, **parameters
        )

    def new_key(self, **parameters: str) -> str:
        key_id: str = self.kms.call("CreateKey", **parameters)["KeyMetadata"]["KeyId"]
        return key_id

    def new_cluster(self, **fields: Any) -> str:
        """The id of a running one; Pro unless told otherwise."""
        client = self.client()
        request = models.CreateClusterRequest(
            **{"name": "shop", "cluster_spec": "ack.pro.small", **fields}
        )
        cluster_id: str = client.create_cluster(request).body.cluster_id
        self.wait_for(cluster_id, "running")
        return cluster_id

    def wait_for(self, cluster_id: str, state: str) -> Any:
        """The cluster's detail once it is in that state."""
        client = self.client()

        def reached() -> Any:
            detail = client.describe_cluster_detail(cluster_id).body
            return detail if detail.state == state else None

        return wait_until(reached, f"cluster {cluster_id} is not {state}")

    def wait_until_gone(self, cluster_id: str) -> None:
        client = self.client()

        def gone() -> bool:
            try:
                client.describe_cluster_detail(cluster_id)
            except Exception as error:  # noqa: BLE001 - the SDK's, which has a code
                return getattr(error, "code", "") == "ErrorClusterNotFound"
            return False

        wait_until(gone, f"cluster {cluster_id} does not go")


@pytest.fixture
def account(acksim: World) -> Iterator[Account]:
    made = acksim.new_account()
    account = Account(acksim, made["account_id"], made["access_key_id"], made["access_key_secret"])
    yield account
    for cluster in acksim.clusters():
        if cluster["account_id"] == account.id:
            acksim.delete_cluster(cluster["cluster_id"])
    acksim.move_clock(reset=True)


@pytest.fixture
def client(account: Account) -> Any:
    return account.client()


@pytest.fixture
def refused() -> Callable[..., Any]:
    """Calls and answers the SDK's own exception: e.code, e.message, e.data."""

    def call(function: Callable[..., object], *arguments: object) -> Any:
        with pytest.raises(Exception) as raised:  # noqa: PT011 - the test looks at its code
            function(*arguments)
        return raised.value

    return call

"""What the pytest fixtures hand out; usable without pytest as well."""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from acksim.clients.alibaba import Signer
from acksim.clients.cs import CsClient
from acksim.clients.etcd import read_one
from acksim.clients.kms import Kms
from acksim.clients.readiness import Readiness, readiness
from acksim.clients.trail import TrailClient, TrailQuery
from acksim.clients.world import World, WorldError
from acksim.data_dir.layout import write_private
from acksim.world.launcher import ephemeral_world

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api

_LOOK_EVERY_SECONDS = 0.1


@contextlib.contextmanager
def session_world() -> Iterator[World]:
    """A world on free ports that forgets everything at the end."""
    with ephemeral_world() as (world, _):
        yield world


class ClusterUnderTest:
    """One cluster with its key, and every way to look at it."""

    def __init__(
        self, world: World, signer: Signer, account_id: str, facts: dict[str, Any]
    ) -> None:
        self.world = world
        self.signer = signer  # of the account's owner
        self.kms = _kms(world, signer)
        self.account_id = account_id
        self.facts = facts
        self._folder = tempfile.TemporaryDirectory(prefix="acksim-")

    @classmethod
    def create(
        cls, world: World, *, kms: Literal["v1", "v2"] = "v1", encrypted: bool = True
    ) -> "ClusterUnderTest":
        """A fresh account, a fresh key, a fresh cluster: milliseconds."""
        account = world.new_account()
        signer = Signer(account["access_key_id"], account["access_key_secret"])
        key_id = (
            _kms(world, signer).create_key(description="of a test")["KeyId"] if encrypted else None
        )
        account_id = account["account_id"]
        facts = world.create_cluster("test", account_id=account_id, key_id=key_id, kms=kms)
        return cls(world, signer, account_id, facts)

    @property
    def id(self) -> str:
        cluster_id: str = self.facts["cluster_id"]
        return cluster_id

    @property
    def key_id(self) -> str:
        """Raises ValueError for a cluster that is not encrypted."""
        key_id: str | None = self.facts["key_id"]
        if key_id is None:
            raise ValueError("this cluster has no key: its marker says encrypted=False")
        return key_id

    @cached_property
    def kubeconfig(self) -> Path:
        """A file for kubectl or any client."""
        path = Path(self._folder.name) / "kubeconfig"
        write_private(path, self.world.kubeconfig(self.id))
        return path

    @cached_property
    def core_v1(self) -> "CoreV1Api":
        """The official Python client, as the cluster's administrator."""
        from kubernetes import client, config  # noqa: PLC0415 - heavy, and not every test asks

        return client.CoreV1Api(config.new_client_from_config(config_file=str(self.kubeconfig)))

    def create_secret(self, name: str, *, namespace: str = "default", **data: str) -> None:
        """An Opaque Secret; raises the client's ApiException."""
        body = {"metadata": {"name": name}, "stringData": data}
        self.core_v1.create_namespaced_secret(namespace, body)

    def raw_secret(self, name: str, *, namespace: str = "default") -> bytes:
        """What etcd holds for it, as it lies there."""
        key = f"{self.facts['etcd_prefix']}/secrets/{namespace}/{name}"
        return read_one(self.world.facts.etcd, key)

    def disable_key(self) -> None:
        self.kms.call("DisableKey", KeyId=self.key_id)

    def enable_key(self) -> None:
        self.kms.call("EnableKey", KeyId=self.key_id)

    def schedule_key_deletion(self, days: int = 7) -> None:
        self.kms.call("ScheduleKeyDeletion", KeyId=self.key_id, PendingWindowInDays=days)

    def begin_switch(self, key_id: str | None) -> str:
        """UpdateKMSEncryption: to a key, or off with None; the id of its task.

        Raises ApiRefusedError, also within five (simulated) minutes after the last one.
        """
        region = self.facts["region"]
        client = CsClient(self.world.facts.endpoint, self.signer, region=region)
        return client.update_kms_encryption(self.id, key_id)

    def switch_encryption(self, key_id: str | None) -> None:
        """The same, to its end; what is stored stays as it is. Raises WorldError if given up."""
        self.begin_switch(key_id)
        while (facts := self.world.cluster(self.id))["state"] == "updating":
            time.sleep(_LOOK_EVERY_SECONDS)
        self.facts = facts
        if facts["key_id"] != key_id:
            raise WorldError("the API server did not accept it; `acksim cluster show` says why")

    def restart(self) -> None:
        """The API server starts afresh: every cached DEK is gone."""
        self.world.restart_cluster(self.id)

    def advance_clock(self, duration: str) -> None:
        """Such as `8d`; the fixture sets the clock back after the test."""
        self.world.move_clock(advance=duration)

    def readiness(self) -> Readiness:
        return readiness(self.world, self.facts)

    def trail(self, **attributes: str) -> list[dict[str, Any]]:
        """Events of the test's own account, newest first; by LookupEvents' keys, as in
        `trail(EventName="Encrypt", EventRW="Read")`."""
        client = TrailClient(self.world.facts.endpoint, self.signer)
        return list(client.events(TrailQuery(attributes)))

    def bill(self) -> dict[str, Any]:
        return self.world.bill(account_id=self.account_id)

    def delete(self) -> None:
        """The cluster and everything it stored; its key stays with its account."""
        if "core_v1" in self.__dict__:
            self.core_v1.api_client.close()
        self.world.delete_cluster(self.id)
        self._folder.cleanup()


def _kms(world: World, signer: Signer) -> Kms:
    return Kms(world.facts.endpoint, signer.access_key_id, signer.access_key_secret)

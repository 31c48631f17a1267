"""Many Secrets, and clients that never stop asking for them."""

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from acksim.clients.kubernetes import KubernetesAccess, kubernetes_access
from acksim.testing import ClusterUnderTest
from apiserver_shim.encryption.transformer import TransformerSet
from apiserver_shim.storage.etcd import EtcdClient
from apiserver_shim.storage.store import Key, Store
from tests.patience import PATIENCE

SECRETS = "/api/v1/namespaces/default/secrets"
VALUE = "aHVudGVyMg=="


def access(cluster: ClusterUnderTest) -> KubernetesAccess:
    return kubernetes_access(cluster.world.kubeconfig(cluster.id))


def client(cluster: ClusterUnderTest) -> httpx.AsyncClient:
    known = access(cluster)
    return httpx.AsyncClient(
        base_url=known.server, verify=known.context, timeout=PATIENCE, trust_env=False
    )


def secret(name: str) -> dict[str, Any]:
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"00000000-0000-0000-0000-{random.getrandbits(48):012x}",
            "creationTimestamp": created,
        },
        "data": {"password": VALUE},
        "type": "Opaque",
    }


def fill(cluster: ClusterUnderTest, number: int) -> None:
    """Plain Secrets `app0` and so on, stored by the API server's own code without its HTTP."""

    async def run() -> None:
        etcd = EtcdClient(cluster.world.facts.etcd)
        prefix = cluster.facts["etcd_prefix"]
        store = Store(etcd, prefix=prefix, transformers=TransformerSet({}))
        names = iter(range(number))

        async def work() -> None:
            for index in names:
                name = f"app{index}"
                await store.create(Key("secrets", "default", name), secret(name))

        try:
            await asyncio.gather(*(work() for _ in range(16)))
        finally:
            await etcd.close()

    asyncio.run(run())


@dataclass(slots=True)
class Load:
    """What the clients did, and what failed."""

    reads: int = 0
    lists: int = 0
    writes: int = 0
    failures: list[str] = field(default_factory=list)


@contextmanager
def under_load(cluster: ClusterUnderTest, number: int) -> Iterator[Load]:
    """Readers of single Secrets and of pages, and writers, from begin to end without a pause."""
    load = Load()
    ending = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_load(cluster, number, load, ending)))
    thread.start()
    try:
        yield load
    finally:
        ending.set()
        thread.join()


async def _load(
    cluster: ClusterUnderTest, number: int, load: Load, ending: threading.Event
) -> None:
    async with client(cluster) as http:

        async def read() -> None:
            while not ending.is_set():
                path = f"{SECRETS}/app{random.randrange(number)}"
                answer = await http.get(path)
                if answer.status_code != 200 or answer.json()["data"]["password"] != VALUE:
                    load.failures.append(f"GET {path}: {answer.text}")
                load.reads += 1

        async def turn_pages() -> None:
            token = ""
            while not ending.is_set():
                answer = await http.get(SECRETS, params={"limit": 250, "continue": token})
                if answer.status_code != 200:
                    load.failures.append(f"LIST: {answer.text}")
                    continue
                token = answer.json()["metadata"].get("continue", "")
                load.lists += 1

        async def write(writer: int) -> None:
            while not ending.is_set():
                name = f"new{writer}-{load.writes}"
                body = {"metadata": {"name": name}, "data": {"password": VALUE}}
                answers = [await http.post(SECRETS, json=body)]
                patch = {"metadata": {"annotations": {"written": name}}}
                path = f"{SECRETS}/app{random.randrange(number)}"
                merge = {"Content-Type": "application/merge-patch+json"}
                answers.append(await http.patch(path, json=patch, headers=merge))
                load.failures += [one.text for one in answers if not one.is_success]
                load.writes += 2
                await asyncio.sleep(0.05)

        tasks = [read(), read(), turn_pages(), write(0), write(1)]
        try:
            await asyncio.gather(*tasks)
        except httpx.HTTPError as error:
            load.failures.append(repr(error))

"""One name, two API servers: a configuration is served when both serve it."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from acksim.ack import api_servers
from acksim.ack.api_servers import ApiServers
from acksim.ack.cluster import Cluster
from acksim.ack.kubeconfig import ApiServerAddress
from acksim.ack.pki import LocalAuthority
from acksim.data_dir.layout import Layout
from acksim.testing import ClusterUnderTest
from apiserver_shim.encryption import config
from tests.patience import PATIENCE

FIRST, SECOND = "127.0.0.1", "127.0.0.2"


def record(cluster: ClusterUnderTest) -> Cluster:
    """As the control plane knows it, as far as it matters here."""
    moment, facts = datetime.now(UTC), cluster.facts
    return Cluster(
        id=facts["cluster_id"],
        account_id=facts["account_id"],
        region=facts["region"],
        name=facts["name"],
        key_id=facts["key_id"],
        kms_version=facts["kms"],
        incarnation=1,
        created=moment,
        updated=moment,
        creator="",
    )


@dataclass
class Servers:
    """What the control plane hears of both, for the file that a cluster has now."""

    cluster: ClusterUnderTest
    second: "asyncio.subprocess.Process"

    @property
    def port(self) -> int:
        return urlsplit(self.cluster.world.facts.kubernetes).port or 0

    async def objection(self) -> str | None:
        layout = Layout.of(self.cluster.world.facts.data_dir)
        address = ApiServerAddress("", f"https://localhost:{self.port}")
        content = (layout.clusters / self.cluster.id / "encryption.yaml").read_bytes()
        servers = ApiServers(LocalAuthority(layout.pki), address)
        return await servers.objection(record(self.cluster), config.digest(content))

    async def until(self, holds: Callable[[str | None], bool]) -> str | None:
        async with asyncio.timeout(PATIENCE):
            while True:
                if holds(found := await self.objection()):
                    return found
                await asyncio.sleep(0.1)


@pytest.fixture
async def servers(
    acksim_cluster: ClusterUnderTest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Servers]:
    facts = acksim_cluster.world.facts
    port = urlsplit(facts.kubernetes).port
    log = (Path(facts.data_dir) / "logs" / "apiserver-2.log").open("w")
    second = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "acksim", "serve", "apiserver"),
        *("--data-dir", facts.data_dir, "--etcd", ",".join(facts.etcd)),
        env={**os.environ, "ACKSIM_HOST": SECOND, "ACKSIM_KUBERNETES_PORT": str(port)},
        stdin=subprocess.DEVNULL,
        stderr=log,
    )
    resolve: Callable[..., Awaitable[Any]] = asyncio.get_running_loop().getaddrinfo

    async def both(host: str, *arguments: Any, **options: Any) -> list[Any]:
        hosts = (FIRST, SECOND) if host == "localhost" else (host,)
        return [entry for one in hosts for entry in await resolve(one, *arguments, **options)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both, raising=False)
    monkeypatch.setattr(api_servers, "_TIMEOUT_SECONDS", 2.0)
    try:
        yield Servers(acksim_cluster, second)
    finally:
        if second.returncode is None:
            second.kill()
        await second.wait()
        log.close()


def switch(cluster: ClusterUnderTest) -> None:
    """By the world's own control plane, which knows of the first server alone."""
    cluster.switch_encryption(cluster.kms.create_key()["KeyId"])


async def test_both_must_serve_it_and_one_that_is_gone_need_not(servers: Servers) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("127.0.0.2 is there on Linux alone")
    while not await api_servers._listens(SECOND, servers.port):
        assert servers.second.returncode is None
        await asyncio.sleep(0.1)
    await servers.until(lambda told: told is None)
    servers.second.send_signal(signal.SIGSTOP)
    await asyncio.to_thread(switch, servers.cluster)
    found = await servers.until(lambda told: told is not None and "earlier" not in told)
    assert found is not None
    assert "does not answer" in found  # it may still write with what it has
    servers.second.send_signal(signal.SIGCONT)
    await servers.until(lambda told: told is None)
    servers.second.kill()
    await servers.second.wait()
    assert await servers.objection() is None


async def test_nobody_there_is_an_objection(acksim_cluster: ClusterUnderTest) -> None:
    layout = Layout.of(acksim_cluster.world.facts.data_dir)
    address = ApiServerAddress("", "https://127.0.0.1:1")
    servers = ApiServers(LocalAuthority(layout.pki), address)
    found = await servers.objection(record(acksim_cluster), "sha256:0")
    assert found == "an API server does not answer: connection refused by 127.0.0.1"

"""Five thousand Secrets, clients that never stop, and processes that are killed.

A world of its own, because its emulator is killed.
"""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Literal

import httpx
import pytest

from acksim.ack.coverage import Coverage, survey
from acksim.clients.world import World
from acksim.testing import ClusterUnderTest
from acksim.world.launcher import Launcher, ephemeral_world
from apiserver_shim.storage.etcd import EtcdClient
from tests.contract.acksim.load import SECRETS, VALUE, client, fill, under_load
from tests.patience import PATIENCE


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[World, Launcher]]:
    with ephemeral_world() as pair:
        yield pair


@pytest.fixture
def world(place: tuple[World, Launcher]) -> World:
    return place[0]


@pytest.fixture
def kill_emulator(place: tuple[World, Launcher]) -> Callable[[], None]:
    """kill -9, then a new process on the same files, as a supervisor would."""

    def kill() -> None:
        world, launcher = place
        (child,) = [one for one in launcher.supervisor.children if one.name == "emulator"]
        assert child.process is not None
        child.process.send_signal(signal.SIGKILL)
        child.process.wait()
        child.starts.clear()  # a supervisor would give up on one that falls this often
        launcher.supervisor.restart(child)
        url = world.facts.control + "/healthz"

        def answers() -> bool:
            try:
                return httpx.get(url, trust_env=False).is_success
            except httpx.HTTPError:
                return False

        wait_until(answers, "the emulator did not come back")

    return kill


def wait_until(condition: Callable[[], bool], what: str, *, pause: float = 0.05) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(pause)


def cluster_of(world: World, version: Literal["v1", "v2"], number: int) -> ClusterUnderTest:
    cluster = ClusterUnderTest.create(world, kms=version, encrypted=False)
    assert cluster.core_v1.list_namespaced_secret("default").items == []
    fill(cluster, number)
    return cluster


def switch(cluster: ClusterUnderTest, key_id: str | None) -> None:
    cluster.advance_clock("5m")  # time enough after the one before
    cluster.begin_switch(key_id)
    finish(cluster, key_id)


def finish(cluster: ClusterUnderTest, key_id: str | None) -> None:
    wait_until(lambda: state(cluster)["state"] == "running", "the switch did not end")
    found = state(cluster)
    assert (found["key_id"], found["switch_stage"]) == (key_id, None)


def state(cluster: ClusterUnderTest) -> dict[str, Any]:
    return cluster.world.cluster(cluster.id)


def acksim(cluster: ClusterUnderTest, *words: str) -> list[str]:
    place = ["--data-dir", cluster.world.facts.data_dir]
    return [sys.executable, "-m", "acksim", "cluster", *words, *place]


def rewrite(cluster: ClusterUnderTest, *, code: int = 0) -> dict[str, Any]:
    done = subprocess.run(
        acksim(cluster, "rewrite", cluster.id, "--json", "--concurrency", "16"),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == code, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def keys(cluster: ClusterUnderTest) -> dict[str | None, int]:
    """How many Secrets depend on each key."""

    async def read() -> Coverage:
        etcd = EtcdClient(cluster.world.facts.etcd)
        try:
            return await survey(etcd, cluster.facts["etcd_prefix"])
        finally:
            await etcd.close()

    known = {one["name"]: one["key_id"] for one in state(cluster)["providers"]}
    found: Counter[str | None] = Counter()
    for seal, count in asyncio.run(read()).groups():
        found[None if seal.provider is None else known[seal.provider]] += count
    return dict(found)


def read_all(cluster: ClusterUnderTest, number: int) -> None:
    """Every Secret, by a server that remembers no key."""
    cluster.restart()

    async def run() -> set[str]:
        names: set[str] = set()
        token = ""
        async with client(cluster) as http:
            while True:
                answer = await http.get(SECRETS, params={"limit": 500, "continue": token})
                assert answer.status_code == 200, answer.text
                for item in answer.json()["items"]:
                    assert item["data"]["password"] == VALUE
                    names.add(item["metadata"]["name"])
                token = answer.json()["metadata"].get("continue", "")
                if not token:
                    return names

    assert asyncio.run(run()) >= {f"app{index}" for index in range(number)}


@pytest.mark.parametrize(("version", "number"), [("v2", 5000), ("v1", 400)])
def test_on_to_another_key_and_off_without_a_failed_read(
    world: World, version: Literal["v1", "v2"], number: int
) -> None:
    cluster = cluster_of(world, version, number)
    first, second = (cluster.kms.create_key()["KeyId"] for _ in range(2))
    with under_load(cluster, number) as load:
        for target in (first, second, None):
            before = load.reads
            switch(cluster, target)
            assert load.reads > before
    assert load.failures == []
    assert min(load.lists, load.writes) > 0
    assert set(keys(cluster)) == {None, first, second}
    read_all(cluster, number)
    cluster.delete()


@pytest.mark.parametrize(
    ("stage", "target", "version"),
    [
        ("adding", "on", "v1"),
        ("adding", "another", "v2"),
        ("leading", "another", "v1"),
        ("leading", "off", "v2"),
    ],
)
def test_a_switch_that_is_killed_goes_on(
    world: World,
    kill_emulator: Callable[[], None],
    stage: str,
    target: str,
    version: Literal["v1", "v2"],
) -> None:
    cluster = cluster_of(world, version, 40)
    first, second = (cluster.kms.create_key()["KeyId"] for _ in range(2))
    if target != "on":
        switch(cluster, first)
        cluster.create_secret("sealed", password="hunter2")
    goal = {"on": first, "another": second, "off": None}[target]
    cluster.advance_clock("5m")
    cluster.begin_switch(goal)
    wait_until(lambda: state(cluster)["switch_stage"] == stage, "the stage was missed", pause=0)
    kill_emulator()
    finish(cluster, goal)
    cluster.create_secret("after", password="hunter2")
    read_all(cluster, 40)
    wanted = {None: 40, first: 1} if target != "on" else {None: 40}
    assert keys(cluster) == {**wanted, goal: wanted.get(goal, 0) + 1}
    cluster.delete()


def test_a_rewrite_that_is_killed_goes_on(world: World, kill_emulator: Callable[[], None]) -> None:
    """First the command, then the KMS under it; nobody who reads notices."""
    number = 600
    cluster = cluster_of(world, "v2", number)
    key_id = cluster.kms.create_key()["KeyId"]
    switch(cluster, key_id)
    with under_load(cluster, number) as load:
        running = subprocess.Popen(acksim(cluster, "rewrite", cluster.id))
        wait_until(lambda: keys(cluster).get(key_id, 0) > number // 8, "nothing was rewritten")
        running.kill()
        running.wait()
        sealed = keys(cluster)
        assert sealed[None] > 0, "it was over before it was killed"
        running = subprocess.Popen(acksim(cluster, "rewrite", cluster.id))
        wait_until(lambda: keys(cluster)[key_id] > sealed[key_id] + 50, "it did not go on")
        kill_emulator()
        running.wait(PATIENCE)
    assert [failure for failure in load.failures if "GET" in failure or "LIST" in failure] == []
    done = rewrite(cluster)
    assert done["failed"] == {}
    assert set(keys(cluster)) == {key_id}
    read_all(cluster, number)
    cluster.delete()

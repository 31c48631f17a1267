"""An etcd that hangs or dies: a clear answer in the Status shape, and recovery by itself."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from kubernetes.client import ApiException

from acksim.clients.world import World
from acksim.testing import ClusterUnderTest
from acksim.world.launcher import Launcher, ephemeral_world
from tests.patience import PATIENCE


@pytest.fixture(scope="module")
def own_world() -> Iterator[tuple[World, Launcher]]:
    """Not the session's: its etcd is mistreated."""
    with ephemeral_world() as (world, launcher):
        yield world, launcher


def etcd_pid(launcher: Launcher) -> int:
    guard = next(child for child in launcher.supervisor.children if child.name == "etcd")
    listing = subprocess.run(
        ["ps", "-o", "pid=,comm=", "--ppid", str(guard.pid)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return next(int(line.split()[0]) for line in listing.splitlines() if "etcd" in line)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    # The signal takes its time to reach every thread.
    while set(_output("ps", "-L", "-o", "state=", "-p", str(pid)).split()) != {"T"}:
        time.sleep(0.01)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def read(cluster: ClusterUnderTest) -> None:
    cluster.core_v1.read_namespaced_secret("app1", "default", _request_timeout=PATIENCE)


def test_an_etcd_that_hangs(own_world: tuple[World, Launcher]) -> None:
    world, launcher = own_world
    cluster = ClusterUnderTest.create(world)
    cluster.create_secret("app1", password="hunter2")
    with stopped(etcd_pid(launcher)):
        with pytest.raises(ApiException) as refused:  # not the client's own impatience
            read(cluster)
        assert refused.value.status in {500, 503, 504}
        assert '"kind":"Status"' in refused.value.body
        with pytest.raises(ApiException) as refused:
            cluster.create_secret("app2", password="hunter2")
        assert '"kind":"Status"' in refused.value.body
        health = cluster.readiness()
        assert not health.ready
        assert any("etcd" in name for name in health.failing)
    recovered(cluster)
    cluster.delete()


def test_an_etcd_that_dies_is_started_again_and_keeps_its_data(
    own_world: tuple[World, Launcher],
) -> None:
    world, launcher = own_world
    cluster = ClusterUnderTest.create(world)
    cluster.create_secret("app1", password="hunter2")
    child = next(child for child in launcher.supervisor.children if child.name == "etcd")
    os.kill(etcd_pid(launcher), signal.SIGKILL)
    assert child.process is not None
    child.process.wait(PATIENCE)
    with pytest.raises(ApiException) as refused:
        read(cluster)
    assert refused.value.status >= 500
    assert '"kind":"Status"' in refused.value.body
    launcher.supervisor.restart(child)
    recovered(cluster)
    cluster.delete()


def recovered(cluster: ClusterUnderTest) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            read(cluster)
            break
        except ApiException:
            assert time.monotonic() < deadline, "no recovery"
            time.sleep(0.1)
    assert cluster.readiness().ready

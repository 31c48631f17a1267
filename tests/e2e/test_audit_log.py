"""A world whose API servers keep an audit log, and clusters of different releases in it."""

import json
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, config

from acksim.clients.world import World, WorldError
from acksim.data_dir.layout import Layout
from acksim.settings import Ports, WorldSettings
from acksim.world.launcher import Launcher, temporary_data_dir
from tests.patience import PATIENCE


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    settings = WorldSettings(temporary_data_dir(), ports=Ports.free(), ephemeral=True, audited=True)
    launcher = Launcher(settings)
    try:
        yield launcher.start()
    finally:
        launcher.stop()


def api_client(world: World, cluster_id: str) -> client.ApiClient:
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(world.kubeconfig(cluster_id))
        file.flush()
        return config.new_client_from_config(config_file=file.name)


def events(world: World) -> list[dict[str, Any]]:
    log = Layout.of(world.facts.data_dir).audit
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_the_audit_log_says_who_did_what_and_holds_no_secret(world: World) -> None:
    with api_client(world, "default") as api:
        body = {"metadata": {"name": "audited"}, "stringData": {"password": "hunter2-hunter2"}}
        client.CoreV1Api(api).create_namespaced_secret("default", body)
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + PATIENCE
    while not found and time.monotonic() < deadline:
        time.sleep(0.05)
        found = [
            event
            for event in events(world)
            if event["verb"] == "create" and event["objectRef"]["resource"] == "secrets"
        ]
    (event,) = found
    assert event["apiVersion"] == "audit.k8s.io/v1"
    assert event["responseStatus"]["code"] == 201
    assert "system:masters" in event["user"]["groups"]
    log = Layout.of(world.facts.data_dir).audit
    assert "hunter2" not in log.read_text()
    assert log.stat().st_mode & 0o077 == 0


def test_a_cluster_plays_the_release_it_was_created_with(world: World) -> None:
    cluster = world.create_cluster("older", kubernetes_version="1.28.3-aliyun.1")
    told = []
    for cluster_id in ("default", cluster["cluster_id"]):
        with api_client(world, cluster_id) as api:
            version = client.VersionApi(api).get_code()
        told.append((version.minor, version.git_version))
    assert told == [("32", "v1.32.0-aliyun.1"), ("28", "v1.28.3-aliyun.1")]


@pytest.mark.parametrize("version", ["1.20", "1.99", "newest", "1.32.0 "])
def test_a_release_that_nobody_plays_is_refused(world: World, version: str) -> None:
    with pytest.raises(WorldError, match=r"InvalidParameter: .*expected 1\.27 to 1\.37"):
        world.create_cluster("odd", kubernetes_version=version)
    assert "odd" not in [cluster["name"] for cluster in world.clusters()]

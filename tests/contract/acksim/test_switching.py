"""A live cluster's Secret encryption switched on, off and to another key, under load."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from acksim.clients.alibaba import ApiRefusedError
from acksim.clients.etcd import describe
from acksim.clients.world import World
from acksim.testing import ClusterUnderTest
from tests.patience import PATIENCE


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def switch(cluster: ClusterUnderTest, key_id: str | None) -> None:
    """To its end; time enough after the one before."""
    cluster.advance_clock("5m")
    cluster.switch_encryption(key_id)


def new_key(cluster: ClusterUnderTest) -> str:
    key_id: str = cluster.kms.create_key()["KeyId"]
    return key_id


def sealed_by(cluster: ClusterUnderTest, name: str) -> str:
    return describe(cluster.raw_secret(name)).by


@pytest.mark.acksim(encrypted=False)
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_old_secrets_stay_as_they_are_and_readable(acksim: World, version: Any) -> None:
    cluster = ClusterUnderTest.create(acksim, kms=version, encrypted=False)
    try:
        first, second = new_key(cluster), new_key(cluster)
        raw: dict[str, bytes] = {}
        for number, target in enumerate((None, first, second, None, first)):
            if number:
                switch(cluster, target)
            name = f"app{number}"
            cluster.create_secret(name, password=f"hunter{number}")
            raw[name] = cluster.raw_secret(name)
        for number, name in enumerate(raw):
            assert cluster.raw_secret(name) == raw[name]
            found = cluster.core_v1.read_namespaced_secret(name, "default")
            assert found.metadata.name == f"app{number}"
        seals = [sealed_by(cluster, name) for name in raw]
        assert seals[0] == seals[3] == "nobody: plain Kubernetes protobuf"
        assert seals[1] == seals[4] == f"kms:{version} grpc-kms-provider"
        assert seals[2].startswith(f"kms:{version} grpc-kms-provider-")
        events = cluster.trail(EventName="Encrypt")
        assert {event["requestParameters"]["KeyId"] for event in events} == {first, second}
    finally:
        cluster.delete()


def test_a_second_switch_at_once_is_refused(acksim_cluster: ClusterUnderTest) -> None:
    acksim_cluster.begin_switch(new_key(acksim_cluster))
    with pytest.raises(ApiRefusedError, match="ErrorClusterState"):
        acksim_cluster.begin_switch(None)


def test_readiness_covers_each_provider(acksim_cluster: ClusterUnderTest) -> None:
    """The old key is still needed for what it sealed, so its end is not passed over."""
    old = acksim_cluster.key_id
    acksim_cluster.create_secret("app", password="hunter2")
    switch(acksim_cluster, new_key(acksim_cluster))
    assert acksim_cluster.readiness().ready
    acksim_cluster.kms.call("DisableKey", KeyId=old)
    acksim_cluster.restart()
    wait_until(lambda: not acksim_cluster.readiness().ready, "a dead provider was not noticed")
    (reason,) = acksim_cluster.readiness().failing.values()
    assert "kms-provider-1: " in reason
    assert "Rejected.Disabled" in reason

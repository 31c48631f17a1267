"""What each Secret depends on, and making it depend on something else: coverage and rewrite."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acksim.cli import main
from acksim.clients.alibaba import Signer
from acksim.clients.etcd import describe
from acksim.clients.kms import Kms
from acksim.clients.world import World
from acksim.testing import ClusterUnderTest
from apiserver_shim.storage.etcd import EtcdClient
from tests.contract.acksim.load import fill
from tests.contract.acksim.test_switching import new_key, switch
from tests.patience import PATIENCE

# As the documentation prints it, line for line.
DOCUMENTED = (
    "kubectl get secrets --all-namespaces -o json | kubectl annotate --overwrite -f - "
    "encryption-key-rotation-time=\"$(date -u +'%Y-%m-%dT%H:%M:%S%z')\""
)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """`acksim cluster …` on a cluster's world: exit code, standard output, standard error."""

    def call(cluster: ClusterUnderTest, *words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["cluster", *words, "--data-dir", cluster.world.facts.data_dir])
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def groups(run: Run) -> Callable[[ClusterUnderTest], list[dict[str, Any]]]:
    def read(cluster: ClusterUnderTest) -> list[dict[str, Any]]:
        code, out, _ = run(cluster, "coverage", cluster.id, "--json")
        assert code == 0
        (told,) = json.loads(out)
        found: list[dict[str, Any]] = told["groups"]
        return found

    return read


def by_version(groups: list[dict[str, Any]]) -> dict[str, int]:
    return {group["key_version"]: group["secrets"] for group in groups}


def rotate(cluster: ClusterUnderTest) -> str:
    """A new version in KMS; with KMS v2 the API server asks for it each minute."""
    scope = {"account_id": cluster.account_id}
    version: str = cluster.world.rotate_key(cluster.key_id, **scope)["primary_key_version"]
    cluster.advance_clock("2m")
    in_use = None
    while in_use != version:
        cluster.create_secret("probe", password="hunter2")
        in_use = describe(cluster.raw_secret("probe")).key_version
        cluster.core_v1.delete_namespaced_secret("probe", "default")
    return version


def meta(cluster: ClusterUnderTest, name: str) -> Any:
    return cluster.core_v1.read_namespaced_secret(name, "default").metadata


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl on PATH")
@pytest.mark.acksim(kms="v1")
def test_the_rotation_of_a_key_as_the_documentation_tells_it(
    acksim_cluster: ClusterUnderTest,
    groups: Callable[[ClusterUnderTest], list[dict[str, Any]]],
    tmp_path: Path,
) -> None:
    """New Secrets under the new version; old ones as they were, until the documented command."""
    cluster = acksim_cluster
    for number in range(3):
        cluster.create_secret(f"old{number}", password="hunter2")
    (before,) = groups(cluster)
    raw = cluster.raw_secret("old0")
    rotated = rotate(cluster)
    cluster.create_secret("new", password="hunter2")
    assert cluster.raw_secret("old0") == raw
    assert by_version(groups(cluster)) == {before["key_version"]: 3, rotated: 1}
    assert [group["current"] for group in groups(cluster)] == [False, True]

    environment = {"HOME": str(tmp_path), "KUBECONFIG": str(cluster.kubeconfig)}
    done = subprocess.run(
        ["/bin/sh", "-c", DOCUMENTED],
        env={**environment, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stdout.count(" annotated") == 4
    assert by_version(groups(cluster)) == {rotated: 4}
    assert cluster.core_v1.read_namespaced_secret("old0", "default").data["password"]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_rewriting_after_a_rotation(
    acksim_cluster: ClusterUnderTest,
    groups: Callable[[ClusterUnderTest], list[dict[str, Any]]],
    run: Run,
    version: Any,
) -> None:
    """KMS v1 needs the documented annotation, on old Secrets alone; KMS v2 changes nothing."""
    cluster = ClusterUnderTest.create(acksim_cluster.world, kms=version)
    try:
        for number in range(3):
            cluster.create_secret(f"old{number}", password="hunter2")
        rotated = rotate(cluster)
        cluster.create_secret("new", password="hunter2")
        old, new = meta(cluster, "old0"), meta(cluster, "new")
        code, out, _ = run(cluster, "rewrite", cluster.id, "--json")
        told = json.loads(out)
        assert (code, told["seen"], told["rewritten"], told["failed"]) == (0, 4, 3, {})
        assert by_version(groups(cluster)) == {rotated: 4}
        assert meta(cluster, "new").resource_version == new.resource_version
        rewritten = meta(cluster, "old0")
        assert rewritten.resource_version != old.resource_version
        annotations = set(rewritten.annotations or {})
        assert annotations == ({"encryption-key-rotation-time"} if version == "v1" else set())
        rewritten.annotations, rewritten.resource_version = old.annotations, old.resource_version
        managers = [one for one in rewritten.managed_fields if one.manager != "acksim-rewrite"]
        assert managers == old.managed_fields
        assert len(rewritten.managed_fields) == len(managers) + (version == "v1")

        code, out, _ = run(cluster, "rewrite", cluster.id, "--json")
        assert (code, json.loads(out)["rewritten"]) == (0, 0)
    finally:
        cluster.delete()


@pytest.mark.parametrize(("version", "goal"), [("v1", "another key"), ("v2", "off")])
def test_a_key_may_be_deleted_when_nothing_depends_on_it(
    acksim_cluster: ClusterUnderTest, run: Run, version: Any, goal: str
) -> None:
    """Away from a key, rewriting, asking, and then really deleting it."""
    world = acksim_cluster.world
    cluster = ClusterUnderTest.create(world, kms=version)
    try:
        old = cluster.key_id
        (old_version,) = world.key_versions(old, account_id=cluster.account_id)["versions"]
        cluster.create_secret("sealed", password="hunter2")
        code, out, _ = run(cluster, "coverage", "--key", old)
        assert code == 1
        assert f"{cluster.id}: 1 Secrets; new Secrets are sealed with it" in out
        fill(cluster, 150)
        switch(cluster, new_key(cluster) if goal == "another key" else None)
        for key in (old, old_version):
            code, out, _ = run(cluster, "coverage", "--key", key, "--json")
            told = json.loads(out)
            assert (code, told["needed"], told["secrets"]) == (1, True, 1)

        code, out, _ = run(cluster, "rewrite", cluster.id)
        assert code == 0
        assert f"{151 if goal == 'another key' else 1} of 151 Secrets rewritten" in out
        assert f"provider grpc-kms-provider is dropped: no Secret depends on key {old}" in out
        code, out, _ = run(cluster, "coverage", "--key", old)
        assert code == 0
        assert "may be deleted" in out

        cluster.kms.call("ScheduleKeyDeletion", KeyId=old, PendingWindowInDays=7)
        cluster.advance_clock("8d")
        cluster.restart()
        assert cluster.core_v1.read_namespaced_secret("sealed", "default").data
        cluster.create_secret("after", password="hunter2")
        assert cluster.readiness().ready
        code, _, error = run(cluster, "coverage", "--key", old)
        assert code == 1
        assert "no cluster knows" in error
    finally:
        cluster.delete()


def test_a_key_that_its_api_server_still_holds_ready_is_needed(
    acksim_cluster: ClusterUnderTest, run: Run
) -> None:
    """No Secret, yet readiness would fail without it."""
    old = acksim_cluster.key_id
    switch(acksim_cluster, new_key(acksim_cluster))
    code, out, _ = run(acksim_cluster, "coverage", "--key", old)
    assert code == 1
    assert "0 stored Secrets depend" in out
    assert f"`acksim cluster rewrite {acksim_cluster.id}` ends that" in out


def test_a_cluster_that_is_switched_off_says_what_it_still_depends_on(
    acksim_cluster: ClusterUnderTest, run: Run
) -> None:
    cluster, key_id = acksim_cluster, acksim_cluster.key_id
    cluster.create_secret("app", password="hunter2")
    switch(cluster, None)
    warning = f"its encryption is switched off, yet 1 Secrets depend on key {key_id}"
    code, out, _ = run(cluster, "coverage", cluster.id)
    assert code == 0
    assert warning in out
    assert f"{cluster.id}: {warning}" in run(cluster, "list")[1]
    rows = json.loads(run(cluster, "list", "--json")[1])
    (row,) = [row for row in rows if row["cluster_id"] == cluster.id]
    assert warning in row["warnings"][0]


def test_show_tells_it_as_well(acksim: World, run: Run) -> None:
    """Of a cluster of the account that the command line signs for."""
    signer = Signer.of_root()
    key_id = Kms.of_root(acksim.facts.endpoint).create_key()["KeyId"]
    facts = acksim.create_cluster("shown", key_id=key_id)
    cluster = ClusterUnderTest(acksim, signer, facts["account_id"], facts)
    try:
        cluster.create_secret("app", password="hunter2")
        assert run(cluster, "decrypt", cluster.id)[0] == 0
        code, out, _ = run(cluster, "show", cluster.id)
        assert code == 0
        assert (
            f"warning: its encryption is switched off, yet 1 Secrets depend on key {key_id}" in out
        )
    finally:
        cluster.delete()


def test_a_secret_that_cannot_be_read_stops_no_other(
    acksim_cluster: ClusterUnderTest, run: Run
) -> None:
    cluster, key_id = acksim_cluster, acksim_cluster.key_id
    for name in ("good", "bad"):
        cluster.create_secret(name, password="hunter2")
    overwrite(cluster, "bad", cluster.raw_secret("good"))  # bound to another name
    switch(cluster, None)
    code, out, error = run(cluster, "rewrite", cluster.id)
    assert code == 1
    assert "1 of 2 Secrets rewritten" in out
    assert f"{cluster.facts['etcd_prefix']}/secrets/default/bad: Internal error" in error
    assert "authentication failed" in error
    assert run(cluster, "coverage", "--key", key_id)[0] == 1


def test_a_rewrite_needs_a_key_that_can_be_used(acksim_cluster: ClusterUnderTest, run: Run) -> None:
    acksim_cluster.create_secret("app", password="hunter2")
    acksim_cluster.disable_key()
    code, _, error = run(acksim_cluster, "rewrite", acksim_cluster.id)
    assert code == 1
    assert "cannot be used: Rejected.Disabled" in error


def test_a_key_that_nobody_knows_is_not_called_safe(
    acksim_cluster: ClusterUnderTest, run: Run
) -> None:
    code, _, error = run(acksim_cluster, "coverage", "--key", "alias/typo")
    assert code == 1
    assert "no cluster knows a key or key version alias/typo" in error


def overwrite(cluster: ClusterUnderTest, name: str, value: bytes) -> None:

    async def put() -> None:
        etcd = EtcdClient(cluster.world.facts.etcd)
        key = f"{cluster.facts['etcd_prefix']}/secrets/default/{name}".encode()
        found = (await etcd.get(key)).kv
        assert found is not None
        written = await etcd.update(key, value, revision=found.mod_revision)
        assert written.succeeded
        await etcd.close()

    asyncio.run(put())

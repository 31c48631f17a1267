"""The fixtures that we give to others, used as others use them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from kubernetes.client import ApiException

from acksim.clients.kms import KmsRefusedError
from acksim.testing import ClusterUnderTest
from tests.patience import PATIENCE

README = Path(__file__).parents[3] / "README.md"


def password(cluster: ClusterUnderTest, name: str = "app1") -> str:
    secret = cluster.core_v1.read_namespaced_secret(name, "default")
    return str(secret.data["password"])


def test_a_disabled_key_is_an_outage_after_a_restart(acksim_cluster: ClusterUnderTest) -> None:
    acksim_cluster.create_secret("app1", password="hunter2")
    acksim_cluster.disable_key()
    assert password(acksim_cluster)  # from the cache of DEKs
    with pytest.raises(ApiException, match=r"Rejected\.Disabled"):
        acksim_cluster.create_secret("app2", password="hunter2")
    acksim_cluster.restart()
    with pytest.raises(ApiException, match=r"Rejected\.Disabled") as outage:
        password(acksim_cluster)
    assert outage.value.status == 500
    acksim_cluster.enable_key()
    assert password(acksim_cluster)


def test_a_lost_key_takes_its_secrets_with_it(acksim_cluster: ClusterUnderTest) -> None:
    acksim_cluster.create_secret("app1", password="hunter2")
    acksim_cluster.schedule_key_deletion(days=7)
    acksim_cluster.advance_clock("8d")
    acksim_cluster.restart()
    with pytest.raises(ApiException, match=r"Forbidden\.KeyNotFound"):
        password(acksim_cluster)
    with pytest.raises(KmsRefusedError, match=r"Forbidden\.KeyNotFound"):
        acksim_cluster.enable_key()


def test_etcd_holds_no_plaintext(acksim_cluster: ClusterUnderTest) -> None:
    acksim_cluster.create_secret("app1", password="correct-horse-battery")
    raw = acksim_cluster.raw_secret("app1")
    assert raw.startswith(b"k8s:enc:kms:v1:grpc-kms-provider:")
    assert b"correct-horse" not in raw


@pytest.mark.acksim(kms="v2")
def test_v2_writes_go_on_for_three_minutes(acksim_cluster: ClusterUnderTest) -> None:
    acksim_cluster.create_secret("app1", password="hunter2")
    assert acksim_cluster.raw_secret("app1").startswith(b"k8s:enc:kms:v2:grpc-kms-provider:")
    acksim_cluster.disable_key()
    acksim_cluster.create_secret("app2", password="hunter2")
    acksim_cluster.advance_clock("4m")
    with pytest.raises(ApiException, match="expired at"):
        acksim_cluster.create_secret("app3", password="hunter2")
    assert password(acksim_cluster)


@pytest.mark.acksim(encrypted=False)
def test_a_cluster_without_a_key_stores_plaintext(acksim_cluster: ClusterUnderTest) -> None:
    acksim_cluster.create_secret("app1", password="correct-horse-battery")
    assert acksim_cluster.raw_secret("app1").startswith(b"k8s\0")
    with pytest.raises(ValueError, match="encrypted=False"):
        acksim_cluster.disable_key()


def test_trail_and_bill_are_the_tests_own(acksim_cluster: ClusterUnderTest) -> None:
    acksim_cluster.create_secret("app1", password="hunter2")
    encrypts = acksim_cluster.trail(EventName="Encrypt")
    assert len(encrypts) == 1
    role = encrypts[0]["userIdentity"]["userName"]
    assert role.startswith("aliyuncsmanagedsecurityrole:")
    assert acksim_cluster.bill()["calls"] == 1


def test_two_clusters_do_not_let_each_others_clients_in(
    acksim_cluster: ClusterUnderTest,
) -> None:
    other = ClusterUnderTest.create(acksim_cluster.world)
    try:
        config = acksim_cluster.kubeconfig.read_text().replace(acksim_cluster.id, other.id)
        other.kubeconfig.write_text(config)
        with pytest.raises(ApiException) as refused:
            other.core_v1.list_namespaced_secret("default")
        assert refused.value.status == 401
    finally:
        other.delete()


def test_the_readmes_example_passes_in_a_suite_of_its_own(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(import pytest.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) == 1
    (tmp_path / "test_mine.py").write_text(blocks[0])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout

"""kubectl's commands about permissions and accounts, with every version found here."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.contract.apiserver.conftest import ADMIN, NOBODY, ClusterDoor
from tests.contract.apiserver.test_kubectl import BINARIES, Kubectl

pytestmark = pytest.mark.skipif(
    not BINARIES, reason="no kubectl on PATH and none in ACKSIM_KUBECTLS"
)


@pytest.fixture(params=BINARIES, ids=[Path(binary).name for binary in BINARIES])
def binary(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def minor(binary: str) -> int:
    command = [binary, "version", "--client", "--output=json"]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return int(told["clientVersion"]["minor"].rstrip("+"))


def hands(binary: str, cluster: ClusterDoor, token: str, home: Path) -> Kubectl:
    home.mkdir()
    return Kubectl(binary, home, cluster.kubeconfig(token=token))


def test_permissions(binary: str, cluster: ClusterDoor, tmp_path: Path) -> None:
    admin = hands(binary, cluster, ADMIN.token, tmp_path / "admin")
    nobody = hands(binary, cluster, NOBODY.token, tmp_path / "nobody")
    assert admin.ok("auth", "can-i", "*", "*").strip() == "yes"
    assert re.search(r"\*\.\* +\[\] +\[\] +\[\*\]", admin.ok("auth", "can-i", "--list"))
    refused = nobody.run("auth", "can-i", "list", "secrets")
    assert (refused.returncode, refused.stdout.strip()) == (1, "no")
    denied = nobody.run("get", "secrets")
    assert (
        'Error from server (Forbidden): secrets is forbidden: User "nobody" cannot list resource '
        '"secrets" in API group "" in the namespace "default"'
    ) in denied.stderr

    admin.ok("create", "role", "reader", "--verb=get,list", "--resource=secrets")
    admin.ok("create", "rolebinding", "nobody", "--role=reader", "--user=nobody")
    assert nobody.ok("auth", "can-i", "list", "secrets").strip() == "yes"
    assert nobody.run("auth", "can-i", "list", "secrets", "-n", "kube-system").returncode == 1
    assert re.search(r"secrets +\[\] +\[\] +\[get list\]", nobody.ok("auth", "can-i", "--list"))
    nobody.ok("get", "secrets")
    assert re.search(r"reader +\d{4}-", admin.ok("get", "roles"))
    assert re.search(r"nobody +Role/reader ", admin.ok("get", "rolebindings"))
    assert "secrets" in admin.ok("describe", "role", "reader")

    admin.ok("create", "clusterrole", "scrape", "--verb=get", "--non-resource-url=/readyz/*")
    admin.ok("create", "clusterrolebinding", "scrape", "--clusterrole=scrape", "--user=nobody")
    # since 1.34 such a path is below the server's own
    base = "" if minor(binary) >= 34 else f"/clusters/{cluster.id}"
    assert nobody.ok("get", "--raw", f"{base}/readyz/etcd") == "ok"
    admin.ok("delete", "clusterrolebinding", "scrape")
    assert nobody.run("get", "--raw", f"{base}/readyz/etcd").returncode == 1


def test_acting_as_somebody_else(binary: str, cluster: ClusterDoor, tmp_path: Path) -> None:
    admin = hands(binary, cluster, ADMIN.token, tmp_path / "admin")
    nobody = hands(binary, cluster, NOBODY.token, tmp_path / "nobody")
    admin.ok("create", "role", "reader", "--verb=get,list", "--resource=secrets")
    admin.ok("create", "rolebinding", "team", "--role=reader", "--group=team")
    assert admin.run("auth", "can-i", "list", "secrets", "--as=alice").returncode == 1
    asking = ("auth", "can-i", "list", "secrets", "--as=alice", "--as-group=team")
    assert admin.ok(*asking).strip() == "yes"
    admin.ok("get", "secrets", "--as=alice", "--as-group=team")
    denied = nobody.run("get", "secrets", "--as=alice")
    assert "Error from server (Forbidden)" in denied.stderr  # of discovery already: no more is told


def test_a_role_from_a_file(binary: str, cluster: ClusterDoor, tmp_path: Path) -> None:
    admin = hands(binary, cluster, ADMIN.token, tmp_path / "admin")
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "r", "namespace": "default"},
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}],
    }
    manifest = tmp_path / "role.json"
    manifest.write_text(json.dumps(role))
    assert "role.rbac.authorization.k8s.io/r created" in admin.ok("apply", "-f", str(manifest))
    role["rules"][0]["verbs"] = ["list"]  # type: ignore[index]
    manifest.write_text(json.dumps(role))
    assert "configured" in admin.ok("apply", "-f", str(manifest))
    stored = json.loads(admin.ok("get", "role", "r", "-o", "json"))
    assert stored["rules"] == role["rules"]


def test_an_account(binary: str, cluster: ClusterDoor, tmp_path: Path) -> None:
    admin = hands(binary, cluster, ADMIN.token, tmp_path / "admin")
    admin.ok("create", "serviceaccount", "robot")
    token = admin.ok("create", "token", "robot", "--duration=20m").strip()
    robot = hands(binary, cluster, token, tmp_path / "robot")
    name = "system:serviceaccount:default:robot"
    assert f'User "{name}" cannot list' in robot.run("get", "secrets").stderr
    admin.ok("create", "clusterrolebinding", "b", "--clusterrole=view", f"--user={name}")
    robot.ok("get", "configmaps", "-A")
    assert robot.run("auth", "can-i", "get", "secrets").returncode == 1
    whoami = robot.run("auth", "whoami", "-o", "json")
    if "1.27" not in binary:  # it asks for a version that is long gone
        told = json.loads(whoami.stdout)["status"]["userInfo"]
        assert told["username"] == name
        assert "system:serviceaccounts" in told["groups"]


def test_one_secret_is_watched_by_name(binary: str, cluster: ClusterDoor, tmp_path: Path) -> None:
    admin = hands(binary, cluster, ADMIN.token, tmp_path / "admin")
    nobody = hands(binary, cluster, NOBODY.token, tmp_path / "nobody")
    for name in ("mine", "other"):
        admin.ok("create", "secret", "generic", name, "--from-literal=a=b")
    verbs = "--verb=get,list,watch"
    admin.ok("create", "role", "mine", verbs, "--resource=secrets", "--resource-name=mine")
    admin.ok("create", "rolebinding", "mine", "--role=mine", "--user=nobody")
    quick = "--request-timeout=2s"
    watched = nobody.run("get", "secret", "mine", "--watch", quick)
    assert "mine" in watched.stdout, watched.stderr
    assert "orbidden" not in watched.stderr
    assert "mine" in nobody.ok("get", "secrets", "--field-selector=metadata.name=mine")
    for refused in (("get", "secret", "other", "--watch", quick), ("get", "secrets")):
        assert "(Forbidden)" in nobody.run(*refused).stderr

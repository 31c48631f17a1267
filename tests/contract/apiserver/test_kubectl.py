"""kubectl, every version found here, as an operator uses it."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contract.apiserver.conftest import ClusterDoor
from tests.patience import PATIENCE


def binaries() -> list[str]:
    """Return the kubectls to use: those given, else the one on PATH and its versioned siblings."""
    if given := os.environ.get("ACKSIM_KUBECTLS"):
        return [path for path in given.split(":") if path]
    found = shutil.which("kubectl")
    if found is None:
        return []
    folder = Path(found).resolve().parent
    versioned = sorted(str(path) for path in folder.glob("kubectl.[0-9]*"))
    return versioned or [found]


BINARIES = binaries()
pytestmark = pytest.mark.skipif(
    not BINARIES, reason="no kubectl on PATH and none in ACKSIM_KUBECTLS"
)

SECRET = """\
apiVersion: v1
kind: Secret
metadata:
  name: {name}
type: Opaque
data:
  user: {user}
"""


@dataclass
class Kubectl:
    """One kubectl with a home of its own, as it caches what it learns about servers."""

    binary: str
    home: Path
    kubeconfig: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.home), "KUBECONFIG": str(self.kubeconfig), "PATH": "/usr/bin:/bin"}

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.binary, *arguments],
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def ok(self, *arguments: str, stdin: str = "") -> str:
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(params=BINARIES, ids=[Path(binary).name for binary in BINARIES])
def kubectl(request: pytest.FixtureRequest, cluster: ClusterDoor, tmp_path: Path) -> Kubectl:
    return Kubectl(request.param, tmp_path, cluster.kubeconfig())


def test_the_life_of_a_secret(kubectl: Kubectl, tmp_path: Path) -> None:
    created = kubectl.ok("create", "secret", "generic", "g1", "--from-literal=a=b")
    assert created == "secret/g1 created\n"
    again = kubectl.run("create", "secret", "generic", "g1", "--from-literal=a=b")
    assert again.returncode == 1
    assert 'secrets "g1" already exists' in again.stderr

    manifest = tmp_path / "app1.yaml"
    manifest.write_text(SECRET.format(name="app1", user="b25l"))
    assert kubectl.ok("create", "-f", str(manifest)) == "secret/app1 created\n"
    manifest.write_text(SECRET.format(name="app2", user="b25l"))
    assert kubectl.ok("apply", "-f", str(manifest)) == "secret/app2 created\n"
    assert kubectl.ok("apply", "-f", str(manifest)) == "secret/app2 unchanged\n"
    manifest.write_text(SECRET.format(name="app2", user="dHdv"))
    assert kubectl.ok("apply", "-f", str(manifest)) == "secret/app2 configured\n"
    assert kubectl.ok("get", "secret", "app2", "-o", "jsonpath={.data.user}") == "dHdv"

    table = kubectl.ok("get", "secrets")
    assert re.fullmatch(
        r"NAME +TYPE +DATA +AGE\n"
        r"app1 +Opaque +1 +\d+s\n"
        r"app2 +Opaque +1 +\d+s\n"
        r"g1 +Opaque +1 +\d+s\n",
        table,
    )
    listed = json.loads(kubectl.ok("get", "secrets", "-A", "-o", "json"))
    assert [item["metadata"]["name"] for item in listed["items"]] == ["app1", "app2", "g1"]
    assert "Opaque" in kubectl.ok("describe", "secret", "g1")

    assert kubectl.ok("label", "secret", "g1", "tier=gold") == "secret/g1 labeled\n"
    assert "g1" in kubectl.ok("get", "secrets", "-l", "tier=gold", "--no-headers")
    assert kubectl.ok("annotate", "secret", "g1", "note=x").startswith("secret/g1 annotate")
    kubectl.ok("annotate", "--overwrite", "secret", "g1", "note=y")

    for kind, patch in (
        ("merge", '{"stringData":{"m":"1"}}'),
        ("strategic", '{"stringData":{"s":"1"}}'),
        ("json", '[{"op":"add","path":"/data/j","value":"MQ=="}]'),
    ):
        kubectl.ok("patch", "secret", "g1", f"--type={kind}", "-p", patch)
    now = json.loads(kubectl.ok("get", "secret", "g1", "-o", "json"))
    assert now["data"] == {"a": "Yg==", "j": "MQ==", "m": "MQ==", "s": "MQ=="}

    now["data"]["a"] = "Yw=="
    replaced = kubectl.ok("replace", "-f", "-", stdin=json.dumps(now))
    assert replaced == "secret/g1 replaced\n"
    stale = kubectl.run("replace", "-f", "-", stdin=json.dumps(now))
    assert stale.returncode == 1
    assert "the object has been modified" in stale.stderr

    gone = kubectl.ok("delete", "secret", "g1")
    assert gone.startswith('secret "g1" deleted')
    missing = kubectl.run("get", "secret", "g1")
    assert missing.stderr == 'Error from server (NotFound): secrets "g1" not found\n'
    kubectl.ok("delete", "secrets", "--all")
    assert kubectl.ok("get", "secrets", "-o", "name") == ""


def test_edit(kubectl: Kubectl, tmp_path: Path) -> None:
    kubectl.ok("create", "secret", "generic", "g1", "--from-literal=a=b")
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/a: Yg==/a: Yw==/" "$1"\n')
    editor.chmod(0o755)
    done = subprocess.run(
        [kubectl.binary, "edit", "secret", "g1"],
        env={**kubectl.environment, "EDITOR": str(editor)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout == "secret/g1 edited\n", done.stderr
    assert kubectl.ok("get", "secret", "g1", "-o", "jsonpath={.data.a}") == "Yw=="


def test_other_kinds(kubectl: Kubectl) -> None:
    kubectl.ok("create", "namespace", "team")
    assert re.search(r"team +Active", kubectl.ok("get", "ns"))
    kubectl.ok("create", "configmap", "c1", "--from-literal=a=b", "-n", "team")
    kubectl.ok("create", "serviceaccount", "robot", "-n", "team")
    assert re.search(r"c1 +1 ", kubectl.ok("get", "cm", "-n", "team"))
    assert re.search(r"robot +0 ", kubectl.ok("get", "sa", "-n", "team"))
    assert kubectl.ok("delete", "namespace", "team").startswith('namespace "team" deleted')
    assert "NotFound" in kubectl.run("get", "namespace", "team").stderr


def test_rotation_reencrypts_by_annotating(kubectl: Kubectl) -> None:
    for index in range(3):
        kubectl.ok("create", "secret", "generic", f"s{index}", "--from-literal=a=b")
    listed = kubectl.ok("get", "secrets", "-A", "-o", "json")
    note = f"encryption-key-rotation-time={time.strftime('%Y-%m-%dT%H:%M:%S%z')}"
    done = kubectl.ok("annotate", "--overwrite", "-f", "-", note, stdin=listed)
    # 1.27 swallows the last letter
    assert re.fullmatch(r"secret/s0 annotated?\nsecret/s1 annotated?\nsecret/s2 annotated?\n", done)
    after = json.loads(kubectl.ok("get", "secrets", "-A", "-o", "json"))
    for old, new in zip(json.loads(listed)["items"], after["items"], strict=True):
        assert new["metadata"]["annotations"]
        assert new["metadata"]["resourceVersion"] > old["metadata"]["resourceVersion"]


@pytest.fixture
def watching(kubectl: Kubectl) -> Iterator[subprocess.Popen[str]]:
    kubectl.ok("create", "secret", "generic", "g1", "--from-literal=a=b")
    process = subprocess.Popen(
        [kubectl.binary, "get", "secrets", "-w"],
        env=kubectl.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    yield process
    process.terminate()
    process.wait(PATIENCE)
    if process.stdout is not None:
        process.stdout.close()


def test_get_watch(kubectl: Kubectl, watching: subprocess.Popen[str]) -> None:
    assert watching.stdout is not None
    assert watching.stdout.readline().startswith("NAME")
    assert watching.stdout.readline().startswith("g1 ")
    kubectl.ok("patch", "secret", "g1", "-p", '{"stringData":{"z":"1"}}')
    assert re.match(r"g1 +Opaque +2 ", watching.stdout.readline())
    kubectl.ok("create", "secret", "generic", "g2")
    assert re.match(r"g2 +Opaque +0 ", watching.stdout.readline())


def test_auth(kubectl: Kubectl, cluster: ClusterDoor) -> None:
    assert kubectl.ok("auth", "can-i", "get", "secrets").strip() == "yes"
    other = Kubectl(kubectl.binary, kubectl.home, cluster.kubeconfig(token="nobody-token"))
    assert other.run("auth", "can-i", "get", "secrets").stdout.strip() == "no"
    refused = other.run("get", "secrets")
    assert refused.stderr == (
        'Error from server (Forbidden): secrets is forbidden: User "nobody" cannot list resource '
        '"secrets" in API group "" in the namespace "default"\n'
    )
    who = kubectl.run("auth", "whoami", "-o", "json")
    if who.returncode:
        # versions before 1.28 ask for v1beta1 only
        assert "the selfsubjectreviews API is not enabled in the cluster" in who.stderr
        return
    assert json.loads(who.stdout)["status"]["userInfo"]["username"] == "admin"


def test_client_certificate(kubectl: Kubectl, cluster: ClusterDoor) -> None:
    certified = Kubectl(kubectl.binary, kubectl.home, cluster.kubeconfig(token=None))
    certified.ok("create", "secret", "generic", "g1")
    assert certified.ok("get", "secrets", "-o", "name") == "secret/g1\n"


def test_server_side_apply_and_diff(kubectl: Kubectl, tmp_path: Path) -> None:
    manifest = tmp_path / "app1.yaml"
    manifest.write_text(SECRET.format(name="app1", user="b25l"))
    kubectl.ok("apply", "-f", str(manifest))
    # from the client's apply to the server's: what kubectl owned under its old name is its own
    kubectl.ok("apply", "--server-side", "-f", str(manifest))
    shown = kubectl.ok("get", "secret", "app1", "-o", "json", "--show-managed-fields")
    managers = json.loads(shown)["metadata"]["managedFields"]
    assert ("kubectl", "Apply") in {(m["manager"], m["operation"]) for m in managers}
    manifest.write_text(SECRET.format(name="app1", user="dHdv"))
    kubectl.ok("apply", "--server-side", "-f", str(manifest))
    kubectl.ok("patch", "secret", "app1", "-p", '{"data":{"user":"MTIz"}}')
    refused = kubectl.run("apply", "--server-side", "-f", str(manifest))
    assert refused.returncode == 1
    assert 'conflict with "kubectl-patch" using v1: .data.user' in refused.stderr
    differing = kubectl.run("diff", "--server-side", "--force-conflicts", "-f", str(manifest))
    assert differing.returncode == 1, differing.stderr
    kubectl.ok("apply", "--server-side", "--force-conflicts", "-f", str(manifest))
    assert kubectl.run("diff", "--server-side", "-f", str(manifest)).returncode == 0


def test_strict_fields(kubectl: Kubectl, tmp_path: Path) -> None:
    manifest = tmp_path / "app1.yaml"
    manifest.write_text(SECRET.format(name="app1", user="b25l") + "typo: x\n")
    done = kubectl.run("create", "-f", str(manifest))
    assert done.returncode == 1
    assert 'unknown field "typo"' in done.stderr


def test_explain(kubectl: Kubectl) -> None:
    told = kubectl.ok("explain", "secret.data")
    assert "base64" in told
    assert "map[string]string" in told
    whole = kubectl.ok("explain", "serviceaccount", "--recursive")
    for name in (
        "imagePullSecrets",
        "ownerReferences",
        "fieldPath",
        "automountServiceAccountToken",
    ):
        assert name in whole
    assert "roleRef" in kubectl.ok("explain", "rolebinding")

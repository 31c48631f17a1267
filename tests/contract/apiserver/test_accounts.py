"""What namespaces and accounts are given, and tokens that live in Secrets."""

import base64
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.apiserver.conftest import ClusterDoor, Shim
from tests.patience import PATIENCE

TOKEN = "kubernetes.io/service-account-token"
UID = "kubernetes.io/service-account.uid"


def eventually(get: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if (found := get()) is not None:
            return found
        time.sleep(0.02)
    pytest.fail(f"{what} did not come")


def there(api: httpx.Client, path: str) -> dict[str, Any] | None:
    answer = api.get(path)
    assert answer.status_code in {200, 404}, answer.text
    found: dict[str, Any] = answer.json()
    return found if answer.status_code == 200 else None


@pytest.mark.parametrize("namespace", ["default", "kube-system", "team"])
def test_every_namespace_is_furnished(shim: Shim, namespace: str) -> None:
    door = shim.new_cluster(certificate_authority=shim.authority.path)
    with door.client() as api:
        if namespace == "team":
            api.post("/api/v1/namespaces", json={"metadata": {"name": "team"}})
        base = f"/api/v1/namespaces/{namespace}"
        uids = []
        for _ in range(2):
            bundle = eventually(lambda: there(api, f"{base}/configmaps/kube-root-ca.crt"), "CA")
            assert bundle["data"] == {"ca.crt": shim.authority.path.read_text()}
            assert "kubernetes.io/description" in bundle["metadata"]["annotations"]
            account = eventually(lambda: there(api, f"{base}/serviceaccounts/default"), "account")
            uids.append(account["metadata"]["uid"])
            api.delete(f"{base}/serviceaccounts/default")
            api.delete(f"{base}/configmaps/kube-root-ca.crt")
        assert uids[0] != uids[1]


def test_a_furnished_namespace_goes(api: httpx.Client) -> None:
    api.post("/api/v1/namespaces", json={"metadata": {"name": "team"}})
    path = "/api/v1/namespaces/team"
    eventually(lambda: there(api, f"{path}/configmaps/kube-root-ca.crt"), "CA")
    api.delete(path)
    eventually(lambda: None if there(api, path) else True, "the end of the namespace")


def secret(api: httpx.Client, name: str, account: str) -> httpx.Response:
    annotations = {"kubernetes.io/service-account.name": account}
    body = {"metadata": {"name": name, "annotations": annotations}, "type": TOKEN}
    return api.post("/api/v1/namespaces/default/secrets", json=body)


def populated(api: httpx.Client, name: str) -> dict[str, Any]:
    def get() -> dict[str, Any] | None:
        found = there(api, f"/api/v1/namespaces/default/secrets/{name}")
        return found if found and found.get("data") else None

    found: dict[str, Any] = eventually(get, "the token")
    return found


def who(door: ClusterDoor, token: str) -> httpx.Response:
    with door.client(token) as client:
        return client.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json={})


def test_a_token_in_a_secret(cluster: ClusterDoor, api: httpx.Client) -> None:
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    uid = api.post(accounts, json={"metadata": {"name": "robot"}}).json()["metadata"]["uid"]
    assert secret(api, "legacy", "robot").status_code == 201
    found = populated(api, "legacy")
    assert found["metadata"]["annotations"][UID] == uid
    assert set(found["data"]) == {"token", "ca.crt", "namespace"}
    token = base64.b64decode(found["data"]["token"]).decode()
    told = who(cluster, token).json()["status"]["userInfo"]
    assert told["username"] == "system:serviceaccount:default:robot"
    asked = {"spec": {"token": token, "audiences": ["vault"]}}
    review = api.post("/apis/authentication.k8s.io/v1/tokenreviews", json=asked).json()
    assert "authenticated" not in review["status"], "it is for this server alone"
    secret(api, "second", "robot")
    second = base64.b64decode(populated(api, "second")["data"]["token"]).decode()
    api.delete("/api/v1/namespaces/default/secrets/legacy")
    assert who(cluster, token).status_code == 401
    assert who(cluster, second).status_code == 201
    api.delete(f"{accounts}/robot")
    assert who(cluster, second).status_code == 401
    path = "/api/v1/namespaces/default/secrets/second"
    eventually(lambda: None if there(api, path) else True, "the removal of the token")


def test_a_token_secret_for_nobody_is_removed(api: httpx.Client) -> None:
    secret(api, "lost", "nobody")
    path = "/api/v1/namespaces/default/secrets/lost"
    eventually(lambda: None if there(api, path) else True, "the removal of the token")


def restored(api: httpx.Client, name: str, account: str, **annotations: str) -> None:
    """Create a token Secret as a backup has it: with a token, and whose it was."""
    marks = {"kubernetes.io/service-account.name": account, **annotations}
    body = {
        "metadata": {"name": name, "annotations": marks},
        "type": TOKEN,
        "stringData": {"token": "of old", "ca.crt": "", "namespace": "default"},
    }
    answer = api.post("/api/v1/namespaces/default/secrets", json=body)
    assert answer.status_code == 201, answer.text


def wait_for_end(api: httpx.Client, path: str) -> None:
    eventually(lambda: None if there(api, path) else True, f"the end of {path}")


def test_restored_token_secrets_are_judged_by_uid(api: httpx.Client) -> None:
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    secrets = "/api/v1/namespaces/default/secrets"
    first = api.post(accounts, json={"metadata": {"name": "robot"}}).json()["metadata"]["uid"]
    api.delete(f"{accounts}/robot")
    second = api.post(accounts, json={"metadata": {"name": "robot"}}).json()["metadata"]["uid"]
    restored(api, "earlier", "robot", **{UID: first})
    restored(api, "never", "nobody")
    restored(api, "odd", "a/../b")
    for name in ("earlier", "never", "odd"):
        wait_for_end(api, f"{secrets}/{name}")
    restored(api, "same", "robot", **{UID: second})
    restored(api, "unmarked", "robot", **{UID: ""})
    restored(api, "nameless", "robot")
    restored(api, "others", "default")
    secret(api, "new", "robot")
    populated(api, "new")  # the work is done in order: so all others have been judged
    for name in ("same", "unmarked", "nameless", "others"):
        found = there(api, f"{secrets}/{name}")
        assert found is not None, name
        assert base64.b64decode(found["data"]["token"]) == b"of old"
    api.delete(f"{accounts}/robot")
    for name in ("same", "unmarked", "nameless", "new"):
        wait_for_end(api, f"{secrets}/{name}")
    assert there(api, f"{secrets}/others") is not None


def test_what_a_token_secret_lacks_is_filled_in(shim: Shim) -> None:
    door = shim.new_cluster(certificate_authority=shim.authority.path)
    with door.client() as api:
        path = "/api/v1/namespaces/default/serviceaccounts/default"
        account = eventually(lambda: there(api, path), "account")
        restored(api, "part", "default")
        path = "/api/v1/namespaces/default/secrets/part"
        bundle = base64.b64encode(shim.authority.path.read_bytes()).decode()

        def filled() -> Any:
            found = there(api, path) or {}
            return found if found["data"]["ca.crt"] == bundle else None

        found = eventually(filled, "the CA")
        assert found["metadata"]["annotations"][UID] == account["metadata"]["uid"]
        assert base64.b64decode(found["data"]["token"]) == b"of old"


AES = """\
kind: EncryptionConfiguration
apiVersion: apiserver.config.k8s.io/v1
resources:
- resources: [secrets]
  providers:
  - aescbc: {keys: [{name: KEY, secret: c2VjcmV0IGlzIHNlY3VyZQ==}]}
  - identity: {}
"""


def test_an_unreadable_secret_vouches_for_nobody(shim: Shim, tmp_path: Path) -> None:
    """What an outage of the KMS does: tokens in Secrets get 401, accounts stay."""
    path = tmp_path / "encryption.yaml"
    path.write_text(AES.replace("KEY", "one"))
    door = shim.new_cluster(encryption_config=path)
    with door.client() as api:
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        eventually(lambda: there(api, account), "account")
        secret(api, "legacy", "default")
        token = base64.b64decode(populated(api, "legacy")["data"]["token"]).decode()
        assert who(door, token).status_code == 201
        path.write_text(AES.replace("KEY", "two"))
        eventually(lambda: True if who(door, token).status_code == 401 else None, "the outage")
        accounts = "/api/v1/namespaces/default/serviceaccounts"
        assert api.get(f"{accounts}/default").status_code == 200
        reference = {"kind": "Secret", "apiVersion": "v1", "name": "legacy"}
        answer = api.post(f"{accounts}/default/token", json={"spec": {"boundObjectRef": reference}})
        assert answer.status_code == 500
        unbound = api.post(f"{accounts}/default/token", json={"spec": {}}).json()
        assert who(door, unbound["status"]["token"]).status_code == 201

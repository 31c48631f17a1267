"""Many logical clusters in one process: apart, restarted, removed, broken one by one."""

import base64
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from acksim.listeners import free_port
from tests.contract.apiserver.conftest import Authority, ClusterDoor, Shim, running_shim
from tests.contract.apiserver.test_watch import Watching
from tests.patience import PATIENCE

SECRETS = "/api/v1/namespaces/default/secrets"


AES = """\
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers:
  - aesgcm: {{keys: [{{name: {name}, secret: {key}}}]}}
  - identity: {{}}
"""


def aes_config(path: Path, name: str = "k1") -> Path:
    key = base64.b64encode(os.urandom(32)).decode()
    path.write_text(AES.format(name=name, key=key))
    return path


def until(done: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_clusters_do_not_see_each_other(shim: Shim) -> None:
    one, two = shim.new_cluster(), shim.new_cluster()
    with one.client() as first, two.client() as second:
        assert first.post(SECRETS, json={"metadata": {"name": "x"}}).status_code == 201
        assert second.get(f"{SECRETS}/x").status_code == 404


def test_a_new_cluster_costs_little_more_than_a_request(shim: Shim) -> None:
    """Beside requests to a cluster that is there already: how busy the machine is cancels out."""
    old = shim.new_cluster()
    with old.client() as warm:
        warm.get(SECRETS)

        def took(url: str, name: str) -> float:
            began = time.perf_counter()
            made = warm.post(f"{url}{SECRETS}", json={"metadata": {"name": name}})
            assert made.status_code == 201
            return time.perf_counter() - began

        pairs = [
            (took(old.url, f"x{number}"), took(shim.new_cluster().url, "x")) for number in range(20)
        ]
    assert min(new for _, new in pairs) < 40 * min(usual for usual, _ in pairs)


def test_unknown_cluster(shim: Shim) -> None:
    door = shim.new_cluster()
    with door.client() as client:
        answer = client.get(f"{shim.url}/clusters/nope/api/v1/secrets")
        assert (answer.status_code, answer.json()["message"]) == (404, 'clusters "nope" not found')


def test_a_removed_cluster_ends_its_watches(shim: Shim) -> None:
    door = shim.new_cluster()
    with door.client() as client:
        client.post(SECRETS, json={"metadata": {"name": "x"}})
        watching = Watching(client, SECRETS)
        watching.wait(1)
        del shim.source.specs[door.id]
        assert watching.ended.wait(PATIENCE)
        assert not watching.cut
        assert client.get(SECRETS).status_code == 404


def test_a_restart_keeps_data_and_ends_watches(shim: Shim) -> None:
    door = shim.new_cluster()
    with door.client() as client:
        made = client.post(SECRETS, json={"metadata": {"name": "x"}}).json()
        watching = Watching(client, SECRETS)
        watching.wait(1)
        spec = shim.source.specs[door.id]
        shim.source.specs[door.id] = replace(spec, incarnation=1)
        assert watching.ended.wait(PATIENCE)
        assert client.get(f"{SECRETS}/x").json() == made


def test_encryption_is_each_cluster_own(shim: Shim, tmp_path: Path) -> None:
    prefix = "/test/sealed"
    sealed = shim.new_cluster(
        encryption_config=aes_config(tmp_path / "enc.yaml"), etcd_prefix=prefix
    )
    with sealed.client() as client:
        body = {"metadata": {"name": "x"}, "stringData": {"a": "hidden"}}
        assert client.post(SECRETS, json=body).status_code == 201
        assert client.get(f"{SECRETS}/x").json()["data"] == {"a": "aGlkZGVu"}
    plain = shim.new_cluster(etcd_prefix=prefix)
    with plain.client() as client:
        answer = client.get(f"{SECRETS}/x")
        text = "identity transformer tried to read encrypted data"
        assert answer.status_code == 500
        assert answer.json()["message"] == f"Internal error occurred: {text}"
        assert answer.json()["details"] == {"causes": [{"message": text}]}
        listed = client.get(SECRETS).json()["message"]
        assert listed == (
            f'Internal error occurred: unable to transform key "{prefix}/secrets/default/x": {text}'
        )
        client.post("/api/v1/namespaces", json={"metadata": {"name": "team"}}).raise_for_status()


def test_a_namespace_with_an_unreadable_secret_stays(shim: Shim, tmp_path: Path) -> None:
    config = aes_config(tmp_path / "enc.yaml")
    door = shim.new_cluster(encryption_config=config)
    with door.client() as client:
        client.post("/api/v1/namespaces", json={"metadata": {"name": "team"}})
        path = "/api/v1/namespaces/team/secrets"
        assert client.post(path, json={"metadata": {"name": "x"}}).status_code == 201
        right = config.read_text()
        aes_config(config, name="k2")
        spec = shim.source.specs[door.id]
        shim.source.specs[door.id] = replace(spec, incarnation=1)
        assert client.get(f"{path}/x").status_code == 500
        assert client.delete("/api/v1/namespaces/team").status_code == 200

        def failure() -> dict[str, Any]:
            status = client.get("/api/v1/namespaces/team").json().get("status", {})
            found = {c["type"]: c for c in status.get("conditions", [])}
            condition: dict[str, Any] = found.get("NamespaceDeletionContentFailure", {})
            return condition

        until(lambda: bool(failure()))
        assert failure()["status"] == "True"
        assert failure()["reason"] == "ContentDeletionFailed"
        config.write_text(right)
        shim.source.specs[door.id] = replace(spec, incarnation=2)
        until(lambda: client.get("/api/v1/namespaces/team").status_code == 404)


NOT_LOADED = {
    "another kind": "kind: Nonsense\n",
    "a template": AES.format(name="k1", key="{{ encryption_key }}"),
    "typographic quotes": AES.format(name="k1", key="“c2VjcmV0IGlzIHNlY3VyZQ==”"),
    "an odd key": AES.format(name="k1", key="{[a]: b}"),
    "brackets": "[" * 3000,
    "nothing": "",
}


@pytest.mark.parametrize("text", NOT_LOADED.values(), ids=NOT_LOADED)
def test_a_cluster_is_shut_until_its_configuration_is_loaded(
    shim: Shim, tmp_path: Path, text: str
) -> None:
    config = tmp_path / "enc.yaml"
    config.write_text(text)
    broken, healthy = shim.new_cluster(encryption_config=config), shim.new_cluster()
    with broken.client() as client:
        maps = "/api/v1/namespaces/default/configmaps"
        body = {"metadata": {"name": "x"}}
        unsafe = {"ignoreStoreReadErrorWithClusterBreakingPotential": "true"}
        refused = [
            *(client.post(path, json=body) for path in (SECRETS, maps)),
            *(client.get(path) for path in (SECRETS, f"{SECRETS}/x", maps)),
            client.get("/api/v1/secrets"),
            client.get(SECRETS, params={"watch": "1", "timeoutSeconds": "1"}),
            client.put(f"{SECRETS}/x", json=body),
            client.patch(f"{SECRETS}/x", json={}),
            client.delete(f"{SECRETS}/x", params=unsafe),
            client.delete(SECRETS),
        ]
        for answer in refused:
            assert answer.status_code == 500, answer.text
            assert "Internal error occurred: error while parsing file: " in answer.text
        ready = client.get("/readyz?verbose")
        assert ready.status_code == 500
        assert "[-]kms-providers failed: reason withheld" in ready.text
        assert client.get("/livez").status_code == 200
        single = client.get("/readyz/kms-providers")
        assert single.status_code == 500
        assert single.text.startswith("internal server error: error while parsing file: ")
    with healthy.client() as client:
        assert client.get("/readyz").status_code == 200
        assert client.post(SECRETS, json=body).status_code == 201


def test_a_cluster_opens_once_its_configuration_is_mended(shim: Shim, tmp_path: Path) -> None:
    config = tmp_path / "enc.yaml"
    config.write_text(NOT_LOADED["a template"])
    with shim.new_cluster(encryption_config=config).client() as client:
        assert client.get(SECRETS).status_code == 500
        aes_config(config)
        until(lambda: client.get("/readyz").status_code == 200)
        assert client.get(SECRETS).json()["items"] == []
        assert client.post(SECRETS, json={"metadata": {"name": "x"}}).status_code == 201


def test_health(shim: Shim) -> None:
    with shim.new_cluster().client() as client:
        assert client.get("/healthz").text == "ok"
        assert client.get("/livez?verbose").text == ("[+]ping ok\n[+]etcd ok\nlivez check passed\n")
        assert client.get("/readyz?verbose&exclude=etcd&exclude=nope").text == (
            "[+]ping ok\n[+]etcd excluded: ok\n"
            'warn: some health checks cannot be excluded: no matches for "nope"\n'
            "readyz check passed\n"
        )
        assert client.get("/readyz/etcd").text == "ok"
        assert client.get("/readyz/nope").status_code == 404


def test_without_etcd(authority: Authority, tmp_path: Path) -> None:
    """The server starts, says what is wrong, and stops."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    with (
        running_shim([nowhere], authority, tmp_path) as shim,
        shim.new_cluster().client() as client,
    ):
        assert client.get("/version").status_code == 200
        answer = client.get(f"{SECRETS}/x")
        assert answer.status_code == 500
        assert answer.json()["reason"] == "ServerTimeout"
        assert answer.json()["message"] == (
            "The get operation against secrets could not be completed at this time, "
            "please try again."
        )
        assert answer.headers["retry-after"] == "2"
        ready = client.get("/readyz")
        assert ready.status_code == 500
        assert "[-]etcd failed: reason withheld" in ready.text


def test_shutdown_does_not_wait_for_watches(
    etcd_url: str, authority: Authority, tmp_path: Path
) -> None:
    with running_shim([etcd_url], authority, tmp_path) as shim:
        door = shim.new_cluster()
        client = door.client()
        client.post(SECRETS, json={"metadata": {"name": "x"}})
        watching = Watching(client, SECRETS)
        watching.wait(1)
    assert watching.ended.wait(PATIENCE)
    assert not watching.cut
    client.close()


@pytest.mark.parametrize("path", ["/api/v1", "/apis/authorization.k8s.io/v1", "/openapi/v3"])
def test_documents_of_a_cluster(shim: Shim, path: str) -> None:
    door = shim.new_cluster()
    with door.client() as client:
        answer = client.get(f"{path}?timeout=32s", headers={"accept": "application/json"})
        assert answer.status_code == 200
        if path == "/openapi/v3":
            url = answer.json()["paths"]["api/v1"]["serverRelativeURL"]
            document = client.get(f"{shim.url}{url}")
            assert document.json()["openapi"] == "3.0.0"


def test_aggregated_discovery_in_the_version_asked_for(api: httpx.Client) -> None:
    for version in ("v2beta1", "v2"):
        accept = f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
        for path in ("/api", "/apis"):
            answer = api.get(path, headers={"accept": f"{accept},application/json"})
            assert answer.headers["content-type"] == accept
            assert answer.json()["apiVersion"] == f"apidiscovery.k8s.io/{version}"
    plain = api.get("/api", headers={"accept": accept.replace("v2", "v3") + ",application/json"})
    assert plain.headers["content-type"] == "application/json"
    assert plain.json()["versions"] == ["v1"]


def test_the_id_in_a_path_is_decoded_once(shim: Shim, cluster: ClusterDoor) -> None:
    first = f"%{ord(cluster.id[0]):02x}"
    with cluster.client() as api:
        once = f"{shim.url}/clusters/{first}{cluster.id[1:]}/version"
        twice = f"{shim.url}/clusters/%25{first[1:]}{cluster.id[1:]}/version"
        assert api.get(once).status_code == 200
        answer = api.get(twice)
    assert (answer.status_code, answer.json()["reason"]) == (404, "NotFound")

"""Who may come in, and what they may do."""

import ssl
from collections.abc import Sequence

import httpx
import pytest

from tests.contract.apiserver.conftest import ClusterDoor, Shim

SECRETS = "/api/v1/namespaces/default/secrets"


def with_certificate(
    cluster: ClusterDoor, user: str, groups: Sequence[str], owner: str | None
) -> httpx.Client:
    authority = cluster.shim.authority
    chain, key = authority.client(user, groups=groups, cluster=owner)
    context = ssl.create_default_context(cafile=str(authority.path))
    context.load_cert_chain(chain, key)
    return httpx.Client(base_url=cluster.url, verify=context, trust_env=False)


def review(client: httpx.Client) -> dict[str, object]:
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    answer = client.post(path, json={})
    assert answer.status_code == 201, answer.text
    info: dict[str, object] = answer.json()["status"]["userInfo"]
    return info


def test_certificate(cluster: ClusterDoor) -> None:
    with with_certificate(cluster, "alice", ["system:masters", "dev"], cluster.id) as client:
        assert client.get(SECRETS).status_code == 200
        assert review(client) == {
            "username": "alice",
            "groups": ["system:masters", "dev", "system:authenticated"],
        }


@pytest.mark.parametrize("owner", ["other", None])
def test_certificate_of_another_cluster(cluster: ClusterDoor, owner: str | None) -> None:
    with with_certificate(cluster, "alice", ["system:masters"], owner) as client:
        answer = client.get(SECRETS)
        assert answer.status_code == 401
        assert answer.json() == {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": "Unauthorized",
            "reason": "Unauthorized",
            "code": 401,
        }


def test_certificate_without_a_cluster_is_for_the_default_one(shim: Shim) -> None:
    shim.new_cluster()
    door = shim.new_cluster(tokens=())
    spec = shim.source.specs.pop(door.id)
    shim.source.specs["default"] = type(spec)(id="default", etcd_prefix=spec.etcd_prefix)
    try:
        for url in (shim.url, f"{shim.url}/clusters/default"):
            root = ClusterDoor(shim, "default", url)
            with with_certificate(root, "alice", ["system:masters"], None) as client:
                assert client.get(SECRETS).status_code == 200
    finally:
        del shim.source.specs["default"]


def test_tokens(cluster: ClusterDoor) -> None:
    with cluster.client() as client:
        assert review(client) == {
            "username": "admin",
            "uid": "admin-uid",
            "groups": ["system:masters", "system:authenticated"],
        }
    for token in ("wrong", "admin-toke", "admin-token2"):
        with cluster.client(token) as client:
            assert client.get("/version").status_code == 401
    with cluster.client(None) as client:
        answer = client.get("/version", headers={"authorization": "Basic YTpi"})
        assert answer.status_code == 401


def test_a_token_of_another_cluster(shim: Shim) -> None:
    one, two = shim.new_cluster(), shim.new_cluster(tokens=())
    with one.client() as client:
        assert client.get(SECRETS).status_code == 200
    with two.client() as client:
        assert client.get(SECRETS).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "message", "details"),
    [
        (
            "GET",
            f"{SECRETS}/x",
            (
                'secrets "x" is forbidden: User "nobody" cannot get resource "secrets" '
                'in API group "" in the namespace "default"'
            ),
            {"name": "x", "kind": "secrets"},
        ),
        (
            "GET",
            "/api/v1/secrets?watch=1",
            (
                'secrets is forbidden: User "nobody" cannot watch resource "secrets" '
                'in API group "" at the cluster scope'
            ),
            {"kind": "secrets"},
        ),
        (
            "POST",
            "/api/v1/namespaces/default/serviceaccounts/x/token",
            (
                'serviceaccounts "x" is forbidden: User "nobody" cannot create resource '
                '"serviceaccounts/token" in API group "" in the namespace "default"'
            ),
            {"name": "x", "kind": "serviceaccounts"},
        ),
        ("GET", "/metrics", 'forbidden: User "nobody" cannot get path "/metrics"', {}),
    ],
)
def test_forbidden(
    cluster: ClusterDoor, method: str, path: str, message: str, details: dict[str, str]
) -> None:
    with cluster.client("nobody-token") as client:
        answer = client.request(method, path)
        assert answer.status_code == 403
        assert (answer.json()["message"], answer.json()["details"]) == (message, details)


def test_anonymous_may_look_around(cluster: ClusterDoor) -> None:
    with cluster.client(None) as client:
        for path in ("/version", "/version/", "/readyz", "/livez", "/healthz"):
            assert client.get(path).status_code == 200, path
        for path in ("/api", "/apis/", "/api/v1", "/openapi/v2", "/readyz/etcd", "/"):
            assert client.get(path).status_code == 403, path
        answer = client.get(SECRETS)
        assert answer.status_code == 403
        assert 'User "system:anonymous" cannot list' in answer.json()["message"]
        reviews = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        assert client.post(reviews, json={}).status_code == 403


def test_may_i(cluster: ClusterDoor) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    asked = {"spec": {"resourceAttributes": {"verb": "get", "resource": "secrets"}}}
    for token, allowed in (("admin-token", True), ("nobody-token", False)):
        with cluster.client(token) as client:
            assert client.post(path, json=asked).json()["status"] == {"allowed": allowed}
            look = {"spec": {"nonResourceAttributes": {"verb": "get", "path": "/api/v1"}}}
            told = client.post(path, json=look).json()["status"]
            assert told.pop("allowed") is True
            reason = (
                'RBAC: allowed by ClusterRoleBinding "system:discovery" of ClusterRole '
                '"system:discovery" to Group "system:authenticated"'
            )
            assert told == ({} if token == "admin-token" else {"reason": reason})
            assert client.post(path, json={"spec": {}}).status_code == 422

"""Roles: stored as upstream stores them, enforced at once, and not to be outgrown."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apiserver_shim.access.users import ANONYMOUS, MASTERS, UserInfo
from apiserver_shim.api.authorization import authorize
from apiserver_shim.api.request import parse_info
from apiserver_shim.clusters import Clusters, ClusterSpec, StaticClusters, StaticToken, Surroundings
from apiserver_shim.groups import RBAC
from apiserver_shim.storage import codec
from apiserver_shim.storage.etcd import EtcdClient
from tests.contract.apiserver.conftest import ADMIN, ClusterDoor, Shim

API = f"/apis/{RBAC}/v1"
REVIEWS = "/apis/authorization.k8s.io/v1"
SECRETS = "/api/v1/namespaces/default/secrets"
DEV = StaticToken("dev-token", "dev", "", ("team",))


@pytest.fixture
def cluster(shim: Shim) -> ClusterDoor:
    return shim.new_cluster(tokens=(ADMIN, DEV))


@pytest.fixture
def dev(cluster: ClusterDoor) -> Iterator[httpx.Client]:
    with cluster.client(DEV.token) as client:
        yield client


def role(name: str, *rules: dict[str, list[str]], namespace: str = "") -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"metadata": metadata, "rules": list(rules)}


def rule(verbs: str, resources: str, *names: str, group: str = "") -> dict[str, list[str]]:
    found = {"verbs": verbs.split(), "apiGroups": [group], "resources": resources.split()}
    return {**found, "resourceNames": list(names)} if names else found


def binding(name: str, kind: str, to: str, user: str = "dev") -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "roleRef": {"kind": kind, "name": to},
        "subjects": [{"kind": "User", "name": user}],
    }


def post(client: httpx.Client, path: str, body: dict[str, Any], expected: int = 201) -> Any:
    answer = client.post(path, json=body)
    assert answer.status_code == expected, answer.text
    return answer.json()


def grant(api: httpx.Client, name: str, *rules: dict[str, list[str]]) -> None:
    post(api, f"{API}/clusterroles", role(name, *rules))
    post(api, f"{API}/clusterrolebindings", binding(name, "ClusterRole", name))


def test_a_change_counts_at_the_next_request(api: httpx.Client, dev: httpx.Client) -> None:
    assert dev.get(SECRETS).status_code == 403
    post(api, f"{API}/namespaces/default/roles", role("reader", rule("list", "secrets")))
    path = f"{API}/namespaces/default/rolebindings"
    made = post(api, path, binding("b", "Role", "reader"))
    assert made["roleRef"]["apiGroup"] == RBAC
    assert made["subjects"] == [{"kind": "User", "name": "dev", "apiGroup": RBAC}]
    assert dev.get(SECRETS).status_code == 200
    assert dev.get(f"{SECRETS}?watch=1").status_code == 403
    assert dev.get("/api/v1/namespaces/kube-system/secrets").status_code == 403
    assert dev.get("/api/v1/secrets").status_code == 403
    edited = role("reader", rule("watch", "secrets"))
    assert api.put(f"{API}/namespaces/default/roles/reader", json=edited).status_code == 200
    assert dev.get(SECRETS).status_code == 403
    assert api.delete(f"{path}/b").json()["details"]["group"] == RBAC
    assert dev.get(f"{SECRETS}?watch=1").status_code == 403


def test_another_server_hears_of_a_change(shim: Shim, cluster: ClusterDoor) -> None:
    spec = shim.source.specs[cluster.id]
    other = shim.new_cluster(etcd_prefix=spec.etcd_prefix, tokens=(ADMIN, DEV))
    with cluster.client() as api, other.client(DEV.token) as dev:
        assert dev.get(SECRETS).status_code == 403
        grant(api, "reader", rule("list", "secrets"))
        for _ in range(100):
            answer = dev.get(SECRETS)
            if answer.status_code == 200:
                break
        assert answer.status_code == 200


def test_names_and_subresources(api: httpx.Client, dev: httpx.Client) -> None:
    grant(api, "one", rule("get", "secrets", "mine"), rule("create", "serviceaccounts/token"))
    post(api, SECRETS, {"metadata": {"name": "mine"}})
    assert dev.get(f"{SECRETS}/mine").status_code == 200
    assert dev.get(f"{SECRETS}/other").status_code == 403
    assert dev.get("/api/v1/namespaces/default/serviceaccounts").status_code == 403


def test_to_apply_what_is_not_there_takes_create(api: httpx.Client, dev: httpx.Client) -> None:
    grant(api, "patcher", rule("patch", "configmaps"))
    path = "/api/v1/namespaces/default/configmaps/c?fieldManager=m"
    manifest = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "c"}}
    headers = {"content-type": "application/apply-patch+yaml"}
    refused = dev.patch(path, json=manifest, headers=headers)
    assert 'cannot create resource "configmaps"' in refused.json()["message"]
    grant(api, "creator", rule("create", "configmaps"))
    assert dev.patch(path, json=manifest, headers=headers).status_code == 201


def test_a_missing_role_is_told(api: httpx.Client, dev: httpx.Client) -> None:
    post(api, f"{API}/clusterrolebindings", binding("b", "ClusterRole", "gone"))
    assert dev.get(SECRETS).json()["message"] == (
        'secrets is forbidden: User "dev" cannot list resource "secrets" in API group "" in the '
        'namespace "default": RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found'
    )


def test_defaults(api: httpx.Client, dev: httpx.Client) -> None:
    names = {item["metadata"]["name"] for item in api.get(f"{API}/clusterroles").json()["items"]}
    assert {"cluster-admin", "admin", "edit", "view", "system:discovery"} <= names
    found = api.get(
        f"{API}/clusterroles", params={"fieldSelector": "metadata.name=system:discovery"}
    )
    assert len(found.json()["items"]) == 1
    assert dev.get("/api/v1").status_code == 200
    assert dev.get("/readyz").status_code == 200
    assert dev.get("/readyz/etcd").status_code == 403
    monitoring = binding("m", "ClusterRole", "system:monitoring")
    post(api, f"{API}/clusterrolebindings", monitoring)
    assert dev.get("/readyz/etcd").status_code == 200
    post(api, f"{API}/namespaces/default/rolebindings", binding("e", "ClusterRole", "view"))
    assert dev.get("/api/v1/namespaces/default/configmaps").status_code == 200
    assert dev.get(SECRETS).status_code == 403
    extra = role("more", rule("list", "secrets"))
    extra["metadata"]["labels"] = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
    post(api, f"{API}/clusterroles", extra)
    assert dev.get(SECRETS).status_code == 200


def test_nobody_grants_what_they_lack(api: httpx.Client, dev: httpx.Client) -> None:
    manage = rule("*", "roles rolebindings clusterroles clusterrolebindings", group=RBAC)
    manage["verbs"] = ["create", "update", "patch", "get"]
    grant(api, "manager", manage, rule("get", "secrets"))
    roles = f"{API}/namespaces/default/roles"
    post(dev, roles, role("held", rule("get", "secrets")))
    refused = post(dev, roles, role("x", rule("get list", "secrets configmaps")), 403)
    assert refused["message"] == (
        'roles.rbac.authorization.k8s.io "x" is forbidden: user "dev" '
        '(groups=["team" "system:authenticated"]) is attempting to grant RBAC permissions not '
        'currently held:\n{APIGroups:[""], Resources:["configmaps"], Verbs:["get" "list"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["list"]}'
    )
    assert refused["details"] == {"name": "x", "group": RBAC, "kind": "roles"}
    wider = {"rules": [rule("*", "secrets")]}
    merge = {"content-type": "application/merge-patch+json"}
    assert dev.patch(f"{roles}/held", json=wider, headers=merge).status_code == 403
    apply = {"content-type": "application/apply-patch+yaml"}
    manifest = role("new", rule("list", "configmaps"))
    manifest |= {"kind": "Role", "apiVersion": f"{RBAC}/v1"}
    assert dev.patch(f"{roles}/new?fieldManager=m", json=manifest, headers=apply).status_code == 403
    manifest["rules"] = [rule("get", "secrets")]
    assert dev.patch(f"{roles}/new?fieldManager=m", json=manifest, headers=apply).status_code == 201
    renamed = {"metadata": {"labels": {"a": "b"}}}
    assert dev.patch(f"{roles}/held", json=renamed, headers=merge).status_code == 200
    bindings = f"{API}/clusterrolebindings"
    post(dev, bindings, binding("x", "ClusterRole", "cluster-admin"), 403)
    post(dev, bindings, binding("x", "ClusterRole", "nothing"), 404)
    post(dev, f"{API}/namespaces/default/rolebindings", binding("x", "Role", "held"))
    aggregate = {**role("agg"), "aggregationRule": {"clusterRoleSelectors": [{}]}}
    assert "cluster-admin privileges" in post(dev, f"{API}/clusterroles", aggregate, 403)["message"]
    grant(api, "bind", rule("bind", "clusterroles", "view", group=RBAC))
    post(dev, bindings, binding("y", "ClusterRole", "view"))
    grant(api, "escalate", rule("escalate", "roles", group=RBAC))
    post(dev, roles, role("x", rule("get list", "secrets configmaps")))


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("roles", role("x", {"verbs": []}), "rules[0].verbs: Required value"),
        ("roles", role("x", {"verbs": ["get"], "nonResourceURLs": ["/"]}), "non-resource URLs"),
        ("roles", role("x", rule("get", "a b", "n")), "cannot apply to multiple resources"),
        ("roles", role("a%b"), "may not contain '%'"),
        ("rolebindings", binding("x", "Thing", "y"), 'Unsupported value: "Thing"'),
        ("rolebindings", binding("x", "Role", ""), "roleRef.name: Required value"),
        ("rolebindings", binding("x", "Role", "y", ""), "subjects[0].name: Required value"),
    ],
)
def test_validation(api: httpx.Client, path: str, body: dict[str, Any], expected: str) -> None:
    refused = post(api, f"{API}/namespaces/default/{path}", body, 422)
    assert expected in refused["message"]
    assert refused["details"]["group"] == RBAC


def test_a_binding_keeps_its_role(api: httpx.Client) -> None:
    path = f"{API}/clusterrolebindings"
    post(api, path, binding("b", "ClusterRole", "view"))
    assert api.get(f"{path}/b").json()["kind"] == "ClusterRoleBinding"
    assert api.get(f"/apis/{RBAC}/v1/namespaces/default/clusterroles").status_code == 404
    answer = api.put(f"{path}/b", json=binding("b", "ClusterRole", "edit"))
    assert answer.status_code == 422
    assert "roleRef: Invalid value" in answer.json()["message"]
    assert "cannot change roleRef" in answer.json()["message"]


def test_stored_as_protobuf() -> None:
    stored = {
        "kind": "RoleBinding",
        "apiVersion": f"{RBAC}/v1",
        "metadata": {"name": "b", "namespace": "ns"},
        "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": "ns"}],
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "r"},
    }
    data = codec.encode(stored)
    assert data.startswith(
        b"k8s\x00\x0a\x2b\x0a\x1crbac.authorization.k8s.io/v1\x12\x0bRoleBinding"
    )
    assert codec.decode(data) == stored


def test_reviews(api: httpx.Client, dev: httpx.Client) -> None:
    grant(api, "reader", rule("list", "secrets"))
    attributes = {"verb": "list", "resource": "secrets", "namespace": "default"}
    reason = 'RBAC: allowed by ClusterRoleBinding "reader" of ClusterRole "reader" to User "dev"'
    asked = {"spec": {"resourceAttributes": attributes}}
    own = post(dev, f"{REVIEWS}/selfsubjectaccessreviews", asked)
    assert own["status"] == {"allowed": True, "reason": reason}
    asked["spec"]["user"] = "dev"  # type: ignore[assignment]
    post(dev, f"{REVIEWS}/subjectaccessreviews", asked, 403)
    assert post(api, f"{REVIEWS}/subjectaccessreviews", asked)["status"]["allowed"] is True
    local = f"{REVIEWS}/namespaces/default/localsubjectaccessreviews"
    assert post(api, local, asked)["status"]["allowed"] is True
    elsewhere = {"spec": {**asked["spec"], "resourceAttributes": {**attributes, "namespace": "x"}}}
    post(api, local, elsewhere, 422)
    post(api, f"{REVIEWS}/subjectaccessreviews", {"spec": {"resourceAttributes": {}}}, 422)
    rules = post(dev, f"{REVIEWS}/selfsubjectrulesreviews", {"spec": {"namespace": "default"}})
    told = rules["status"]["resourceRules"]
    assert {"verbs": ["list"], "apiGroups": [""], "resources": ["secrets"]} in told
    assert any("/api/*" in r["nonResourceURLs"] for r in rules["status"]["nonResourceRules"])
    post(dev, f"{REVIEWS}/selfsubjectrulesreviews", {"spec": {}}, 400)
    assert api.get(f"{REVIEWS}/subjectaccessreviews").status_code == 405


VERBS, NAMESPACES = ("get", "list", "create", "delete"), ("default", "kube-system")
KINDS = ("secrets", "configmaps")


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.sampled_from((*NAMESPACES, "")),
            st.sets(st.sampled_from((*VERBS, "*")), min_size=1),
            st.sets(st.sampled_from((*KINDS, "*")), min_size=1),
        ),
        max_size=4,
    )
)
def test_roles_mean_what_a_model_says(
    shim: Shim, rows: list[tuple[str, set[str], set[str]]]
) -> None:
    """Try every verb on every kind in every place, and nothing else than was granted works."""
    door = shim.new_cluster(tokens=(ADMIN, DEV))
    with door.client() as api, door.client(DEV.token) as dev:
        for index, (namespace, verbs, kinds) in enumerate(rows):
            made = role(f"r{index}", rule(" ".join(sorted(verbs)), " ".join(sorted(kinds))))
            base = f"{API}/namespaces/{namespace}/" if namespace else f"{API}/cluster"
            post(api, f"{base}roles", made)
            kind = "Role" if namespace else "ClusterRole"
            post(api, f"{base}rolebindings", binding(f"r{index}", kind, f"r{index}"))
        for where in (*NAMESPACES, ""):
            for verb in VERBS:
                for resource in KINDS:
                    allowed = any(
                        place in {"", where} and verbs & {verb, "*"} and kinds & {resource, "*"}
                        for place, verbs, kinds in rows
                    )
                    if verb == "list" or where:
                        answer = attempt(dev, verb, resource, where)
                        assert (answer.status_code != 403) == allowed, (verb, resource, where)


def attempt(client: httpx.Client, verb: str, resource: str, where: str) -> httpx.Response:
    base = f"/api/v1/namespaces/{where}/{resource}" if where else f"/api/v1/{resource}"
    if verb == "list":
        return client.get(base)
    if verb == "create":
        return client.post(f"{base}?dryRun=All", json={"metadata": {"name": "x"}})
    return client.request("GET" if verb == "get" else "DELETE", f"{base}/absent")


async def test_modes(etcd_url: str) -> None:
    """Soft lets everybody through with a warning, off without one; health needs no roles."""
    etcd = EtcdClient([etcd_url])
    source = StaticClusters([ClusterSpec("default", f"/test/{os.urandom(4).hex()}")])
    clusters = Clusters(source, Surroundings(etcd, lambda: datetime.now(UTC), os.urandom, None))
    try:
        cluster = clusters.get("default")
        assert cluster is not None
        info = parse_info("GET", "/api/v1/secrets")
        strict = await authorize("strict", ANONYMOUS, info, cluster)
        soft = await authorize("soft", ANONYMOUS, info, cluster)
        off = await authorize("off", ANONYMOUS, info, cluster)
        assert (strict.allowed, strict.warning) == (False, "")
        assert soft.allowed
        assert 'User "system:anonymous" cannot list' in soft.warning
        assert (off.allowed, off.warning) == (True, "")
        assert (await authorize("strict", UserInfo("a", (MASTERS,)), info, cluster)).allowed
        health = parse_info("GET", "/readyz")
        assert (await authorize("strict", ANONYMOUS, health, cluster)).allowed
    finally:
        await clusters.close()
        await etcd.close()


@pytest.mark.parametrize("watch", ["", "&watch=true&timeoutSeconds=1"])
@pytest.mark.parametrize(
    ("place", "selector", "allowed"),
    [
        (SECRETS, "metadata.name%3Dmine", True),
        (SECRETS, "metadata.name%3D%3Dmine,type%3DOpaque", True),
        ("/api/v1/secrets", "metadata.name%3Dmine", True),
        (SECRETS, "metadata.name%3Dother", False),
        (SECRETS, "metadata.name!%3Dother", False),
        (SECRETS, "metadata.name%3Dmine&limit=x", False),
        (SECRETS, "", False),
    ],
)
def test_a_rule_for_names_covers_lists_of_one_name(
    api: httpx.Client, dev: httpx.Client, place: str, selector: str, allowed: bool, watch: str
) -> None:
    for name in ("mine", "other"):
        post(api, SECRETS, {"metadata": {"name": name}})
    grant(api, "mine", rule("get list watch deletecollection", "secrets", "mine"))
    answer = dev.get(f"{place}?fieldSelector={selector}{watch}")
    assert answer.status_code == (200 if allowed else 403), answer.text
    assert ("mine" in answer.text) == allowed
    if allowed:
        assert "other" not in answer.text
    elif "other" in selector and "!" not in selector:
        assert answer.json()["message"].startswith('secrets "other" is forbidden: ')
    # a collection is never deleted by a name
    assert dev.delete(f"{SECRETS}?fieldSelector=metadata.name%3Dmine").status_code == 403
    # and what a review says of the name is what the request met
    for verb in ("list", "watch", "get"):
        asked = {"namespace": "default", "verb": verb, "resource": "secrets", "name": "mine"}
        body = {"spec": {"resourceAttributes": asked}}
        review = post(dev, f"{REVIEWS}/selfsubjectaccessreviews", body)
        assert review["status"]["allowed"] is True


def test_namespaces_are_listed_by_name(api: httpx.Client, dev: httpx.Client) -> None:
    grant(api, "one", rule("list", "namespaces", "default"))
    found = dev.get("/api/v1/namespaces?fieldSelector=metadata.name%3Ddefault").json()
    assert [item["metadata"]["name"] for item in found["items"]] == ["default"]
    assert dev.get("/api/v1/namespaces").status_code == 403

"""Server-side apply over HTTPS: who owns what, who may change it, what goes when it is left out."""

from typing import Any

import httpx
import orjson
import pytest
from kubernetes import client, dynamic
from kubernetes.client import Configuration

from tests.contract.apiserver.conftest import ADMIN, ClusterDoor

SECRETS = "/api/v1/namespaces/default/secrets"
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"


def apply(
    api: httpx.Client, path: str, body: Any, manager: str = "alice", **query: str
) -> httpx.Response:
    kind = "ServiceAccount" if path.startswith(ACCOUNTS) else "Secret"
    whole = {"apiVersion": "v1", "kind": kind, **body}
    return api.patch(
        path,
        params={"fieldManager": manager, **query},
        content=orjson.dumps(whole),
        headers={"content-type": "application/apply-patch+yaml"},
    )


def applied(
    api: httpx.Client, path: str, body: Any, manager: str = "alice", **query: str
) -> dict[str, Any]:
    answer = apply(api, path, body, manager, **query)
    assert answer.status_code in {200, 201}, answer.text
    found: dict[str, Any] = answer.json()
    return found


def owners(obj: dict[str, Any]) -> dict[tuple[str, str], Any]:
    entries = obj["metadata"].get("managedFields", [])
    return {(entry["manager"], entry["operation"]): entry["fieldsV1"] for entry in entries}


def merge(api: httpx.Client, path: str, body: Any, manager: str) -> dict[str, Any]:
    answer = api.patch(
        path,
        params={"fieldManager": manager},
        content=orjson.dumps(body),
        headers={"content-type": "application/merge-patch+json"},
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_plain_writes_are_tracked(api: httpx.Client) -> None:
    made = api.post(
        f"{SECRETS}?fieldManager=creator",
        json={"metadata": {"name": "app1", "labels": {"l": "1"}}, "data": {"a": "Yg=="}},
    ).json()
    (entry,) = made["metadata"]["managedFields"]
    assert entry.pop("time") == made["metadata"]["creationTimestamp"]
    assert entry == {
        "manager": "creator",
        "operation": "Update",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {
            "f:data": {".": {}, "f:a": {}},
            "f:metadata": {"f:labels": {".": {}, "f:l": {}}},
            "f:type": {},
        },
    }
    changed = merge(api, f"{SECRETS}/app1", {"data": {"a": "Yw==", "b": "Yg=="}}, "editor")
    assert owners(changed) == {
        ("creator", "Update"): {
            "f:data": {},
            "f:metadata": {"f:labels": {".": {}, "f:l": {}}},
            "f:type": {},
        },
        ("editor", "Update"): {"f:data": {"f:a": {}, "f:b": {}}},
    }
    same = merge(api, f"{SECRETS}/app1", {"data": {"a": "Yw=="}}, "somebody")
    assert same == changed
    agent = api.put(f"{SECRETS}/app1", json={"metadata": {"name": "app1"}, "type": "Opaque"})
    assert agent.status_code == 200, agent.text
    assert owners(agent.json()) == {("creator", "Update"): {"f:type": {}}}


def test_apply_creates_then_gives_up_what_it_leaves_out(api: httpx.Client) -> None:
    path = f"{SECRETS}/app1"
    first = apply(
        api, path, {"metadata": {"labels": {"l": "1"}}, "data": {"a": "Yg==", "b": "Yg=="}}
    )
    assert first.status_code == 201
    assert owners(first.json()) == {
        ("alice", "Apply"): {
            "f:data": {"f:a": {}, "f:b": {}},
            "f:metadata": {"f:labels": {"f:l": {}}},
        }
    }
    merge(api, path, {"data": {"mine": "Yg=="}}, "bob")
    second = applied(api, path, {"data": {"a": "Yg=="}})
    assert second["data"] == {"a": "Yg==", "mine": "Yg=="}
    assert "labels" not in second["metadata"]
    assert applied(api, path, {"data": {"a": "Yg=="}}) == second


def test_conflicts_force_and_sharing(api: httpx.Client) -> None:
    path = f"{SECRETS}/app1"
    applied(api, path, {"data": {"a": "Yg==", "b": "Yg=="}})
    refused = apply(api, path, {"data": {"a": "Yw=="}}, "bob")
    assert refused.status_code == 409
    status = refused.json()
    assert status["reason"] == "Conflict"
    assert status["message"] == 'Apply failed with 1 conflict: conflict with "alice": .data.a'
    assert status["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "alice"', "field": ".data.a"}
    ]
    several = apply(api, path, {"data": {"a": "Yw==", "b": "Yw=="}}, "bob")
    assert several.json()["message"] == (
        'Apply failed with 2 conflicts: conflicts with "alice":\n- .data.a\n- .data.b'
    )
    # the same value is shared, and stays when one of the two gives it up
    applied(api, path, {"data": {"a": "Yg=="}}, "bob")
    assert applied(api, path, {"data": {"b": "Yg=="}})["data"] == {"a": "Yg==", "b": "Yg=="}
    stolen = applied(api, path, {"data": {"b": "Yw=="}}, "bob", force="true")
    assert stolen["data"] == {"b": "Yw=="}
    assert owners(stolen) == {("bob", "Apply"): {"f:data": {"f:b": {}}}}
    merge(api, path, {"data": {"b": "ZA=="}}, "carol")
    refused = apply(api, path, {"data": {"b": "Yw=="}}, "bob")
    assert refused.json()["message"] == (
        'Apply failed with 1 conflict: conflict with "carol" using v1: .data.b'
    )


def test_lists_that_merge_and_lists_that_do_not(api: httpx.Client) -> None:
    path = f"{ACCOUNTS}/bot"

    def owner(uid: str) -> dict[str, str]:
        return {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": uid}

    applied(
        api,
        path,
        {
            "metadata": {"ownerReferences": [owner("1")], "finalizers": ["a.b/one"]},
            "secrets": [{"name": "s1"}],
            "imagePullSecrets": [{"name": "p1"}],
        },
    )
    both = applied(
        api,
        path,
        {
            "metadata": {"ownerReferences": [owner("2")], "finalizers": ["a.b/two"]},
            "secrets": [{"name": "s2"}],
        },
        "bob",
    )
    assert [o["uid"] for o in both["metadata"]["ownerReferences"]] == ["1", "2"]
    assert both["metadata"]["finalizers"] == ["a.b/one", "a.b/two"]
    assert both["secrets"] == [{"name": "s1"}, {"name": "s2"}]
    assert owners(both)["bob", "Apply"] == {
        "f:metadata": {
            "f:finalizers": {'v:"a.b/two"': {}},
            "f:ownerReferences": {'k:{"uid":"2"}': {}},
        },
        "f:secrets": {'k:{"name":"s2"}': {}},
    }
    conflict = apply(api, path, {"imagePullSecrets": [{"name": "p2"}]}, "bob")
    assert conflict.json()["message"] == (
        'Apply failed with 1 conflict: conflict with "alice": .imagePullSecrets'
    )
    left = applied(api, path, {"metadata": {"finalizers": ["a.b/two"]}}, "bob")
    assert left["secrets"] == [{"name": "s1"}]
    assert [o["uid"] for o in left["metadata"]["ownerReferences"]] == ["1"]


def test_a_dry_run_changes_nothing(api: httpx.Client) -> None:
    path = f"{SECRETS}/app1"
    assert apply(api, path, {"data": {"a": "Yg=="}}, dryRun="All").status_code == 201
    assert api.get(path).status_code == 404
    applied(api, path, {"data": {"a": "Yg=="}})
    before = api.get(path).json()
    assert applied(api, path, {"data": {}}, dryRun="All")["metadata"]["name"] == "app1"
    assert api.get(path).json() == before


def test_managed_fields_may_be_given_up_and_begin_anew(api: httpx.Client) -> None:
    path = f"{SECRETS}/app1"
    api.post(SECRETS, json={"metadata": {"name": "app1"}, "data": {"a": "Yg=="}})
    bare = merge(api, path, {"metadata": {"managedFields": [{}]}}, "x")
    assert "managedFields" not in bare["metadata"]
    refused = apply(api, path, {"data": {"a": "Yw=="}})
    assert refused.json()["message"] == (
        'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.a'
    )


def test_the_eleventh_updater_makes_the_oldest_ancient(api: httpx.Client) -> None:
    api.post(SECRETS, json={"metadata": {"name": "app1"}})
    for number in range(12):
        found = merge(api, f"{SECRETS}/app1", {"data": {f"k{number}": "Yg=="}}, f"m{number}")
    names = [entry["manager"] for entry in found["metadata"]["managedFields"]]
    assert len(names) == 10
    assert "ancient-changes" in names


@pytest.mark.parametrize(
    ("query", "body", "code", "message"),
    [
        ("", {}, 422, "fieldManager: Required value: is required for apply patch"),
        ("fieldManager=x", {"kind": ""}, 400, "Object 'Kind' is missing"),
        (
            "fieldManager=x",
            {"metadata": {"managedFields": []}},
            400,
            "metadata.managedFields must be nil",
        ),
        ("fieldManager=x", {"metadata": {"name": "other"}}, 400, "does not match the name on"),
        ("fieldManager=x", {"foo": 1}, 500, "(default/app1; /v1, Kind=Secret): .foo: field not"),
    ],
)
def test_refused(api: httpx.Client, query: str, body: Any, code: int, message: str) -> None:
    answer = api.patch(
        f"{SECRETS}/app1?{query}",
        content=orjson.dumps({"apiVersion": "v1", "kind": "Secret", **body}),
        headers={"content-type": "application/apply-patch+yaml"},
    )
    assert answer.status_code == code, answer.text
    assert message in answer.json()["message"]


def test_force_is_for_apply_only(api: httpx.Client) -> None:
    answer = api.patch(
        f"{SECRETS}/app1?force=true",
        content=b"{}",
        headers={"content-type": "application/merge-patch+json"},
    )
    assert answer.status_code == 422


def test_the_dynamic_client_applies(cluster: ClusterDoor) -> None:
    configuration = Configuration()
    configuration.host = cluster.url
    configuration.ssl_ca_cert = str(cluster.shim.authority.path)
    configuration.api_key = {"authorization": f"Bearer {ADMIN.token}"}
    with client.ApiClient(configuration) as api_client:
        secrets = dynamic.DynamicClient(api_client).resources.get(api_version="v1", kind="Secret")
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "app1"}}
        found = secrets.server_side_apply(
            body={**body, "stringData": {"a": "b"}}, namespace="default", field_manager="me"
        )
        assert found.data.to_dict() == {"a": "Yg=="}


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        (
            f"{SECRETS}/app1",
            {"metadata": {"finalizers": ["x.io/a", "x.io/b", "x.io/a"]}},
            '.metadata.finalizers: duplicate entries for key [="x.io/a"]',
        ),
        (
            f"{ACCOUNTS}/bot",
            {"secrets": [{"name": "one"}, {"name": "one"}]},
            '.secrets: duplicate entries for key [name="one"]',
        ),
        (
            f"{ACCOUNTS}/bot",
            {"secrets": [{"namespace": "default"}]},
            (
                ".secrets: element 0: associative list with keys has an element that omits "
                """key field "name" (and doesn't have default value)"""
            ),
        ),
        (
            f"{ACCOUNTS}/bot",
            {
                "metadata": {"finalizers": ["x.io/a", "x.io/a"]},
                "secrets": [{"name": "one"}, {"name": "one"}],
            },
            (
                'errors:\n  .metadata.finalizers: duplicate entries for key [="x.io/a"]\n'
                '  .secrets: duplicate entries for key [name="one"]'
            ),
        ),
    ],
)
def test_items_that_cannot_be_told_apart(
    api: httpx.Client, path: str, body: dict[str, Any], detail: str
) -> None:
    answer = apply(api, path, body)
    kind = "ServiceAccount" if path.startswith(ACCOUNTS) else "Secret"
    name = path.rpartition("/")[2]
    what = f"failed to create typed patch object (default/{name}; /v1, Kind={kind})"
    assert (answer.status_code, answer.json()["message"]) == (500, f"{what}: {detail}")
    assert api.get(path).status_code == 404


def test_what_fits_only_without_managed_fields_is_stored_without(api: httpx.Client) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    # names of 4000 keys, and the same again in managedFields: 2 MB, where etcd takes 1.5
    body = {"metadata": {"name": "large"}, "data": {f"{number:0253}": "" for number in range(4000)}}
    made = api.post(path, json=body)
    assert made.status_code == 201, made.text
    assert "managedFields" not in made.json()["metadata"]
    stored = api.get(f"{path}/large").json()
    assert len(stored["data"]) == 4000
    small = api.put(f"{path}/large", json={"metadata": {"name": "large"}}).json()
    assert "data" not in small
    grown = api.put(f"{path}/large", json=body)
    assert grown.status_code == 200, grown.text
    assert "managedFields" not in grown.json()["metadata"]
    # what does not fit in any case is refused
    body["data"] = {f"{number:0253}": "" for number in range(8000)}
    refused = api.put(f"{path}/large", json=body)
    assert refused.status_code >= 400
    assert "too large" in refused.json()["message"]

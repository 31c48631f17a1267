"""Namespaces: the first four, phases, removal with all that is inside."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.patience import PATIENCE

NAMESPACES = "/api/v1/namespaces"
MERGE = {"content-type": "application/merge-patch+json"}


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def make(api: httpx.Client, name: str) -> dict[str, Any]:
    answer = api.post(NAMESPACES, json={"metadata": {"name": name}})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_a_new_cluster_has_four(api: httpx.Client) -> None:
    names = [item["metadata"]["name"] for item in api.get(NAMESPACES).json()["items"]]
    assert names == ["default", "kube-node-lease", "kube-public", "kube-system"]


def test_create_sets_phase_finalizer_and_label(api: httpx.Client) -> None:
    made = make(api, "team")
    assert made["status"] == {"phase": "Active"}
    assert made["spec"] == {"finalizers": ["kubernetes"]}
    assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": "team"}
    put = api.put(
        f"{NAMESPACES}/team",
        json={**made, "spec": {}, "status": {"phase": "Terminating"}},
    )
    assert put.json()["spec"] == made["spec"]
    assert put.json()["status"] == made["status"]
    wrong = api.post(NAMESPACES, json={"metadata": {"name": "a.b"}})
    assert "a lowercase RFC 1123 label must consist of" in wrong.json()["message"]


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
def test_three_may_not_go(api: httpx.Client, name: str) -> None:
    answer = api.delete(f"{NAMESPACES}/{name}")
    assert (answer.status_code, answer.json()["message"]) == (
        403,
        f'namespaces "{name}" is forbidden: this namespace may not be deleted',
    )


def test_nothing_is_created_in_a_missing_namespace(api: httpx.Client) -> None:
    answer = api.post(f"{NAMESPACES}/nope/secrets", json={"metadata": {"name": "x"}})
    assert answer.json()["message"] == 'namespaces "nope" not found'
    assert answer.json()["details"] == {"name": "nope", "kind": "namespaces"}


def test_removal_takes_the_contents_along(api: httpx.Client) -> None:
    make(api, "team")
    for kind in ("secrets", "configmaps", "serviceaccounts"):
        for index in range(3):
            body = {"metadata": {"name": f"x{index}"}}
            assert api.post(f"{NAMESPACES}/team/{kind}", json=body).status_code == 201
    gone = api.delete(f"{NAMESPACES}/team")
    assert gone.status_code == 200
    assert gone.json()["status"]["phase"] == "Terminating"
    until(lambda: api.get(f"{NAMESPACES}/team").status_code == 404)
    for kind in ("secrets", "configmaps", "serviceaccounts"):
        assert api.get(f"{NAMESPACES}/team/{kind}").json()["items"] == []
    make(api, "team")


def test_a_held_object_holds_its_namespace(api: httpx.Client) -> None:
    make(api, "team")
    held = {"metadata": {"name": "x", "finalizers": ["example.com/hold"]}}
    api.post(f"{NAMESPACES}/team/secrets", json=held)
    api.delete(f"{NAMESPACES}/team")
    refused = api.post(f"{NAMESPACES}/team/secrets", json={"metadata": {"name": "y"}})
    assert refused.status_code == 403
    assert refused.json()["message"] == (
        'secrets "y" is forbidden: unable to create new content in namespace team because it is '
        "being terminated"
    )
    assert refused.json()["details"]["causes"] == [
        {
            "reason": "NamespaceTerminating",
            "message": "namespace team is being terminated",
            "field": "metadata.namespace",
        }
    ]
    again = api.delete(f"{NAMESPACES}/team")
    assert again.status_code == 409
    assert "The system is ensuring all content is removed" in again.json()["message"]

    def conditions() -> dict[str, Any]:
        status = api.get(f"{NAMESPACES}/team").json()["status"]
        return {condition["type"]: condition for condition in status.get("conditions", [])}

    until(lambda: bool(conditions()))
    found = conditions()
    assert found["NamespaceContentRemaining"]["message"] == (
        "Some resources are remaining: secrets. has 1 resource instances"
    )
    assert found["NamespaceFinalizersRemaining"]["message"] == (
        "Some content in the namespace has finalizers remaining: "
        "example.com/hold in 1 resource instances"
    )
    assert found["NamespaceDeletionContentFailure"]["status"] == "False"
    release = b'{"metadata":{"finalizers":[]}}'
    api.patch(f"{NAMESPACES}/team/secrets/x", content=release, headers=MERGE)
    until(lambda: api.get(f"{NAMESPACES}/team").status_code == 404)


def test_a_deleted_namespace_is_closed_at_once(api: httpx.Client) -> None:
    for index in range(20):
        make(api, f"t{index}")
        held = {"metadata": {"name": "x", "finalizers": ["example.com/hold"]}}
        assert api.post(f"{NAMESPACES}/t{index}/secrets", json=held).status_code == 201
        assert api.delete(f"{NAMESPACES}/t{index}").status_code == 200
        late = api.post(f"{NAMESPACES}/t{index}/secrets", json={"metadata": {"name": "y"}})
        assert late.status_code == 403


def test_finalize_by_hand(api: httpx.Client) -> None:
    make(api, "team")
    held = {"metadata": {"name": "x", "finalizers": ["example.com/hold"]}}
    api.post(f"{NAMESPACES}/team/secrets", json=held)
    api.delete(f"{NAMESPACES}/team")
    now = api.get(f"{NAMESPACES}/team").json()
    del now["metadata"]["resourceVersion"]
    done = api.put(f"{NAMESPACES}/team/finalize", json={**now, "spec": {"finalizers": []}})
    assert done.status_code == 200
    assert api.get(f"{NAMESPACES}/team").status_code == 404

"""Events: made by clients, found by describe, gone by their lease."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from tests.contract.apiserver.conftest import ClusterDoor
from tests.contract.apiserver.test_kubectl import Kubectl, kubectl, pytestmark

__all__ = ["kubectl", "pytestmark"]

EVENTS = "/api/v1/namespaces/default/events"


def event(uid: str = "", **more: Any) -> dict[str, Any]:
    about = {"kind": "ServiceAccount", "apiVersion": "v1", "name": "bot", "namespace": "default"}
    return {
        "metadata": {"generateName": "bot-"},
        "involvedObject": {**about, "uid": uid},
        "reason": "Rotated",
        "message": "the key was rotated",
        "type": "Normal",
        "source": {"component": "rotator"},
        "firstTimestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lastTimestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "count": 1,
        **more,
    }


def test_made_read_and_selected(api: httpx.Client) -> None:
    micro = "2026-01-01T00:00:00.123456Z"
    made = api.post(EVENTS, json=event(eventTime=micro, action="Rotate")).json()
    found = api.get(f"{EVENTS}/{made['metadata']['name']}").json()
    assert found["eventTime"] == micro
    assert found["source"] == {"component": "rotator"}
    for selector, count in (
        ("involvedObject.name=bot,involvedObject.kind=ServiceAccount", 1),
        ("source=rotator,reason=Rotated,type!=Warning", 1),
        ("involvedObject.name=other", 0),
    ):
        listed = api.get(EVENTS, params={"fieldSelector": selector}).json()
        assert len(listed["items"]) == count, selector
    api.headers["accept"] = "application/json;as=Table;v=v1;g=meta.k8s.io"
    cells = api.get(EVENTS).json()["rows"][0]["cells"]
    assert cells[1:] == ["Normal", "Rotated", "serviceaccount/bot", "the key was rotated"]


def test_of_another_namespace(api: httpx.Client) -> None:
    about = {"kind": "Secret", "name": "x", "namespace": "other"}
    refused = api.post(EVENTS, json=event(involvedObject=about))
    assert refused.status_code == 422
    assert "does not match event.namespace" in refused.json()["message"]


def test_describe(kubectl: Kubectl, cluster: ClusterDoor, tmp_path: Path) -> None:
    kubectl.ok("create", "serviceaccount", "bot")
    account = json.loads(kubectl.ok("get", "serviceaccount", "bot", "-o", "json"))
    with cluster.client() as api:
        assert api.post(EVENTS, json=event(account["metadata"]["uid"])).status_code == 201
    described = kubectl.ok("describe", "serviceaccount", "bot")
    assert "Rotated" in described
    assert "the key was rotated" in described
    assert "Rotated" in kubectl.ok("get", "events")

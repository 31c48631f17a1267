"""The audit log says who did what, and nothing of what a Secret holds."""

import json
import re
import time
from pathlib import Path
from typing import Any

import httpx

from apiserver_shim.api import audit
from apiserver_shim.api.audit import AuditLog
from tests.contract.apiserver.conftest import ClusterDoor, Shim
from tests.patience import PATIENCE

SECRETS = "/api/v1/namespaces/default/secrets"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z").fullmatch


def events(shim: Shim, audit_id: str, count: int = 1) -> list[dict[str, Any]]:
    path, deadline = shim.home / "audit.log", time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        lines = path.read_text().splitlines() if path.exists() else []
        found = [event for line in lines if (event := json.loads(line))["auditID"] == audit_id]
        if len(found) >= count:
            return found
        time.sleep(0.05)
    raise AssertionError(f"no {count} events for {audit_id}")


def test_a_write(shim: Shim, cluster: ClusterDoor, api: httpx.Client) -> None:
    content = "c29tZXRoaW5nIHNlY3JldA=="
    body = {"metadata": {"name": "x"}, "data": {"a": content}}
    answer = api.post(f"{SECRETS}?fieldManager=me", json=body, headers={"user-agent": "tester/1"})
    (event,) = events(shim, answer.headers["audit-id"])
    assert TIME(event.pop("requestReceivedTimestamp"))
    assert TIME(event.pop("stageTimestamp"))
    del event["auditID"]
    assert event == {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "stage": "ResponseComplete",
        "requestURI": f"/clusters/{cluster.id}{SECRETS}?fieldManager=me",
        "verb": "create",
        "user": {
            "username": "admin",
            "uid": "admin-uid",
            "groups": ["system:masters", "system:authenticated"],
        },
        "sourceIPs": ["127.0.0.1"],
        "userAgent": "tester/1",
        "objectRef": {"resource": "secrets", "namespace": "default", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 201},
        "annotations": {
            "authorization.k8s.io/decision": "allow",
            "authorization.k8s.io/reason": "",
        },
    }
    bad = {"data": {"a": f"{content}!"}, "type": 5}
    headers = {"content-type": "application/merge-patch+json"}
    refused = api.patch(f"{SECRETS}/x", json=bad, headers=headers)
    assert refused.status_code == 422
    (event,) = events(shim, refused.headers["audit-id"])
    assert event["responseStatus"]["code"] == 422
    assert "c29tZXRoaW5n" not in (shim.home / "audit.log").read_text()


def test_refusals(shim: Shim, cluster: ClusterDoor) -> None:
    given = {"audit-id": "my-own-id"}
    with cluster.client("nobody-token") as nobody:
        assert nobody.get(SECRETS, headers=given).headers["audit-id"] == "my-own-id"
    (event,) = events(shim, "my-own-id")
    assert event["responseStatus"] == {
        "metadata": {},
        "status": "Failure",
        "reason": "Forbidden",
        "code": 403,
    }
    assert event["annotations"]["authorization.k8s.io/decision"] == "forbid"
    with cluster.client("wrong") as stranger:
        answer = stranger.get(SECRETS, headers={"audit-id": "not {an} id"})
    (event,) = events(shim, answer.headers["audit-id"])
    assert event["user"] == {}
    assert event["responseStatus"]["code"] == 401


def test_a_watch_has_two_stages(shim: Shim, api: httpx.Client) -> None:
    answer = api.get(f"{SECRETS}?watch=1&timeoutSeconds=1")
    found = events(shim, answer.headers["audit-id"], 2)
    assert [event["stage"] for event in found] == ["ResponseStarted", "ResponseComplete"]


async def test_the_log_is_bounded(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(audit, "_FILE_LIMIT", 100)
    monkeypatch.setattr(audit, "_WAITING_LIMIT", 5)
    path = tmp_path / "audit.log"
    events_log = AuditLog(path)
    for number in range(8):
        events_log.add({"number": number, "padding": "x" * 50})
    await events_log._flush()
    assert not path.exists()
    assert len((tmp_path / "audit.log.1").read_text().splitlines()) == 5
    events_log.add({"number": 9})
    await events_log._flush()
    assert path.read_text() == '{"number":9}\n'
    assert path.stat().st_mode & 0o777 == 0o600

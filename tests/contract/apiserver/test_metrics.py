"""/metrics: what is counted, under which names, and who may read it."""

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from apiserver_shim.clusters import StaticToken
from tests.contract.apiserver.conftest import NOBODY, ClusterDoor

SECRETS = "/api/v1/namespaces/default/secrets"
MONITOR = StaticToken("monitor-token", "prometheus", "", ("system:monitoring",))


def value(text: str, sample: str, **labels: str) -> float:
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            if one.name == sample and labels.items() <= one.labels.items():
                return one.value
    pytest.fail(f"no {sample} with {labels}")


def test_requests_are_counted_by_what_they_are(api: httpx.Client) -> None:
    api.post(SECRETS, json={"metadata": {"name": "app1"}})
    api.post(SECRETS, json={"metadata": {"name": "app1"}})
    api.get(SECRETS)
    api.get("/api/v1/inventions")
    api.patch(
        f"{SECRETS}/app2?fieldManager=x&dryRun=All",
        content=b'{"apiVersion":"v1","kind":"Secret"}',
        headers={"content-type": "application/apply-patch+yaml"},
    )
    answer = api.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = answer.text
    created = {"verb": "POST", "resource": "secrets", "version": "v1", "scope": "resource"}
    assert value(text, "apiserver_request_total", **created, code="201") == 1
    assert value(text, "apiserver_request_total", **created, code="409") == 1
    assert value(text, "apiserver_request_total", verb="APPLY", dry_run="All", code="201") == 1
    assert value(text, "apiserver_request_duration_seconds_count", verb="LIST") >= 1
    assert "inventions" not in text
    inflight = "apiserver_current_inflight_requests"
    assert value(text, inflight, request_kind="readOnly") >= 1
    assert value(text, inflight, request_kind="mutating") >= 0


def test_only_those_who_may(cluster: ClusterDoor) -> None:
    door = cluster.shim.new_cluster(tokens=(MONITOR, NOBODY))
    for token, code in ((MONITOR.token, 200), (NOBODY.token, 403)):
        with door.client(token) as client:
            assert client.get("/metrics").status_code == code

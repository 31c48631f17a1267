"""An operator on kopf, as a process of its own: list, watch, patch, finalizers, events."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.contract.apiserver.conftest import ClusterDoor
from tests.patience import PATIENCE

SECRETS = "/api/v1/namespaces/default/secrets"
EVENTS = "/api/v1/namespaces/default/events"


@pytest.fixture
def operator(cluster: ClusterDoor, tmp_path: Path) -> Iterator[Path]:
    """Run the operator; yields where its log is."""
    source = Path(__file__).with_name("kopf_operator.py")
    command = [sys.executable, "-m", "kopf", "run", "--standalone", "-n", "default", str(source)]
    environment = {"HOME": str(tmp_path), "KUBECONFIG": str(cluster.kubeconfig())}
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    try:
        yield log
    finally:
        process.terminate()
        process.wait(PATIENCE)


def wait_for(done: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, log.read_text()[-2000:]
        time.sleep(0.1)


def test_an_operator_at_work(api: httpx.Client, operator: Path) -> None:
    body = {
        "metadata": {"name": "app1", "labels": {"watched": "yes"}},
        "data": {"a": "Yg==", "b": "Yg=="},
    }
    assert api.post(SECRETS, json=body).status_code == 201
    api.post(SECRETS, json={"metadata": {"name": "app2"}})

    def keys(name: str) -> str | None:
        annotations = api.get(f"{SECRETS}/{name}").json()["metadata"].get("annotations") or {}
        found: str | None = annotations.get("keys")
        return found

    wait_for(lambda: keys("app1") == "2", operator)
    api.patch(
        f"{SECRETS}/app1",
        content=b'{"data":{"c":"Yg=="}}',
        headers={"content-type": "application/merge-patch+json"},
    )
    wait_for(lambda: keys("app1") == "3", operator)
    assert keys("app2") is None
    assert api.get(f"{SECRETS}/app1").json()["metadata"]["finalizers"]
    assert api.delete(f"{SECRETS}/app1").status_code == 200
    wait_for(lambda: api.get(f"{SECRETS}/app1").status_code == 404, operator)

    def reasons() -> set[str]:
        return {event["reason"] for event in api.get(EVENTS).json()["items"]}

    wait_for(lambda: {"Counted", "Released"} <= reasons(), operator)

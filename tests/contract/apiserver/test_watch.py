"""Watches over HTTPS: what is told, when it begins, how it ends."""

import asyncio
import threading
import time
from typing import Any

import httpx
import orjson
import pytest

from apiserver_shim.storage.etcd import EtcdClient
from tests.patience import PATIENCE

SECRETS = "/api/v1/namespaces/default/secrets"


def create(api: httpx.Client, name: str) -> dict[str, Any]:
    answer = api.post(SECRETS, json={"metadata": {"name": name}, "data": {"a": "Yg=="}})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


class Watching:
    """Reads a watch in the background, one frame at a time."""

    def __init__(self, api: httpx.Client, path: str, **params: str) -> None:
        self._api = api
        self._path = path
        self._params = {"watch": "true", **params}
        self.frames: list[dict[str, Any]] = []
        self.ended = threading.Event()
        self.cut = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            with self._api.stream("GET", self._path, params=self._params) as stream:
                for line in stream.iter_lines():
                    self.frames.append(orjson.loads(line))
        except (httpx.TransportError, httpx.StreamError):
            self.cut = True
        self.ended.set()

    def wait(self, count: int) -> list[tuple[str, str]]:
        deadline = time.monotonic() + PATIENCE
        while len(self.frames) < count:
            assert time.monotonic() < deadline, self.frames
            time.sleep(0.01)
        return [
            (frame["type"], frame["object"]["metadata"].get("name", "")) for frame in self.frames
        ]


def test_watch_from_the_beginning(api: httpx.Client) -> None:
    create(api, "app1")
    watching = Watching(api, SECRETS)
    watching.wait(1)
    create(api, "app2")
    watching.wait(2)
    gone = api.delete(f"{SECRETS}/app1")
    assert gone.status_code == 200
    assert watching.wait(3) == [("ADDED", "app1"), ("ADDED", "app2"), ("DELETED", "app1")]
    versions = [int(f["object"]["metadata"]["resourceVersion"]) for f in watching.frames]
    assert versions == sorted(set(versions))


def test_watch_from_a_version_and_its_end(api: httpx.Client) -> None:
    made = create(api, "app1")
    create(api, "app2")
    version = made["metadata"]["resourceVersion"]
    watching = Watching(api, "/api/v1/secrets", resourceVersion=version, timeoutSeconds="1")
    assert watching.wait(1) == [("ADDED", "app2")]
    assert watching.ended.wait(PATIENCE)
    assert len(watching.frames) == 1


def test_watch_with_a_selector_tells_transitions(api: httpx.Client) -> None:
    create(api, "app1")
    watching = Watching(api, SECRETS, labelSelector="in=yes", resourceVersion=_version(api))

    def label(value: str) -> None:
        api.patch(
            f"{SECRETS}/app1",
            content=orjson.dumps({"metadata": {"labels": {"in": value}}}),
            headers={"content-type": "application/merge-patch+json"},
        )

    for value in ("yes", "yes", "no", "yes"):
        label(value)
    api.patch(
        f"{SECRETS}/app1",
        content=b'{"data":{"z":"Yg=="}}',
        headers={"content-type": "application/merge-patch+json"},
    )
    seen = [kind for kind, _ in watching.wait(4)]
    assert seen == ["ADDED", "DELETED", "ADDED", "MODIFIED"]
    left = watching.frames[1]["object"]["metadata"]
    assert left["labels"] == {"in": "yes"}


def _version(api: httpx.Client) -> str:
    version: str = api.get(SECRETS).json()["metadata"]["resourceVersion"]
    return version


def test_watch_as_table(api: httpx.Client) -> None:
    create(api, "app1")
    api.headers["accept"] = "application/json;as=Table;v=v1;g=meta.k8s.io"
    watching = Watching(api, SECRETS, timeoutSeconds="1")
    assert watching.ended.wait(PATIENCE)
    assert watching.frames[0]["object"]["kind"] == "Table"
    assert watching.frames[0]["object"]["rows"][0]["cells"][0] == "app1"


def test_watch_options_refused(api: httpx.Client) -> None:
    answer = api.get(SECRETS, params={"watch": "1", "sendInitialEvents": "true"})
    assert answer.status_code == 422
    assert answer.json()["message"] == (
        'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents '
        "requires setting resourceVersionMatch to NotOlderThan"
    )


async def test_compacted_revisions(api: httpx.Client, etcd_url: str) -> None:
    made = await asyncio.to_thread(create, api, "app1")
    first = int(made["metadata"]["resourceVersion"])
    for index in range(3):
        await asyncio.to_thread(create, api, f"more{index}")
    page = (await asyncio.to_thread(api.get, SECRETS, params={"limit": "1"})).json()
    await asyncio.to_thread(create, api, "last")
    latest = int(await asyncio.to_thread(_version, api))
    etcd = EtcdClient([etcd_url])
    await etcd.compact(latest)
    await etcd.close()
    params = {"watch": "true", "resourceVersion": str(first)}
    watched = await asyncio.to_thread(api.get, SECRETS, params=params)
    frame = orjson.loads(watched.content)
    assert watched.status_code == 200
    assert frame["type"] == "ERROR"
    assert frame["object"]["message"] == "The resourceVersion for the provided watch is too old."
    params = {"resourceVersion": str(first), "resourceVersionMatch": "Exact"}
    listed = await asyncio.to_thread(api.get, SECRETS, params=params)
    assert listed.status_code == 410
    token = page["metadata"]["continue"]
    went = await asyncio.to_thread(api.get, SECRETS, params={"limit": "9", "continue": token})
    assert went.status_code == 410
    assert went.json()["message"].startswith("The provided continue parameter is too old")
    again = {"limit": "9", "continue": went.json()["metadata"]["continue"]}
    rest = (await asyncio.to_thread(api.get, SECRETS, params=again)).json()
    assert [i["metadata"]["name"] for i in rest["items"]] == ["last", "more0", "more1", "more2"]


def test_the_beginning_of_a_watch_list_is_marked(api: httpx.Client) -> None:
    create(api, "app1")
    watching = Watching(
        api,
        SECRETS,
        sendInitialEvents="true",
        resourceVersionMatch="NotOlderThan",
        allowWatchBookmarks="true",
    )
    watching.wait(2)
    create(api, "app2")
    watching.wait(3)
    assert [frame["type"] for frame in watching.frames] == ["ADDED", "BOOKMARK", "ADDED"]
    mark = watching.frames[1]["object"]
    assert mark["kind"] == "Secret"
    assert mark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    version = watching.frames[0]["object"]["metadata"]["resourceVersion"]
    assert int(mark["metadata"]["resourceVersion"]) >= int(version)


def test_legacy_watch_paths(api: httpx.Client) -> None:
    create(api, "app1")
    create(api, "app2")
    every = Watching(api, "/api/v1/watch/secrets", timeoutSeconds="1")
    one = Watching(api, "/api/v1/watch/namespaces/default/secrets/app2", timeoutSeconds="1")
    assert every.ended.wait(PATIENCE)
    assert one.ended.wait(PATIENCE)
    assert every.wait(2) == [("ADDED", "app1"), ("ADDED", "app2")]
    assert one.wait(1) == [("ADDED", "app2")]


def test_bookmarks_advance_with_what_the_selector_does_not_match(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apiserver_shim.api.watch.BOOKMARK_SECONDS", 0.5)
    begun = _version(api)
    watching = Watching(
        api,
        SECRETS,
        labelSelector="in=yes",
        resourceVersion=begun,
        allowWatchBookmarks="true",
    )
    last = create(api, "app1")["metadata"]["resourceVersion"]
    deadline = time.monotonic() + PATIENCE
    while not any(f["object"]["metadata"]["resourceVersion"] == last for f in watching.frames):
        assert time.monotonic() < deadline, watching.frames
        time.sleep(0.05)
    assert {frame["type"] for frame in watching.frames} == {"BOOKMARK"}


def test_a_watch_over_a_websocket_is_refused_at_once(api: httpx.Client) -> None:
    """On 503 fabric8 asks again over plain HTTP (WatchConnectionManager, BaseOperation.watch)."""
    upgrade = {"connection": "keep-alive, Upgrade", "upgrade": "websocket"}
    for path in (f"{SECRETS}?watch=1", "/api/v1/watch/secrets"):
        refused = api.get(path, headers=upgrade, timeout=10)
        assert refused.status_code == 503
        assert refused.json()["reason"] == "ServiceUnavailable"
        assert "WebSocket" in refused.json()["message"]
    # what has an end is answered as ever, and the connection goes on
    assert api.get(SECRETS, headers=upgrade).json()["kind"] == "SecretList"
    assert api.post(SECRETS, json={"metadata": {"name": "x"}}, headers=upgrade).status_code == 201

"""Whatever lies in etcd: told by name, passed by an unsafe delete, survived by everything else."""

import asyncio
import json
import time
from typing import Any

import httpx
import pytest

from apiserver_shim.kubernetes_version import KubernetesVersion
from apiserver_shim.storage import codec
from apiserver_shim.storage.etcd import EtcdClient
from apiserver_shim.storage.wire import delimited, varint
from tests.contract.apiserver.conftest import ClusterDoor, Shim

UNSAFE = "ignoreStoreReadErrorWithClusterBreakingPotential"
NAMESPACE = "/api/v1/namespaces/broken"
PLACE = f"{NAMESPACE}/secrets"


def stored(**changes: Any) -> dict[str, Any]:
    meta = {"name": "bad", "namespace": "broken", "uid": "u", **changes.pop("metadata", {})}
    return {"kind": "Secret", "apiVersion": "v1", "metadata": meta, "type": "Opaque", **changes}


GOOD = codec.encode(stored())
RENAMED = {"name": "good"}, {"namespace": "default"}, {"name": ""}, {"namespace": ""}


def as_json(**changes: Any) -> bytes:
    return json.dumps({**stored(), **changes}).encode()


def of_another_time() -> bytes:
    """What an earlier version stored: a creationTimestamp in the year 10000."""
    meta = delimited(b"\x0a", b"bad") + delimited(b"\x1a", b"broken")
    meta += delimited(b"\x42", b"\x08" + varint(253402300800))
    typed = delimited(b"\x0a", delimited(b"\x0a", b"v1") + delimited(b"\x12", b"Secret"))
    return codec.MAGIC + typed + delimited(b"\x12", delimited(b"\x0a", meta))


VALUES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty data"),
    "no object": (b"rubbish", "unable to decode the stored value"),
    "prefix alone": (codec.MAGIC, "unable to decode the message"),
    "garbage": (codec.MAGIC + b"\xff" * 40, "unable to decode the message"),
    "truncated": (GOOD[:40], "unable to decode the message"),
    "a time of year 10000": (of_another_time(), "time out of range"),
    "no kind known": (GOOD.replace(b"Secret", b"Sacret"), 'no kind "Sacret" is registered'),
    "another version": (GOOD.replace(b"\x02v1", b"\x02v2"), 'for version "v2"'),
    "another kind": (
        codec.encode({**stored(), "kind": "ConfigMap"}),
        "converting (v1.ConfigMap) to (core.Secret): unknown conversion",
    ),
    "sealed": (b"k8s:enc:kms:v1:gone:x", "identity transformer tried to read encrypted data"),
    "no UTF-8": (GOOD.replace(b"Opaque", b"\xff\xff\xff\xff\xff\xff"), "unable to decode"),
    "JSON of another kind": (as_json(kind="ConfigMap"), "unknown conversion"),
    "JSON of no kind": (as_json(kind=["Secret"]), "no kind"),
    "JSON list": (b"[]", "not an object"),
    "JSON with a name of no text": (as_json(metadata={"name": 7}), "unable to decode"),
    "JSON with data of no map": (as_json(data=["a"]), "unable to decode"),
    "JSON with data of no base64": (as_json(data={"a": "!"}), "unable to decode"),
    "JSON with a time": (as_json(metadata={"creationTimestamp": "yesterday"}), "parsing time"),
    "JSON with a number": (as_json(metadata={"generation": 1.5}), "is not an int64"),
    "JSON with finalizers": (as_json(metadata={"finalizers": "ab"}), "not a list"),
    "deep": (
        as_json(metadata={"managedFields": [{"fieldsV1": json.loads("[" * 200 + "]" * 200)}]}),
        "nested too deeply",
    ),
    **{
        f"under another key: {place}": (
            codec.encode(stored(metadata=place)), "the object under this key is",
        )
        for place in RENAMED
    },
}  # fmt: skip


@pytest.fixture
def cluster(shim: Shim) -> ClusterDoor:
    return shim.new_cluster(version=KubernetesVersion(37, unsafe_deletion=True))


def put(etcd_url: str, cluster: ClusterDoor, value: bytes) -> None:
    async def run() -> None:
        etcd = EtcdClient([etcd_url])
        prefix = cluster.shim.source.specs[cluster.id].etcd_prefix
        key = f"{prefix}/secrets/broken/bad".encode()
        found = await etcd.get(key)
        assert found.kv is None
        await etcd.create(key, value)
        await etcd.close()

    asyncio.run(run())


def eventually(found: Any, what: str) -> None:
    deadline = time.monotonic() + 20
    while not found():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def namespace(api: httpx.Client) -> None:
    def made() -> bool:
        answer = api.post("/api/v1/namespaces", json={"metadata": {"name": "broken"}})
        return answer.status_code == 201

    eventually(made, "the namespace")


def test_every_value_is_told_and_may_be_deleted_unread(
    etcd_url: str, cluster: ClusterDoor, api: httpx.Client
) -> None:
    """One cluster for all of them, so that it must survive each."""
    namespace(api)
    api.post(PLACE, json={"metadata": {"name": "zz"}}).raise_for_status()
    for index, (name, (value, words)) in enumerate(VALUES.items()):
        since = api.get(f"{NAMESPACE}/configmaps").json()["metadata"]["resourceVersion"]
        put(etcd_url, cluster, value)
        for method in ("GET", "DELETE"):
            answer = api.request(method, f"{PLACE}/bad")
            assert answer.status_code == 500, name
            message = answer.json()["message"]
            assert message.startswith(
                "Internal error occurred: StorageError: corrupt object, Code: 7, "
                "Key: /secrets/broken/bad, "
            ), name
            assert words in message, name
        body = {"metadata": {"name": "bad"}}
        assert api.put(f"{PLACE}/bad", json=body).json()["reason"] == "InternalError", name
        merge = {"content-type": "application/merge-patch+json"}
        assert api.patch(f"{PLACE}/bad", json={}, headers=merge).status_code == 500, name
        for place in (PLACE, "/api/v1/secrets"):
            status = api.get(place).json()
            assert (status["code"], status["reason"]) == (500, "StorageReadError"), name
            assert len(status["details"]["causes"]) == 1, name
        assert api.delete(PLACE).json()["reason"] == "StorageReadError", name
        query = f"watch=true&timeoutSeconds=5&resourceVersion={since}"
        with api.stream("GET", f"{PLACE}?{query}") as stream:
            event = json.loads(stream.read().split(b"\n")[0])
        assert event["type"] == "ERROR", name
        assert words in event["object"]["message"], name
        assert "in the server's log" not in json.dumps([message, status, event])
        # other kinds and the namespaces go on, and the object may go
        assert api.get(f"{NAMESPACE}/configmaps").status_code == 200
        by_query = {"params": {UNSAFE: "true"}}
        by_body = {"content": json.dumps({UNSAFE: True}).encode()}
        how: Any = by_query if index % 2 else by_body
        answer = api.request("DELETE", f"{PLACE}/bad", **how)
        assert (answer.status_code, answer.json()["status"]) == (200, "Success"), name
        assert [item["metadata"]["name"] for item in api.get(PLACE).json()["items"]] == ["zz"]


@pytest.mark.parametrize("name", ["garbage", "another kind", "a time of year 10000"])
def test_a_namespace_waits_until_what_is_unreadable_is_gone(
    etcd_url: str, cluster: ClusterDoor, api: httpx.Client, name: str
) -> None:
    namespace(api)
    value, words = VALUES[name]
    put(etcd_url, cluster, value)
    api.post(f"{NAMESPACE}/configmaps", json={"metadata": {"name": "x"}}).raise_for_status()
    assert api.delete(NAMESPACE).status_code == 200

    def told() -> bool:
        conditions = api.get(NAMESPACE).json()["status"].get("conditions", [])
        return any("failed to read" in each["message"] for each in conditions)

    eventually(told, f"a condition that tells of {words}")
    assert api.get(f"{NAMESPACE}/configmaps").json()["items"] == []
    assert api.delete(f"{PLACE}/bad", params={UNSAFE: "true"}).status_code == 200
    eventually(lambda: api.get(NAMESPACE).status_code == 404, "the end of the namespace")
    namespace(api)

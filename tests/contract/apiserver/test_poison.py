"""Values that a reader might choke on are refused, or read, listed, watched and deleted."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import yaml

from apiserver_shim.errors import EncodeError
from apiserver_shim.kubernetes_version import KubernetesVersion
from apiserver_shim.storage import codec
from apiserver_shim.storage.times import time as time_field
from apiserver_shim.storage.wire import Message, delimited, varint
from tests.contract.apiserver.conftest import ClusterDoor, Shim

NAMESPACE = "/api/v1/namespaces/poison"
NAME = "odd"
PROTOBUF = "application/vnd.kubernetes.protobuf"
TIMES = (
    "9999-12-31T23:59:59-23:59",
    "9999-12-31T23:59:59.999999-23:59",
    "0001-01-01T00:00:00+23:59",
    "0000-01-01T00:00:00Z",
    "0000-01-01T00:00:00.000000Z",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00.000001Z",
    "9999-12-31T23:59:59Z",
    "2026-02-30T00:00:00Z",
    "now",
)


def nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"f:a": value}
    return value


FIELDS_V1 = [nested(90), nested(150), nested(240), {".": {}}, {"f:a": {".": {}}}, [], 1e300, "x"]
ENTRY = {"manager": "m", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1"}
METADATA: list[dict[str, Any]] = [
    *({"managedFields": [{**ENTRY, "time": t, "fieldsV1": {"f:data": {}}}]} for t in TIMES),
    *({"managedFields": [{**ENTRY, "fieldsV1": fields}]} for fields in FIELDS_V1),
    {"managedFields": [{**ENTRY, "fieldsV1": {"f:data": {}}}] * 20},
    {"managedFields": [{}, None]},
    *({"creationTimestamp": t, "deletionTimestamp": t} for t in TIMES),
    {"deletionGracePeriodSeconds": 1 << 62, "generation": -(1 << 63)},
    {"generation": 1 << 63},
    {"generation": 1.5},
    {"finalizers": [], "ownerReferences": [], "labels": {}, "annotations": {}},
    {"finalizers": [None]},
    {"ownerReferences": [None]},
    {"ownerReferences": [{"apiVersion": "v1", "kind": "Secret", "name": "a", "uid": ""}]},
    {"labels": {"a": None}, "annotations": {"b": "\0\u2028\U0010ffff", "c": None}},
    {"labels": {"\0": ""}},
    {"annotations": {"x": "y" * 270_000}},
]
SECRETS: list[dict[str, Any]] = [
    {"data": {"a": None, "b": ""}},
    {"data": {"a": "YR=="}},
    {"data": {"a\0": "YQ=="}},
    {"data": {"": "YQ=="}},
    {"stringData": {"a": "\0\U0010ffff"}},
    {"immutable": 1},
    {"type": ""},
    {"unknown": {"deep": nested(200)}},
]
EVENTS: list[dict[str, Any]] = [
    *({field: t} for t in TIMES for field in ("firstTimestamp", "lastTimestamp", "eventTime")),
    *({"series": {"count": 1, "lastObservedTime": t}} for t in TIMES),
    *({"count": n} for n in (2**31 - 1, 2**31, -(2**31), 2**63, 1.0, True)),
    {"related": {}, "source": None},
]


@pytest.fixture
def door(shim: Shim) -> ClusterDoor:
    return shim.new_cluster(version=KubernetesVersion(37, unsafe_deletion=True))


@pytest.fixture
def api(door: ClusterDoor) -> Iterator[httpx.Client]:
    with door.client() as client:
        client.post("/api/v1/namespaces", json={"metadata": {"name": "poison"}}).raise_for_status()
        yield client


def by_json(body: Any) -> tuple[str, bytes]:
    return "application/json", json.dumps(body).encode()


def by_yaml(body: Any) -> tuple[str, bytes]:
    return "application/yaml", yaml.safe_dump(body).encode()


def by_protobuf(body: Any) -> tuple[str, bytes]:
    return PROTOBUF, codec.encode_body(body)


def seen(api: httpx.Client, resource: str, name: str) -> None:
    """Read an object in every way there is, and then delete it."""
    path = f"{NAMESPACE}/{resource}/{name}"
    found = api.get(path)
    assert found.status_code == 200, found.text
    obj = found.json()
    for form in ("application/json", "application/yaml", PROTOBUF):
        assert api.get(path, headers={"accept": form}).status_code == 200
    for place in (f"{NAMESPACE}/{resource}", f"/api/v1/{resource}"):
        listed = api.get(place)
        assert listed.status_code == 200, listed.text
        items = [item for item in listed.json()["items"] if item["metadata"]["name"] == name]
        assert [{"kind": obj["kind"], "apiVersion": "v1", **item} for item in items] == [obj]
        table = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
        assert api.get(place, headers=table).status_code == 200
    query = f"watch=true&timeoutSeconds=5&fieldSelector=metadata.name%3D{name}"
    with api.stream("GET", f"{NAMESPACE}/{resource}?{query}") as stream:
        event = json.loads(first_line(stream))
    assert event == {"type": "ADDED", "object": obj}
    assert api.put(path, json=obj).json() == obj, "what is read may be sent back"
    patch = api.patch(path, json={}, headers={"content-type": "application/merge-patch+json"})
    assert patch.json() == obj
    if obj["metadata"].get("finalizers"):
        free = [{"op": "remove", "path": "/metadata/finalizers"}]
        kind = {"content-type": "application/json-patch+json"}
        assert api.patch(path, json=free, headers=kind).status_code == 200
    assert api.delete(path).status_code == 200
    assert api.get(path).status_code == 404


def first_line(stream: httpx.Response) -> bytes:
    """Return the first frame; httpx's own lines end at U+2028, too."""
    read = b""
    for part in stream.iter_bytes():
        read += part
        if b"\n" in read:
            break
    return read.partition(b"\n")[0]


def judge(api: httpx.Client, answer: httpx.Response, resource: str, name: str) -> bool:
    """Tell whether a write was taken; if so it must be the object that everybody sees."""
    if not answer.is_success:
        assert answer.status_code in {400, 422}, answer.text
        assert answer.json()["kind"] == "Status"
        assert "in the server's log" not in answer.text
        return False
    stored = api.get(f"{NAMESPACE}/{resource}/{name}").json()
    assert answer.json() == stored
    return True


def create(api: httpx.Client, resource: str, body: Any, how: Callable[[Any], Any]) -> bool:
    name = body["metadata"]["name"]
    try:
        content_type, content = how(body)
    except EncodeError:  # such a client cannot even write it down
        return False
    headers = {"content-type": content_type}
    place = f"{NAMESPACE}/{resource}?fieldValidation=Ignore"
    dry = api.post(f"{place}&dryRun=All", content=content, headers=headers)
    answer = api.post(place, content=content, headers=headers)
    assert dry.status_code == answer.status_code, dry.text
    return judge(api, answer, resource, name)


HOW = [by_json, by_yaml, by_protobuf]


@pytest.mark.parametrize("how", HOW)
def test_created(api: httpx.Client, how: Callable[[Any], Any]) -> None:
    taken = 0
    for odd in [{"metadata": meta} for meta in METADATA] + SECRETS:
        meta = {"name": NAME, **odd.get("metadata", {})}
        body = {"kind": "Secret", "apiVersion": "v1", **odd, "metadata": meta}
        if create(api, "secrets", body, how):
            taken += 1
            seen(api, "secrets", NAME)
    assert taken > 15
    for odd in EVENTS:
        about = {"involvedObject": {"namespace": "poison", "name": "x"}}
        body = {"kind": "Event", "apiVersion": "v1", "metadata": {"name": NAME}, **about, **odd}
        if create(api, "events", body, how):
            taken += 1
            seen(api, "events", NAME)
    assert taken > 30


PATCHES = [
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "application/json-patch+json",
]


@pytest.mark.parametrize("media_type", ["PUT", *PATCHES])
def test_changed(api: httpx.Client, media_type: str) -> None:
    path, taken = f"{NAMESPACE}/configmaps/{NAME}", 0
    for meta in METADATA:
        first = {"metadata": {"name": NAME, "annotations": {"first": "x"}}}
        api.post(f"{NAMESPACE}/configmaps", json=first).raise_for_status()
        body: Any = {
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {"name": NAME, **meta},
            "data": {"a": "b"},
        }
        if media_type == "application/json-patch+json":
            body = [
                {"op": "add", "path": f"/metadata/{name}", "value": value}
                for name, value in meta.items()
            ]
        query = "fieldManager=me&force=true" if "apply" in media_type else "fieldManager=me"
        if media_type == "PUT":
            answer = api.put(path, json=body)
        else:
            headers = {"content-type": media_type}
            answer = api.patch(
                f"{path}?{query}", content=json.dumps(body).encode(), headers=headers
            )
        if answer.status_code == 500 and "apply" in media_type:
            # upstream's own answer to a configuration that does not fit
            assert answer.json()["message"].startswith("failed to create typed patch object")
        else:
            taken += judge(api, answer, "configmaps", NAME)
        applied = {"kind": "ConfigMap", "apiVersion": "v1", "data": {"a": "c"}}
        again = api.patch(
            f"{path}?fieldManager=other",
            json=applied,
            headers={"content-type": "application/apply-patch+yaml"},
        )
        assert again.status_code in {200, 409}, again.text
        seen(api, "configmaps", NAME)
    assert taken >= 5


def test_conditions_of_a_namespace(api: httpx.Client) -> None:
    for index, moment in enumerate(TIMES):
        name = f"conditions-{index}"
        obj = api.post("/api/v1/namespaces", json={"metadata": {"name": name}}).json()
        condition = {"type": "X", "status": "True", "lastTransitionTime": moment}
        obj["status"]["conditions"] = [condition]
        answer = api.put(f"/api/v1/namespaces/{name}/status", json=obj)
        assert answer.status_code in {200, 400}, answer.text
        assert api.get("/api/v1/namespaces").status_code == 200
        del obj["metadata"]["resourceVersion"]
        assert api.put(f"/api/v1/namespaces/{name}/finalize", json=obj).status_code in {200, 400}
        assert api.delete(f"/api/v1/namespaces/{name}").status_code == 200
        gone(api, f"/api/v1/namespaces/{name}")


def gone(api: httpx.Client, path: str) -> None:
    deadline = time.monotonic() + 20
    while api.get(path).status_code != 404:
        assert time.monotonic() < deadline, api.get(path).text
        time.sleep(0.1)


@pytest.mark.parametrize("seconds", [1 << 40, -(1 << 40), (1 << 63) - 1, 253402300800])
def test_moments_of_protobuf(api: httpx.Client, seconds: int) -> None:
    """What no client can write as text: numbers of seconds far away, in the field as it is sent."""
    body = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "far"}}
    moment = delimited(b"\x42", b"\x08" + varint(seconds))
    named = delimited(b"\x0a", b"far")
    raw = delimited(b"\x0a", named + moment)
    head = codec.encode_body(body)
    frame = head[: head.index(b"\x12", 20)] + delimited(b"\x12", raw)
    with pytest.raises(ValueError, match="out of range"):
        Message(time_field(8, "creationTimestamp")).decode(moment)
    answer = api.post(f"{NAMESPACE}/secrets", content=frame, headers={"content-type": PROTOBUF})
    assert answer.status_code == 400, answer.text


def test_half_characters(api: httpx.Client) -> None:
    for content_type, body in (
        ("application/json", b'{"metadata":{"name":"half","annotations":{"a":"\\ud800"}}}'),
        ("application/yaml", b'metadata: {name: half, annotations: {a: "\\ud800"}}'),
        ("application/json", b'{"metadata":{"name":"half","annotations":{"a":"\xff"}}}'),
        (PROTOBUF, codec.encode_body({"kind": "Secret", "apiVersion": "v1", "type": "zz"})
            .replace(b"zz", b"\xff\xff")),
    ):  # fmt: skip
        headers = {"content-type": content_type}
        answer = api.post(f"{NAMESPACE}/secrets", content=body, headers=headers)
        assert answer.status_code == 400, answer.text


def test_and_the_namespace_goes_at_last(door: ClusterDoor, api: httpx.Client) -> None:
    name = f"last-{door.id}"
    api.post("/api/v1/namespaces", json={"metadata": {"name": name}})
    place = f"/api/v1/namespaces/{name}/configmaps"
    for index, meta in enumerate(METADATA):
        body = {"metadata": {"name": f"odd-{index}"}}
        api.post(place, json=body)
        api.put(f"{place}/odd-{index}", json={"metadata": {**meta, "name": f"odd-{index}"}})
    stuck = [
        quote(item["metadata"]["name"])
        for item in api.get(place).json()["items"]
        if item["metadata"].get("finalizers")
    ]
    assert not stuck
    assert api.delete(f"/api/v1/namespaces/{name}").status_code == 200
    gone(api, f"/api/v1/namespaces/{name}")

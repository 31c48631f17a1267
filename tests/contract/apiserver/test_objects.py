"""The verbs on objects over HTTPS, with exact bodies."""

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import orjson

from apiserver_shim.storage import codec

SECRETS = "/api/v1/namespaces/default/secrets"


def secret(name: str, **fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": {"a": "Yg=="}, **fields}


def create(api: httpx.Client, name: str, **fields: Any) -> dict[str, Any]:
    answer = api.post(SECRETS, json=secret(name, **fields))
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_create_fills_in_what_the_server_owns(api: httpx.Client) -> None:
    wild = {
        "metadata": {
            "name": "app1",
            "uid": "mine",
            "creationTimestamp": "1999-01-01T00:00:00Z",
            "deletionTimestamp": "1999-01-01T00:00:00Z",
            "selfLink": "/x",
        },
        "stringData": {"a": "text", "b": "two"},
        "data": {"a": "b3ZlcnJpZGRlbg=="},
    }
    made = api.post(SECRETS, json=wild)
    assert made.status_code == 201
    body = made.json()
    assert list(body)[:3] == ["kind", "apiVersion", "metadata"]
    assert body["data"] == {"a": "dGV4dA==", "b": "dHdv"}
    assert "stringData" not in body
    assert body["type"] == "Opaque"
    meta = body["metadata"]
    assert len(meta["uid"]) == 36
    assert meta["namespace"] == "default"
    assert meta["creationTimestamp"] > "2020"
    assert "deletionTimestamp" not in meta
    read = api.get(f"{SECRETS}/app1").json()
    assert read == body


def test_create_of_an_existing_name_conflicts(api: httpx.Client) -> None:
    create(api, "app1")
    again = api.post(SECRETS, json=secret("app1"))
    assert again.json() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'secrets "app1" already exists',
        "reason": "AlreadyExists",
        "details": {"name": "app1", "kind": "secrets"},
        "code": 409,
    }


def test_generate_name(api: httpx.Client) -> None:
    made = api.post(SECRETS, json={"metadata": {"generateName": "app-"}}).json()
    name = made["metadata"]["name"]
    assert name.startswith("app-")
    assert len(name) == 9
    assert set(name[4:]) <= set("bcdfghjklmnpqrstvwxz2456789")


def test_missing_object(api: httpx.Client) -> None:
    answer = api.get(f"{SECRETS}/nope")
    assert (answer.status_code, answer.json()["message"]) == (404, 'secrets "nope" not found')


def test_dry_run_writes_nothing(api: httpx.Client) -> None:
    assert api.post(f"{SECRETS}?dryRun=All", json=secret("ghost")).status_code == 201
    assert api.get(f"{SECRETS}/ghost").status_code == 404
    made = create(api, "app1")
    changed = api.patch(
        f"{SECRETS}/app1?dryRun=All",
        content=b'{"data":{"a":"Yw=="}}',
        headers={"content-type": "application/merge-patch+json"},
    )
    assert changed.json()["data"] == {"a": "Yw=="}
    assert api.delete(f"{SECRETS}/app1?dryRun=All").json()["status"] == "Success"
    assert api.get(f"{SECRETS}/app1").json() == made
    wrong = api.post(f"{SECRETS}?dryRun=Some", json=secret("x"))
    assert wrong.status_code == 422
    assert wrong.json()["message"] == (
        'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: []string{"Some"}: '
        'supported values: "All"'
    )


def test_replace_and_its_conditions(api: httpx.Client) -> None:
    made = create(api, "app1")
    changed = api.put(f"{SECRETS}/app1", json={**made, "data": {"a": "Yw=="}}).json()
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]
    assert int(changed["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
    stale = api.put(f"{SECRETS}/app1", json=made)
    assert stale.status_code == 409
    assert stale.json()["message"] == (
        'Operation cannot be fulfilled on secrets "app1": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    del made["metadata"]["resourceVersion"]
    assert api.put(f"{SECRETS}/app1", json=made).status_code == 200
    made["metadata"]["uid"] = "other"
    other = api.put(f"{SECRETS}/app1", json=made).json()
    assert "Precondition failed: UID in precondition: other" in other["message"]
    assert api.put(f"{SECRETS}/nope", json=secret("nope")).status_code == 404
    wrong = api.put(f"{SECRETS}/app1", json=secret("app2"))
    assert (wrong.status_code, wrong.json()["message"]) == (
        400,
        "the name of the object (app2) does not match the name on the URL (app1)",
    )


def test_a_write_that_changes_nothing_is_none(api: httpx.Client) -> None:
    made = create(api, "app1")
    again = api.put(f"{SECRETS}/app1", json=made).json()
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_three_kinds_of_patch(api: httpx.Client) -> None:
    create(api, "app1")

    def patch(kind: str, body: Any) -> httpx.Response:
        return api.patch(
            f"{SECRETS}/app1",
            content=orjson.dumps(body),
            headers={"content-type": f"application/{kind}+json"},
        )

    merged = patch("merge-patch", {"metadata": {"labels": {"x": "y"}}, "stringData": {"c": "d"}})
    assert merged.json()["data"] == {"a": "Yg==", "c": "ZA=="}
    strategic = patch("strategic-merge-patch", {"data": {"a": None}, "metadata": {"labels": None}})
    assert strategic.json()["data"] == {"c": "ZA=="}
    assert "labels" not in strategic.json()["metadata"]
    done = patch("json-patch", [{"op": "add", "path": "/data/e", "value": "Zg=="}])
    assert done.json()["data"] == {"c": "ZA==", "e": "Zg=="}
    failed = patch("json-patch", [{"op": "remove", "path": "/data/zz"}])
    assert failed.status_code == 422
    assert failed.json()["message"] == (
        "the server rejected our request due to an error in our request"
    )
    cause = failed.json()["details"]["causes"][0]["message"]
    assert (
        cause == 'remove operation does not apply: doc is missing path: "/data/zz": missing value'
    )
    locked = patch("merge-patch", {"metadata": {"resourceVersion": "1"}})
    assert locked.status_code == 409


def test_concurrent_patches_all_count(api: httpx.Client) -> None:
    create(api, "app1")

    def patch(number: int) -> int:
        return api.patch(
            f"{SECRETS}/app1",
            content=orjson.dumps({"data": {f"k{number}": "Yg=="}}),
            headers={"content-type": "application/merge-patch+json"},
        ).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(patch, range(48))) == {200}
    assert len(api.get(f"{SECRETS}/app1").json()["data"]) == 49


def test_delete_and_preconditions(api: httpx.Client) -> None:
    made = create(api, "app1")
    refused = api.request("DELETE", f"{SECRETS}/app1", json={"preconditions": {"uid": "other"}})
    assert refused.status_code == 409
    assert refused.json()["message"] == (
        'Operation cannot be fulfilled on Secret "app1": the UID in the precondition (other) does '
        f"not match the UID in record ({made['metadata']['uid']}). The object might have been "
        "deleted and then recreated"
    )
    gone = api.request("DELETE", f"{SECRETS}/app1", json={"propagationPolicy": "Background"})
    assert gone.json() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {"name": "app1", "kind": "secrets", "uid": made["metadata"]["uid"]},
    }
    assert api.delete(f"{SECRETS}/app1").status_code == 404


def test_finalizers_hold_an_object(api: httpx.Client) -> None:
    body = secret("app1")
    body["metadata"]["finalizers"] = ["example.com/hold"]
    api.post(SECRETS, json=body)
    marked = api.delete(f"{SECRETS}/app1")
    assert marked.status_code == 200
    assert marked.json()["kind"] == "Secret"
    assert marked.json()["metadata"]["deletionTimestamp"]
    assert marked.json()["metadata"]["deletionGracePeriodSeconds"] == 0
    again = api.post(SECRETS, json=secret("app1"))
    assert again.json()["message"] == 'object is being deleted: secrets "app1" already exists'
    more = api.patch(
        f"{SECRETS}/app1",
        content=b'{"metadata":{"finalizers":["example.com/hold","example.com/more"]}}',
        headers={"content-type": "application/merge-patch+json"},
    )
    assert more.status_code == 422
    assert 'found new finalizers []string{"example.com/more"}' in more.json()["message"]
    released = api.patch(
        f"{SECRETS}/app1",
        content=b'{"metadata":{"finalizers":null}}',
        headers={"content-type": "application/merge-patch+json"},
    )
    assert released.status_code == 200
    assert api.get(f"{SECRETS}/app1").status_code == 404


def test_delete_collection_by_label(api: httpx.Client) -> None:
    for index in range(5):
        body = secret(f"s{index}")
        body["metadata"]["labels"] = {"odd": str(index % 2)}
        api.post(SECRETS, json=body)
    gone = api.delete(SECRETS, params={"labelSelector": "odd=1"}).json()
    assert gone["kind"] == "SecretList"
    assert [item["metadata"]["name"] for item in gone["items"]] == ["s1", "s3"]
    left = api.get(SECRETS).json()
    assert [item["metadata"]["name"] for item in left["items"]] == ["s0", "s2", "s4"]


def test_pages(api: httpx.Client) -> None:
    for index in range(7):
        create(api, f"s{index}")
    first = api.get(SECRETS, params={"limit": 3}).json()
    assert first["metadata"]["remainingItemCount"] == 4
    create(api, "s00")
    names, token = [i["metadata"]["name"] for i in first["items"]], first["metadata"]["continue"]
    padded = token + "=" * (-len(token) % 4)
    inner = orjson.loads(base64.urlsafe_b64decode(padded))
    assert inner == {
        "v": "meta.k8s.io/v1",
        "rv": int(first["metadata"]["resourceVersion"]),
        "start": "s2\0",
    }
    while token:
        page = api.get(SECRETS, params={"limit": 3, "continue": token}).json()
        assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        names += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue", "")
    assert names == [f"s{index}" for index in range(7)]


def test_pages_of_a_selection_are_full(api: httpx.Client) -> None:
    for index in range(20):
        body = secret(f"s{index:02}")
        body["metadata"]["labels"] = {"rare": "yes" if index % 5 == 0 else "no"}
        api.post(SECRETS, json=body)
    token = ""
    for path in (SECRETS, "/api/v1/secrets"):
        names: list[str] = []
        while True:
            params = {"limit": "2", "labelSelector": "rare in (yes)", "continue": token}
            page = api.get(path, params=params).json()
            assert "remainingItemCount" not in page["metadata"]
            names += [item["metadata"]["name"] for item in page["items"]]
            token = page["metadata"].get("continue", "")
            if not token:
                break
            assert len(page["items"]) == 2
        assert names == ["s00", "s05", "s10", "s15"]


def test_field_selectors(api: httpx.Client) -> None:
    create(api, "app1")
    create(api, "app2", type="example.com/other")

    def names(fields: str) -> list[str]:
        found = api.get("/api/v1/secrets", params={"fieldSelector": fields})
        return [item["metadata"]["name"] for item in found.json()["items"]]

    assert names("type=Opaque") == ["app1"]
    assert names("type!=Opaque") == ["app2"]
    assert names("metadata.name=app2,metadata.name=app2") == ["app2"]
    assert names("metadata.namespace=kube-system") == []
    wrong = api.get(SECRETS, params={"fieldSelector": "spec.nodeName=x"})
    assert (wrong.status_code, wrong.json()["message"]) == (
        400,
        "field label not supported: spec.nodeName",
    )


def test_resource_versions_of_lists(api: httpx.Client) -> None:
    made = create(api, "app1")
    version = made["metadata"]["resourceVersion"]
    create(api, "app2")

    def listed(**params: str) -> httpx.Response:
        return api.get(SECRETS, params=params)

    exact = listed(resourceVersion=version, resourceVersionMatch="Exact").json()
    assert [item["metadata"]["name"] for item in exact["items"]] == ["app1"]
    assert exact["metadata"]["resourceVersion"] == version
    legacy = listed(resourceVersion=version, limit="5").json()
    assert len(legacy["items"]) == 1
    newer = listed(resourceVersion=version, resourceVersionMatch="NotOlderThan").json()
    assert len(newer["items"]) == 2
    future = listed(resourceVersion="999999999")
    assert future.status_code == 504
    assert future.json()["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"
    wrong = listed(resourceVersionMatch="Exact")
    assert wrong.json()["message"] == (
        'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: '
        "resourceVersionMatch is forbidden unless resourceVersion is provided"
    )
    assert api.get(f"{SECRETS}/app1", params={"resourceVersion": "999999999"}).status_code == 504


def test_protobuf_and_yaml_bodies(api: httpx.Client) -> None:
    body = {"kind": "Secret", "apiVersion": "v1", **secret("app1")}
    made = api.post(
        SECRETS,
        content=codec.encode_body(body),
        headers={
            "content-type": "application/vnd.kubernetes.protobuf",
            "accept": "application/vnd.kubernetes.protobuf,application/json",
        },
    )
    assert made.headers["content-type"] == "application/vnd.kubernetes.protobuf"
    answered = codec.decode_body(made.content)
    assert answered["data"] == {"a": "Yg=="}
    text = (
        b"kind: Secret\nmetadata:\n  name: app2\n  creationTimestamp: null\nstringData: {key: x}\n"
    )
    made = api.post(SECRETS, content=text, headers={"content-type": "application/yaml"})
    assert made.json()["data"] == {"key": "eA=="}
    missing = api.get(f"{SECRETS}/nope", headers={"accept": "application/vnd.kubernetes.protobuf"})
    assert codec.decode_body(missing.content)["message"] == 'secrets "nope" not found'
    shown = api.get(f"{SECRETS}/app1", headers={"accept": "application/yaml"})
    assert shown.text.startswith("apiVersion: v1\n")


def test_table_and_partial_answers(api: httpx.Client) -> None:
    create(api, "app1")
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    table = api.get(SECRETS, headers={"accept": accept}).json()
    assert table["kind"] == "Table"
    assert [column["name"] for column in table["columnDefinitions"]] == [
        "Name",
        "Type",
        "Data",
        "Age",
    ]
    assert table["rows"][0]["cells"][:3] == ["app1", "Opaque", 1]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    partial = api.get(SECRETS, headers={"accept": accept}).json()
    assert partial["kind"] == "PartialObjectMetadataList"
    assert "data" not in partial["items"][0]


def test_unknown_and_duplicate_fields(api: httpx.Client) -> None:
    text = b'{"metadata":{"name":"app1","nmae":"x"},"data":{"a":"Yg==","a":"Yg=="}}'
    strict = api.post(f"{SECRETS}?fieldValidation=Strict", content=text)
    assert (strict.status_code, strict.json()["message"]) == (
        400,
        (
            'Secret in version "v1" cannot be handled as a Secret: strict decoding error: '
            'unknown field "metadata.nmae", duplicate field "data.a"'
        ),
    )
    ignored = api.post(f"{SECRETS}?fieldValidation=Ignore&dryRun=All", content=text)
    assert ignored.status_code == 201
    assert "warning" not in ignored.headers
    warned = api.post(SECRETS, content=text)
    assert warned.headers.get_list("warning") == [
        '299 - "unknown field \\"metadata.nmae\\""',
        '299 - "duplicate field \\"data.a\\""',
    ]
    patched = api.patch(
        f"{SECRETS}/app1?fieldValidation=Strict",
        content=b'{"spec":{}}',
        headers={"content-type": "application/merge-patch+json"},
    )
    assert patched.status_code == 422
    assert 'strict decoding error: unknown field "spec"' in patched.json()["message"]


def test_other_kinds(api: httpx.Client) -> None:
    made = api.post(
        "/api/v1/namespaces/default/configmaps",
        json={"metadata": {"name": "c"}, "data": {"a": "b"}, "binaryData": {"x": "Yg=="}},
    )
    assert made.status_code == 201
    path = "/api/v1/namespaces/default/serviceaccounts"
    assert api.post(path, json={"metadata": {"name": "robot"}}).status_code == 201
    gone = api.delete(f"{path}/robot").json()
    assert gone["kind"] == "ServiceAccount"

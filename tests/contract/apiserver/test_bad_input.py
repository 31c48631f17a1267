"""What a client can get wrong, and the exact Status it gets for it; never a 500."""

import http.client
import ssl
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import pytest

SECRETS = "/api/v1/namespaces/default/secrets"
PROTOBUF = "application/vnd.kubernetes.protobuf"
MERGE = "application/merge-patch+json"
UNRECOGNIZED = "the object provided is unrecognized (must be of type Secret): "
HANDLED = 'Secret in version "v1" cannot be handled as a Secret: '
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
CONFIG_KEY = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
    "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)


@pytest.mark.parametrize(
    ("body", "content_type", "code", "message"),
    [
        (
            b'{"metadata": oops}',
            "application/json",
            400,
            (
                f"{UNRECOGNIZED}couldn't get version/kind; json parse error: invalid character 'o' "
                'looking for beginning of value ({"metadata": oops})'
            ),
        ),
        (
            b"",
            "application/json",
            400,
            (
                f"{UNRECOGNIZED}couldn't get version/kind; json parse error: unexpected end of "
                "JSON input (<empty>)"
            ),
        ),
        (
            b"not protobuf",
            PROTOBUF,
            400,
            (
                f"{UNRECOGNIZED}provided data does not appear to be a protobuf message, expected "
                "prefix [107 56 115 0] (6e6f742070726f746f627566)"
            ),
        ),
        (b"{}", "text/html", 415, None),
        (
            b'{"kind":"ConfigMap","metadata":{"name":"x"}}',
            "",
            400,
            (
                'ConfigMap in version "v1" cannot be handled as a Secret: converting '
                "(v1.ConfigMap) to (core.Secret): unknown conversion"
            ),
        ),
        (
            b'{"apiVersion":"apps/v1","metadata":{"name":"x"}}',
            "",
            400,
            "the API version in the data (apps/v1) does not match the expected API version (v1)",
        ),
        (
            b'{"metadata":{"name":"x"},"data":{"a":"!!!"}}',
            "",
            400,
            f"{HANDLED}illegal base64 data at input byte 0",
        ),
        (
            b'{"metadata":{"name":"x"},"immutable":"yes"}',
            "",
            400,
            (
                f"{HANDLED}json: cannot unmarshal string into Go struct field Secret.immutable of "
                "type bool"
            ),
        ),
        (
            b'{"metadata":{"name":"x","labels":{"a":1}}}',
            "",
            400,
            (
                f"{HANDLED}json: cannot unmarshal number into Go struct field "
                "ObjectMeta.metadata.labels of type string"
            ),
        ),
        (
            b'{"metadata":{"name":"x","namespace":"other"}}',
            "",
            400,
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
        (
            b'{"metadata":{}}',
            "",
            422,
            'Secret "" is invalid: metadata.name: Required value: name or generateName is required',
        ),
        (
            b'{"metadata":{"name":"Bad_Name"}}',
            "",
            422,
            f'Secret "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": {SUBDOMAIN}',
        ),
        (
            b'{"metadata":{"name":"x"},"data":{"a b":"Yg=="}}',
            "",
            422,
            f'Secret "x" is invalid: data[a b]: Invalid value: "a b": {CONFIG_KEY}',
        ),
        (
            b'{"metadata":{"name":"x"},"type":"kubernetes.io/tls"}',
            "",
            422,
            'Secret "x" is invalid: [data[tls.crt]: Required value, data[tls.key]: Required value]',
        ),
        (b"[]", "", 400, None),
        (b"null", "", 400, None),
        (b'{"metadata":[]}', "", 400, None),
        (b"a: &a [x]\nb: *a\n", "application/yaml", 422, None),  # anchors are no fault
        (b"\xff\xfe", "", 400, None),
        (b"k8s\0\x0a\xff\xff\xff\xff\x0f", PROTOBUF, 400, None),
        (b"[" * 20_000, "", 400, None),
    ],
)
def test_bodies(
    api: httpx.Client, body: bytes, content_type: str, code: int, message: str | None
) -> None:
    headers = {"content-type": content_type} if content_type else {}
    answer = api.post(SECRETS, content=body, headers=headers)
    status = answer.json()
    assert (answer.status_code, status["kind"]) == (code, "Status"), status
    assert status["code"] == code
    if message is not None:
        assert status["message"] == message


def test_details_of_an_invalid_object(api: httpx.Client) -> None:
    answer = api.post(SECRETS, json={"metadata": {"name": "x", "labels": {"bad key": "v"}}})
    details = answer.json()["details"]
    assert (details["name"], details["kind"]) == ("x", "Secret")
    assert [(c["reason"], c["field"]) for c in details["causes"]] == [
        ("FieldValueInvalid", "metadata.labels")
    ]


def test_sizes(api: httpx.Client) -> None:
    just = "A" * (1024 * 1024 // 3 * 4)
    answer = api.post(SECRETS, json={"metadata": {"name": "x"}, "data": {"a": just + "AAAA"}})
    assert (answer.status_code, answer.json()["message"]) == (
        422,
        'Secret "x" is invalid: data: Too long: may not be more than 1048576 bytes',
    )
    assert api.post(SECRETS, json={"metadata": {"name": "y"}, "data": {"a": just}}).is_success
    body = orjson.dumps({"metadata": {"name": "x"}, "data": {"a": "A" * 5_000_000}})
    answer = api.post(SECRETS, content=body)
    assert (answer.status_code, answer.json()["message"]) == (
        413,
        "Request entity too large: limit is 3145728",
    )
    notes = {"note": "x" * 300_000}
    answer = api.post(SECRETS, json={"metadata": {"name": "x", "annotations": notes}})
    assert answer.json()["message"] == (
        'Secret "x" is invalid: metadata.annotations: Too long: may not be more than 262144 bytes'
    )


def test_a_chunked_body_has_the_same_limit(api: httpx.Client) -> None:
    chunks = (b"x" * 100_000 for _ in range(50))
    assert api.post(SECRETS, content=chunks).status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/api/v2/secrets", 404),
        ("GET", "/api/v1/pods", 404),
        ("GET", "/api/v1/secrets/x", 404),
        ("GET", f"{SECRETS}/x/status", 404),
        ("GET", f"{SECRETS}/x/y/z/a", 404),
        ("GET", f"{SECRETS}/%2e%2e", 404),
        ("GET", "/api/v1/namespaces/%2e%2e/secrets/x", 404),
        ("GET", f"{SECRETS}/a%25b", 404),
        ("GET", "/apis/apps/v1/deployments", 404),
        ("POST", "/api/v1/secrets", 405),
        ("POST", f"{SECRETS}/x", 405),
        ("PUT", SECRETS, 405),
        ("PATCH", SECRETS, 405),
        ("DELETE", "/api/v1/secrets", 405),
        ("DELETE", "/api/v1/namespaces", 405),
        ("OPTIONS", SECRETS, 405),
        ("POST", "/version", 405),
        ("GET", "/apis/authentication.k8s.io/v1/selfsubjectreviews", 405),
    ],
)
def test_paths_and_methods(api: httpx.Client, method: str, path: str, code: int) -> None:
    answer = api.request(method, path)
    assert answer.status_code == code, answer.text
    if code == 404:
        assert answer.text == "404 page not found\n" or answer.json()["reason"] == "NotFound"
    else:
        assert answer.json()["reason"] == "MethodNotAllowed"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=x", 400),
        ("limit=1&continue=rubbish", 400),
        ("limit=1&continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiIuLi8uLi94In0", 400),
        ("resourceVersion=abc", 422),
        ("resourceVersion=99999999999999999999999", 422),
        ("labelSelector=a,,b", 400),
        ("labelSelector=(", 400),
        ("labelSelector=x%3D%3D%3Dy", 400),
        ("labelSelector=%2F", 400),
        ("fieldSelector=nonsense", 400),
        ("fieldSelector=metadata.name%3D%5Cq", 400),
        ("watch=true&timeoutSeconds=x", 400),
        ("watch=true&resourceVersion=abc", 422),
        ("resourceVersionMatch=Sometimes&resourceVersion=1", 422),
    ],
)
def test_queries(api: httpx.Client, query: str, code: int) -> None:
    answer = api.get(f"{SECRETS}?{query}")
    assert (answer.status_code, answer.json()["kind"]) == (code, "Status"), answer.text


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b"{", MERGE, 400),
        (b"[]", MERGE, 400),
        (b"{}", "application/json-patch+json", 400),
        (b'[{"op":"fly","path":"/a"}]', "application/json-patch+json", 422),
        (b'[{"op":"add","path":"data/x","value":1}]', "application/json-patch+json", 422),
        (b'[{"op":"replace","path":"","value":[]}]', "application/json-patch+json", 422),
        (b'[{"op":"replace","path":"/metadata","value":null}]', "application/json-patch+json", 422),
        (b'[{"op":"remove","path":"/metadata"}]', "application/json-patch+json", 422),
        (b'{"$patch":"explode"}', "application/strategic-merge-patch+json", 400),
        (b'{"data":{"a":1}}', MERGE, 422),
        (b'{"metadata":{"name":"other"}}', MERGE, 422),
        (b'{"metadata":null}', MERGE, 422),
        (b'{"kind":"ConfigMap"}', MERGE, 400),
        (b"{}", "application/json", 415),
        (b'{"a":' * 1000 + b"1" + b"}" * 1000, MERGE, 400),
        (b'{"a":' * 900 + b"1" + b"}" * 900, MERGE, 400),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "application/strategic-merge-patch+json", 200),
    ],
)
def test_patches(api: httpx.Client, body: bytes, content_type: str, code: int) -> None:
    api.post(SECRETS, json={"metadata": {"name": "x"}, "data": {"a": "Yg=="}})
    answer = api.patch(f"{SECRETS}/x", content=body, headers={"content-type": content_type})
    assert answer.status_code == code, answer.text
    assert answer.json()["kind"] == ("Secret" if code == 200 else "Status")


@pytest.mark.parametrize("depth", [300, 900, 5000])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", SECRETS),
        ("DELETE", f"{SECRETS}/x"),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
    ],
)
def test_depth(api: httpx.Client, method: str, path: str, depth: int) -> None:
    body = b'{"spec":{"resourceAttributes":{"x":' + b"[" * depth + b"]" * depth + b"}}}"
    answer = api.request(method, path, content=body)
    assert (answer.status_code, answer.json()["kind"]) == (400, "Status"), answer.text


def test_copies_in_a_json_patch_are_bounded(api: httpx.Client) -> None:
    api.post(SECRETS, json={"metadata": {"name": "x"}, "stringData": {"a": "b" * 10_000}})
    copies = [{"op": "copy", "from": "", "path": f"/x/{index}"} for index in range(40)]
    operations: list[dict[str, Any]] = [{"op": "add", "path": "/x", "value": {}}, *copies]
    answer = api.patch(
        f"{SECRETS}/x",
        content=orjson.dumps(operations),
        headers={"content-type": "application/json-patch+json"},
    )
    assert answer.status_code == 422


def test_what_nobody_can_answer_in(api: httpx.Client) -> None:
    answer = api.get(SECRETS, headers={"accept": "text/html"})
    assert (answer.status_code, answer.json()["message"]) == (
        406,
        (
            "only the following media types are accepted: application/json, application/yaml, "
            "application/vnd.kubernetes.protobuf"
        ),
    )


@pytest.mark.parametrize("secret_type", ["kubernetes.io/dockercfg", "kubernetes.io/ssh-auth"])
def test_typed_secrets_without_their_keys(api: httpx.Client, secret_type: str) -> None:
    answer = api.post(SECRETS, json={"metadata": {"name": "x"}, "type": secret_type})
    assert answer.json()["details"]["causes"][0]["reason"] == "FieldValueRequired"


def test_broken_secret_contents_are_not_shown(api: httpx.Client) -> None:
    body = {
        "metadata": {"name": "x"},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": "{'password'"},
    }
    answer = api.post(SECRETS, json=body)
    assert answer.status_code == 422
    assert "<secret contents redacted>" in answer.json()["message"]
    assert "password" not in answer.text


def test_type_and_immutability(api: httpx.Client) -> None:
    made = api.post(SECRETS, json={"metadata": {"name": "x"}, "immutable": True}).json()
    changed = api.put(f"{SECRETS}/x", json={**made, "type": "example.com/x"})
    assert changed.json()["message"] == (
        'Secret "x" is invalid: type: Invalid value: "example.com/x": field is immutable'
    )
    changed = api.put(f"{SECRETS}/x", json={**made, "immutable": False, "data": {"a": "Yg=="}})
    assert changed.json()["message"] == (
        'Secret "x" is invalid: [immutable: Forbidden: field is immutable when `immutable` is set, '
        "data: Forbidden: field is immutable when `immutable` is set]"
    )


def test_bytes_that_are_no_http(api: httpx.Client, tmp_path: Any) -> None:
    address = urlsplit(str(api.base_url))
    context = ssl._create_unverified_context()
    connection = http.client.HTTPSConnection(address.hostname or "", address.port, context=context)
    connection.connect()
    connection.sock.sendall(b"GARBAGE\r\n\r\n")
    assert connection.sock.recv(100).startswith(b"HTTP/1.1 400")
    connection.close()
    assert api.get("/version").is_success

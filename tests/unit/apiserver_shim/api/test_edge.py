"""The edge without sockets: paths, media types, tables, OpenAPI, credentials, permissions."""

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest

from apiserver_shim import errors
from apiserver_shim.access.users import ANONYMOUS, UserInfo
from apiserver_shim.api import aggregated, discovery, negotiation, openapi_v2, status, tables
from apiserver_shim.api.authentication import BadCredentialError, authenticate
from apiserver_shim.api.request import ApiRequest, parse_info
from apiserver_shim.api.status import StatusError
from apiserver_shim.clusters import ClusterSpec, StaticToken
from apiserver_shim.groups import RBAC
from apiserver_shim.objects.kinds import KINDS
from apiserver_shim.storage.store import Key

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
OPENAPI_HEAD = bytes.fromhex("0a03322e3012150a0a4b756265726e65746573120776312e33322e30")


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/version", ("get", "", "", "", "")),
        ("GET", "/api/v1", ("get", "", "", "", "")),
        ("GET", "/api/v1/secrets", ("list", "secrets", "", "", "")),
        ("DELETE", "/api/v1/namespaces/a/secrets", ("deletecollection", "secrets", "a", "", "")),
        ("PUT", "/api/v1/namespaces/a/secrets/b", ("update", "secrets", "a", "b", "")),
        ("HEAD", "/api/v1/namespaces/a/secrets/b", ("get", "secrets", "a", "b", "")),
        ("POST", "/api/v1/namespaces", ("create", "namespaces", "", "", "")),
        ("GET", "/api/v1/namespaces/a", ("get", "namespaces", "a", "a", "")),
        ("PUT", "/api/v1/namespaces/a/finalize", ("update", "namespaces", "a", "a", "finalize")),
        ("POST", "/api/v1/namespaces/a/serviceaccounts/b/token",
         ("create", "serviceaccounts", "a", "b", "token")),
    ],
)  # fmt: skip
def test_what_paths_mean(method: str, path: str, expected: tuple[str, ...]) -> None:
    info = parse_info(method, path)
    assert (info.verb, info.resource, info.namespace, info.name, info.subresource) == expected


def test_watch_is_a_verb_of_collections() -> None:
    assert parse_info("GET", "/api/v1/secrets", watch=True).verb == "watch"
    assert parse_info("GET", "/api/v1/namespaces/a/secrets/b", watch=True).verb == "get"


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("fieldSelector=metadata.name=x", "x"),
        ("fieldSelector=metadata.name==x", "x"),
        ("fieldSelector=metadata.name%3Dx", "x"),
        ("fieldSelector=metadata%2Ename%3D%3Dx", "x"),
        ("fieldSelector=metadata.name=x,type=Opaque", "x"),
        ("fieldSelector=type=Opaque,metadata.name=x", "x"),
        ("fieldSelector=metadata.name=x,metadata.name=y", "x"),
        ("fieldSelector=metadata.name!=y,metadata.name=x", "x"),
        ("fieldSelector=metadata.name=x&fieldSelector=metadata.name=y", "x"),
        ("fieldSelector=metadata.name=x&limit=500&labelSelector=a=b", "x"),
        ("fieldSelector=metadata.name!=x", ""),
        ("fieldSelector=metadata.name=", ""),
        ("fieldSelector=metadata.name=a/b", ""),
        ("fieldSelector=metadata.name=..", ""),
        ("fieldSelector=metadata.name=a%2525", ""),
        ("fieldSelector=metadata.namespace=x", ""),
        ("fieldSelector=metadata.name%253Dx", ""),
        ("fieldSelector=metadata.name===x", ""),
        ("fieldSelector=metadata.name=x,nonsense", ""),
        ("fieldSelector=metadata.name=x&labelSelector=((", ""),
        ("fieldSelector=metadata.name=x&limit=many", ""),
        ("fieldSelector=metadata.name=x&timeoutSeconds=1s", ""),
        ("fieldSelector=", ""),
        ("fieldselector=metadata.name=x", ""),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("watch", "verb"),
    [("", "list"), ("&watch=true", "watch"), ("&watch=1", "watch"), ("&watch=False", "list")],
)
def test_a_field_selector_may_name_the_object(
    method: str, query: str, name: str, watch: str, verb: str
) -> None:
    request = asked(method, "/api/v1/namespaces/a/secrets", query + watch)
    info = request.info
    assert (info.verb, info.name, info.selected) == (verb, name, bool(name))


@pytest.mark.parametrize(
    ("method", "path", "verb", "name"),
    [
        ("DELETE", "/api/v1/namespaces/a/secrets", "deletecollection", ""),
        ("POST", "/api/v1/namespaces/a/secrets", "create", ""),
        ("GET", "/api/v1/namespaces/a/secrets/y", "get", "y"),
        ("GET", "/api/v1/watch/namespaces/a/secrets", "watch", ""),
        ("GET", "/api/v1/watch/namespaces/a/secrets/y", "watch", "y"),
        ("GET", "/api/v1/secrets", "list", "x"),
        ("GET", "/api/v1/namespaces", "list", "x"),
        ("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles", "list", "x"),
        ("GET", "/version", "get", ""),
    ],
)
def test_only_lists_and_watches_are_named_so(method: str, path: str, verb: str, name: str) -> None:
    info = asked(method, path, "fieldSelector=metadata.name=x").info
    assert (info.verb, info.name) == (verb, name)


def asked(method: str, path: str, query: str) -> ApiRequest:
    scope = {"method": method, "path": path, "headers": [], "query_string": query.encode()}
    nothing: Any = None
    return ApiRequest(scope, nothing, nothing, nothing)


@pytest.mark.parametrize(
    ("header", "media_type", "form"),
    [
        ("", "application/json", ""),
        ("*/*", "application/json", ""),
        ("text/html,*/*;q=0.1", "application/json", ""),
        ("application/vnd.kubernetes.protobuf,application/json", negotiation.PROTOBUF, ""),
        ("application/json;q=0.5,application/yaml", negotiation.YAML, ""),
        (
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
            "application/json",
            "Table",
        ),
        ("application/json;as=Table;v=v9;g=meta.k8s.io,application/json", "application/json", ""),
        (
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json",
            "application/json",
            "",
        ),
    ],
)
def test_accept(header: str, media_type: str, form: str) -> None:
    wanted = negotiation.accepted(header)
    assert (wanted.media_type, wanted.form) == (media_type, form)


@pytest.mark.parametrize("header", ["text/html", "application/json;q=0", "application/json;as=X"])
def test_not_acceptable(header: str) -> None:
    with pytest.raises(StatusError) as error:
        negotiation.accepted(header)
    assert error.value.status["code"] == 406


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a":1,"b":{"c":[{"d":1}]}}', []),
        (b'{"a":1,"a":2}', ["a"]),
        (b'{"a":{"b":1,"b":1},"c":[{"d":1,"d":2,"d":3}]}', ["a.b", "c[0].d", "c[0].d"]),
        (b'{"a":"\\u0022","a":"\\u0022"}', ["a"]),
        (b'{"a":"\\"quoted\\""}', []),
    ],
)
def test_duplicate_fields(body: bytes, expected: list[str]) -> None:
    parsed = negotiation.decode_json(body, "Secret")
    assert negotiation.duplicate_fields(body, parsed) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (119, "119s"),
        (120, "2m"),
        (150, "2m30s"),
        (700, "11m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 300, "3h5m"),
        (9 * 3600, "9h"),
        (50 * 3600, "2d2h"),
        (10 * 86400, "10d"),
        (3 * 365 * 86400, "3y"),
        (3 * 365 * 86400 + 86400, "3y1d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_ages(seconds: int, expected: str) -> None:
    assert tables.human_duration(seconds) == expected


def test_age_of_what_has_no_date() -> None:
    assert tables.age({"metadata": {}}, datetime(2026, 1, 1, tzinfo=UTC)) == "<unknown>"


def test_openapi_v2_has_the_operation_that_kubectl_looks_for() -> None:
    document = openapi_v2.document()
    assert document.startswith(OPENAPI_HEAD)
    assert b"/api/v1/namespaces/{namespace}/secrets/{name}" in document
    assert b"io.k8s.api.core.v1.SecretList" in document


@pytest.mark.parametrize(
    ("accept", "version"),
    [
        ("", ""),
        ("application/json", ""),
        ("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList", "v2beta1"),
        (
            f"{AGGREGATED.replace('v2', 'v3')},{AGGREGATED}",
            "v2",
        ),
        (f"*/*,{AGGREGATED}", ""),
    ],
)
def test_aggregated_discovery_only_as_asked(accept: str, version: str) -> None:
    assert aggregated.wanted_version(accept) == version
    if version:
        document = aggregated.core(version)
        assert document["apiVersion"] == f"apidiscovery.k8s.io/{version}"
        (group,) = document["items"]
        named = {row["resource"]: row for row in group["versions"][0]["resources"]}
        parts = [part["subresource"] for part in named["namespaces"]["subresources"]]
        assert parts == ["finalize", "status"]


def test_discovery_rows() -> None:
    rows = {row["name"]: row for row in discovery.core_resources()["resources"]}
    rows |= {row["name"]: row for row in (discovery.group_resources(RBAC) or {})["resources"]}
    assert set(rows) == {
        *KINDS,
        "namespaces/finalize",
        "namespaces/status",
        "serviceaccounts/token",
    }
    assert "deletecollection" not in rows["namespaces"]["verbs"]
    for strategy in KINDS.values():
        digest = hashlib.sha256(f"{strategy.group}/v1/{strategy.kind}".encode()).digest()[:8]
        row = rows[strategy.resource]
        assert row["storageVersionHash"] == base64.b64encode(digest).decode()


SPEC = ClusterSpec(
    id="c1", etcd_prefix="/registry", tokens=(StaticToken("t1", "u1"), StaticToken("t2", "u2"))
)


def certificate(**names: list[str]) -> dict[str, Any]:
    return {"subject": tuple(((kind, v),) for kind, values in names.items() for v in values)}


def test_credentials() -> None:
    assert authenticate(SPEC, b"", None) == ANONYMOUS
    assert authenticate(SPEC, b"Bearer t2", None).name == "u2"
    assert authenticate(SPEC, b"bearer  t1 ", None).name == "u1"
    own = certificate(commonName=["a"], organizationalUnitName=["c1"], organizationName=["g"])
    assert authenticate(SPEC, b"", own) == UserInfo("a", ("g", "system:authenticated"))
    foreign = certificate(commonName=["a"], organizationalUnitName=["c2"])
    assert authenticate(SPEC, b"Bearer t1", foreign).name == "u1"
    two = certificate(commonName=["a"], organizationalUnitName=["c1", "c2"])
    nameless = certificate(organizationalUnitName=["c1"])
    for authorization, presented in (
        (b"Bearer nope", None),
        (b"Bearer ", None),
        (b"Basic t1", None),
        (b"", foreign),
        (b"", two),
        (b"", nameless),
    ):
        with pytest.raises(BadCredentialError):
            authenticate(SPEC, authorization, presented)


def test_secrets_stay_out_of_representations() -> None:
    assert "t1" not in repr(SPEC)


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (errors.NotFoundError(Key("secrets", "ns", "x")), 404, "NotFound"),
        (errors.TransformError("boom"), 500, "InternalError"),
        (errors.StorageUnavailableError("away"), 500, "ServerTimeout"),
        (errors.TooLargeError("etcdserver: request is too large"), 500, None),
        (errors.CompactedError(5), 410, "Expired"),
        (errors.FutureRevisionError(9, 5), 504, "Timeout"),
        (errors.ContinueTokenError("bad"), 400, "BadRequest"),
    ],
)
def test_storage_errors_as_status(error: Exception, code: int, reason: str | None) -> None:
    found = status.of(error, verb="get", resource="secrets")
    assert found is not None
    assert (found["code"], found.get("reason")) == (code, reason)


def test_what_is_unknown_is_not_told() -> None:
    assert status.of(ValueError("password"), verb="get", resource="secrets") is None
    assert "password" not in str(status.unexpected())

"""What objects may look like: names, shapes, metadata, the kinds' own rules."""

import base64
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from apiserver_shim.objects import metadata, names
from apiserver_shim.objects.conditions import content_conditions, with_conditions
from apiserver_shim.objects.decoding import FieldValidation, decode_object
from apiserver_shim.objects.errors import BadRequestError, FieldError, InvalidError, invalid
from apiserver_shim.objects.kinds import KINDS
from apiserver_shim.objects.schema import decoded_size
from apiserver_shim.objects.selectors import parse
from apiserver_shim.objects.watching import seen_by
from apiserver_shim.storage.store import WatchEvent

NOW = datetime(2026, 5, 1, 12, 0, 0, 999, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (names.dns1123_label, ["a", "a-1", "1"], ["", "A", "-a", "a-", "a.b", "a" * 64, "a\n"]),
        (names.dns1123_subdomain, ["a.b", "a" * 253], ["", "a..b", "A.b", "a" * 254, "a_b"]),
        (
            names.qualified_name,
            ["a", "A_b.c-1", "example.com/a", "a" * 63],
            ["", "/a", "a/", "a/b/c", "Example.com/a", "-a", "a" * 64, "é"],
        ),
        (names.label_value, ["", "a", "A_b.c", "1"], ["-a", "a b", "a" * 64, "a/b"]),
        (
            names.config_key,
            ["a", ".a", "A_b-c.d", "a..b"],
            ["", "a b", ".", "..", "..a", "a" * 254],
        ),
    ],
)
def test_names(rule: Any, good: list[str], bad: list[str]) -> None:
    assert [name for name in good if rule(name)] == []
    assert [name for name in bad if not rule(name)] == []


def test_generated_names() -> None:
    source = count()
    name = metadata.generated_name("x" * 70, lambda n: bytes(next(source) % 256 for _ in range(n)))
    assert name == "x" * 58 + "bcdfg"


def test_several_complaints_are_listed_once_each() -> None:
    errors = [invalid("a", "v", "bad"), invalid("a", "v", "bad"), FieldError("b", "X", "worse")]
    error = InvalidError("Secret", "x", errors)
    assert error.message == 'Secret "x" is invalid: [a: Invalid value: "v": bad, b: worse]'


def decode(kind: str, body: Any, directive: str = "Strict") -> dict[str, Any]:
    return decode_object(KINDS[kind], body, FieldValidation(directive))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"data": []}, "Go struct field Secret.data of type map[string][]uint8"),
        ({"data": {"a": 1}}, "cannot unmarshal number into Go struct field Secret.data of type"),
        ({"type": {}}, "cannot unmarshal object into Go struct field Secret.type of type string"),
        ({"metadata": {"finalizers": [1]}}, "ObjectMeta.metadata.finalizers of type string"),
        ({"metadata": {"deletionTimestamp": "soon"}}, 'parsing time "soon"'),
        ({"data": {"a": "Yg="}}, "illegal base64 data at input byte"),
        ({"data": {"a": "YgYg="}}, "illegal base64 data at input byte 4"),
        ({"data": {"a": "=Yg="}}, "illegal base64 data at input byte 0"),
        ({"immutable": 1}, "cannot unmarshal number"),
    ],
)
def test_wrong_types(body: Any, message: str) -> None:
    with pytest.raises(BadRequestError) as error:
        decode("secrets", body)
    assert message in error.value.message


def test_decoding_converts_and_drops() -> None:
    body = {
        "data": {"a": "Yg\n==", "n": None},
        "stringData": {"c": "é"},
        "metadata": {"labels": None, "creationTimestamp": "2026-01-01T00:00:00+00:00"},
        "extra": 1,
    }
    obj = decode("secrets", body, "Ignore")
    assert obj["data"] == {"a": "Yg==", "n": "", "c": base64.b64encode("é".encode()).decode()}
    assert "extra" not in obj
    assert "labels" not in obj["metadata"]


def test_unknown_fields_are_named_by_path() -> None:
    validation = FieldValidation("Warn")
    body = {"metadata": {"ownerReferences": [{"nmae": "x"}]}, "x": {"y": 1}}
    decode_object(KINDS["secrets"], body, validation)
    assert validation.warnings == [
        'unknown field "metadata.ownerReferences[0].nmae"',
        'unknown field "x"',
    ]


@pytest.mark.parametrize("length", range(10))
def test_sizes_without_decoding(length: int) -> None:
    assert decoded_size({"a": base64.b64encode(b"x" * length).decode()}) == length


def complaints(kind: str, obj: dict[str, Any]) -> list[str]:
    meta = {"name": "x", **({"namespace": "ns"} if KINDS[kind].namespaced else {})}
    whole = {**obj, "metadata": {**meta, **obj.get("metadata", {})}}
    return [str(error) for error in KINDS[kind].validate(whole)]


@pytest.mark.parametrize(
    ("kind", "obj", "expected"),
    [
        ("secrets", {"type": "bootstrap.kubernetes.io/token"}, []),
        (
            "secrets",
            {"type": "kubernetes.io/service-account-token"},
            ["metadata.annotations[kubernetes.io/service-account.name]: Required value"],
        ),
        (
            "secrets",
            {"type": "kubernetes.io/basic-auth"},
            ["data[username]: Required value", "data[password]: Required value"],
        ),
        ("secrets", {"type": "kubernetes.io/basic-auth", "data": {"password": "Yg=="}}, []),
        ("secrets", {"type": "kubernetes.io/tls", "data": {"tls.crt": "", "tls.key": ""}}, []),
        (
            "secrets",
            {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "W10="}},
            [
                (
                    'data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": json: '
                    "cannot unmarshal into Go value of type map[string]interface {}"
                )
            ],
        ),
        (
            "configmaps",
            {"data": {"k": "x"}, "binaryData": {"k": "Yg=="}},
            ['data[k]: Invalid value: "k": duplicate of key present in binaryData'],
        ),
        (
            "configmaps",
            {"data": {"k": "x" * 1048577}},
            [": Too long: may not be more than 1048576 bytes"],
        ),
        (
            "secrets",
            {"metadata": {"finalizers": ["plain"]}},
            [
                (
                    'metadata.finalizers[0]: Invalid value: "plain": name is neither a standard '
                    "finalizer name nor is it fully qualified"
                )
            ],
        ),
        (
            "namespaces",
            {"metadata": {"namespace": "ns"}},
            ["metadata.namespace: Forbidden: not allowed on this type"],
        ),
    ],
)
def test_rules_of_kinds(kind: str, obj: dict[str, Any], expected: list[str]) -> None:
    assert complaints(kind, obj) == expected


def test_updates_keep_what_the_server_owns() -> None:
    old = {"name": "x", "uid": "u", "creationTimestamp": "then", "resourceVersion": "1"}
    meta = {"name": "x", "creationTimestamp": "mine", "deletionTimestamp": "mine", "generation": 4}
    metadata.carry_over(meta, old)
    assert meta == {"name": "x", "uid": "u", "creationTimestamp": "then"}
    assert [str(e) for e in metadata.validate_update({**meta, "uid": "v"}, old)] == [
        'metadata.uid: Invalid value: "v": field is immutable'
    ]


def test_stamps() -> None:
    meta: dict[str, Any] = {"uid": "mine", "generation": 3}
    metadata.stamp_new(meta, NOW, bytes)
    assert meta == {
        "uid": "00000000-0000-4000-8000-000000000000",
        "creationTimestamp": "2026-05-01T12:00:00Z",
    }


def test_an_empty_type_keeps_the_old_one() -> None:
    obj: dict[str, Any] = {"metadata": {}}
    KINDS["secrets"].prepare_for_update(obj, {"type": "kubernetes.io/tls", "metadata": {}}, "")
    assert obj["type"] == "kubernetes.io/tls"


@pytest.mark.parametrize(
    ("event", "before", "now", "told"),
    [
        ("ADDED", None, True, "ADDED"),
        ("ADDED", None, False, "BOOKMARK"),
        ("MODIFIED", True, True, "MODIFIED"),
        ("MODIFIED", False, True, "ADDED"),
        ("MODIFIED", True, False, "DELETED"),
        ("MODIFIED", False, False, "BOOKMARK"),
        ("DELETED", None, True, "DELETED"),
        ("DELETED", None, False, "BOOKMARK"),
    ],
)
def test_what_a_selector_sees(event: Any, before: bool | None, now: bool, told: str) -> None:
    def obj(selected: bool) -> dict[str, Any]:
        labels = {"in": "yes"} if selected else {}
        return {"metadata": {"name": "x", "resourceVersion": "5", "labels": labels}}

    prev = None if before is None else obj(before)
    change = seen_by(parse(KINDS["secrets"], labels="in"), WatchEvent(event, obj(now), prev, 9))
    assert change.type == told
    if told == "DELETED" and event == "MODIFIED":
        assert change.obj is not None
        assert change.obj["metadata"] == {**obj(True)["metadata"], "resourceVersion": "9"}


def test_conditions_keep_the_time_of_the_last_change() -> None:
    first = content_conditions(["boom"], [], "2026-01-01T00:00:00Z")
    namespace = with_conditions({"metadata": {}}, first)
    later = content_conditions(["other"], [("secrets", {"metadata": {}})], "2026-02-02T00:00:00Z")
    found = {c["type"]: c for c in with_conditions(namespace, later)["status"]["conditions"]}
    failure = found["NamespaceDeletionContentFailure"]
    assert failure["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert failure["message"] == "Failed to delete all resource types, 1 remaining: other"
    assert found["NamespaceContentRemaining"]["lastTransitionTime"] == "2026-02-02T00:00:00Z"

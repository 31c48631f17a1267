"""The protobuf encoding is upstream's, byte for byte."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from apiserver_shim.errors import DecodeError, EncodeError
from apiserver_shim.storage import codec

GOLDEN_SECRET = bytes.fromhex(
    "6b3873000a0c0a027631120653656372657412590a470a046170703112001a0764656661756c7422002a2430303030"
    "303030302d303030302d303030302d303030302d3030303030303030303030313200380042080880f2d6ca06100012"
    "060a01611201621a064f70617175651a002200"
)
SECRET: dict[str, Any] = {
    "kind": "Secret",
    "apiVersion": "v1",
    "metadata": {
        "name": "app1",
        "namespace": "default",
        "uid": "00000000-0000-0000-0000-000000000001",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    },
    "data": {"a": "Yg=="},
    "type": "Opaque",
}
VECTORS = Path(
    os.environ.get("ACKSIM_VECTORS", Path(__file__).parents[5] / "shared" / "vectors")
).joinpath("kubernetes")


def test_a_secret_has_upstreams_bytes() -> None:
    assert codec.encode(SECRET) == GOLDEN_SECRET
    assert codec.decode(GOLDEN_SECRET) == SECRET


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap", "ServiceAccount", "Namespace"])
@pytest.mark.skipif(not VECTORS.is_dir(), reason="upstream's golden objects are not here")
def test_upstreams_golden_objects_pass_in_both_directions(kind: str) -> None:
    encoded = VECTORS.joinpath(f"core.v1.{kind}.pb").read_bytes()
    obj = json.loads(VECTORS.joinpath(f"core.v1.{kind}.json").read_text())
    assert codec.encode_body(obj) == encoded
    assert codec.decode_body(encoded) == obj


def test_resource_version_and_self_link_are_not_stored() -> None:
    metadata = {**SECRET["metadata"], "resourceVersion": "7", "selfLink": "/x"}
    assert codec.encode({**SECRET, "metadata": metadata}) == GOLDEN_SECRET


def test_maps_are_stored_in_the_order_of_their_keys_bytes() -> None:
    one = codec.encode({**SECRET, "data": {"é": "", "z": "", "a": "", "": ""}})
    other = codec.encode({**SECRET, "data": {"": "", "a": "", "z": "", "é": ""}})
    assert one == other
    assert one.index(b"\x0a\x01a") < one.index(b"\x0a\x01z") < one.index("é".encode())


def test_a_null_in_a_map_of_bytes_is_told_from_an_empty_value() -> None:
    assert codec.encode({**SECRET, "data": {"a": None}}) != codec.encode(
        {**SECRET, "data": {"a": ""}}
    )


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00Z"),
        ("2026-01-01T08:00:00.999999+08:00", "2026-01-01T00:00:00Z"),
        ("1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z"),
        ("0001-01-01T00:00:01Z", "0001-01-01T00:00:01Z"),
    ],
)
def test_times_are_whole_seconds_in_utc(written: str, stored: str) -> None:
    metadata = {**SECRET["metadata"], "creationTimestamp": written}
    decoded = codec.decode(codec.encode({**SECRET, "metadata": metadata}))
    assert decoded["metadata"]["creationTimestamp"] == stored


def test_json_stored_by_somebody_else_is_read() -> None:
    assert codec.decode(json.dumps(SECRET).encode()) == SECRET


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty data"),
        (b"{", "unable to decode the stored value"),
        (b"[]", "not an object"),
        (GOLDEN_SECRET[:-30], "unable to decode the message"),
        (b"k8s\x00\x0a\xff", "unable to decode the message"),
        (b"k8s\x00\x0a\x06\x0a\x01v\x12\x01P", 'no kind "P" is registered for version "v"'),
    ],
)
def test_bytes_that_are_no_object_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        codec.decode(data)


@pytest.mark.parametrize("cut", range(4, len(GOLDEN_SECRET)))
def test_a_truncated_value_is_an_error_or_a_smaller_object_but_no_crash(cut: int) -> None:
    with contextlib.suppress(DecodeError):
        assert codec.decode(GOLDEN_SECRET[:cut])["kind"] == "Secret"


def test_a_body_without_the_magic_is_refused_in_upstreams_words() -> None:
    with pytest.raises(DecodeError, match=r"expected prefix \[107 56 115 0\]"):
        codec.decode_body(b"{}")


@pytest.mark.parametrize(
    "change",
    [{"data": {"a": "not base64!"}}, {"data": {"a": 7}}, {"type": 7}, {"kind": "Pod"}, {"data": 1}],
)
def test_an_object_that_does_not_fit_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(EncodeError):
        codec.encode({**SECRET, **change})


@pytest.mark.parametrize(
    "body",
    [
        {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "gracePeriodSeconds": 0,
            "preconditions": {"uid": "u", "resourceVersion": ""},
            "orphanDependents": False,
            "propagationPolicy": "Foreground",
            "dryRun": ["All"],
            "ignoreStoreReadErrorWithClusterBreakingPotential": True,
        },
        {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {},
            "spec": {
                "audiences": ["a", "b"],
                "boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "s", "uid": "u"},
                "expirationSeconds": 3600,
            },
            "status": {},
        },
        {
            "kind": "SelfSubjectAccessReview",
            "apiVersion": "authorization.k8s.io/v1",
            "metadata": {},
            "spec": {
                "resourceAttributes": {"namespace": "n", "verb": "get", "resource": "secrets"}
            },
            "status": {"allowed": True, "reason": "r"},
        },
        {
            "kind": "SelfSubjectReview",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {},
            "status": {"userInfo": {"username": "me", "groups": ["g"], "extra": {"k": ["v", "w"]}}},
        },
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": "m",
            "reason": "NotFound",
            "details": {"name": "x", "kind": "secrets", "causes": [{"message": "c"}]},
            "code": 404,
        },
    ],
    ids=lambda body: body["kind"],
)
def test_request_kinds_pass_in_both_directions(body: dict[str, Any]) -> None:
    assert codec.decode_body(codec.encode_body(body)) == body


def test_delete_options_have_the_wires_numbers() -> None:
    body = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "ab"}}
    raw = bytes.fromhex("12040a026162")
    assert raw in codec.encode_body(body)


def test_lists_carry_their_items_without_kind() -> None:
    items = [{key: SECRET[key] for key in ("metadata", "data", "type")}]
    metadata = {"resourceVersion": "9", "continue": "c", "remainingItemCount": 3}
    body = {"kind": "SecretList", "apiVersion": "v1", "metadata": metadata, "items": items}
    assert codec.decode_body(codec.encode_body(body)) == body

"""Merge, JSON and strategic merge patches on plain values."""

import copy
from typing import Any

import pytest

from apiserver_shim.objects import patch, strategic
from apiserver_shim.objects.errors import BadRequestError, UnprocessablePatchError
from apiserver_shim.objects.kinds import KINDS


@pytest.mark.parametrize(
    ("target", "change", "expected"),
    [
        # the examples of RFC 7386, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch(target: Any, change: Any, expected: Any) -> None:
    before = copy.deepcopy(target)
    assert patch.merge(target, change) == expected
    assert target == before


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([{"op": "add", "path": "/a/-", "value": 9}], {"a": [1, 2, 9], "b": {"c/d": 1}}),
        ([{"op": "add", "path": "/a/0", "value": 9}], {"a": [9, 1, 2], "b": {"c/d": 1}}),
        ([{"op": "remove", "path": "/a/0"}], {"a": [2], "b": {"c/d": 1}}),
        ([{"op": "replace", "path": "/b/c~1d", "value": 2}], {"a": [1, 2], "b": {"c/d": 2}}),
        ([{"op": "move", "from": "/a", "path": "/z"}], {"z": [1, 2], "b": {"c/d": 1}}),
        (
            [{"op": "copy", "from": "/b", "path": "/z"}],
            {"a": [1, 2], "b": {"c/d": 1}, "z": {"c/d": 1}},
        ),
        ([{"op": "test", "path": "/a/1", "value": 2}], {"a": [1, 2], "b": {"c/d": 1}}),
        ([{"op": "test", "path": "/none", "value": None}], {"a": [1, 2], "b": {"c/d": 1}}),
        ([{"op": "add", "path": "", "value": {"x": 1}}], {"x": 1}),
    ],
)
def test_json_patch(operations: Any, expected: Any) -> None:
    obj = {"a": [1, 2], "b": {"c/d": 1}}
    before = copy.deepcopy(obj)
    assert patch.apply_json_patch(obj, operations) == expected
    assert obj == before


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "/x/y", "value": 1},
        {"op": "add", "path": "/a/3", "value": 1},
        {"op": "add", "path": "/a/01x", "value": 1},
        {"op": "remove", "path": "/x"},
        {"op": "remove", "path": ""},
        {"op": "replace", "path": "/a/-", "value": 1},
        {"op": "move", "from": "/b", "path": "/b/c"},
        {"op": "test", "path": "/a/0", "value": True},
        {"op": "test", "path": "/a/0", "value": 2},
        {"op": "add", "path": "/x"},
        {"op": "add", "value": 1},
        {"op": "remove", "path": "/a/0/x"},
        {"path": "/a"},
    ],
)
def test_operations_that_do_not_fit(operation: Any) -> None:
    with pytest.raises(UnprocessablePatchError):
        patch.apply_json_patch({"a": [1, 2], "b": {}}, [operation])


def test_a_document_that_grows_too_deep() -> None:
    deeper = [
        {"op": "copy", "from": "/a", "path": "/b"},
        {"op": "move", "from": "/b", "path": "/a/a"},
    ]
    with pytest.raises(UnprocessablePatchError):
        patch.apply_json_patch({"a": {}}, deeper * 300)


def test_too_many_operations() -> None:
    with pytest.raises(UnprocessablePatchError):
        patch.apply_json_patch({}, [{"op": "test", "path": "/x", "value": None}] * 10_001)


LISTS = KINDS["serviceaccounts"].merge_lists


@pytest.mark.parametrize(
    ("obj", "change", "expected"),
    [
        ({"data": {"a": 1}}, {"data": {"b": 2}}, {"data": {"a": 1, "b": 2}}),
        ({"data": {"a": 1}}, {"data": None}, {}),
        ({"data": {"a": 1}}, {"data": {"$patch": "replace", "b": 2}}, {"data": {"b": 2}}),
        ({"data": {"a": 1}}, {"data": {"$patch": "delete"}}, {"data": {}}),
        ({"data": {"a": 1, "b": 2}}, {"data": {"$retainKeys": ["b"]}}, {"data": {"b": 2}}),
        (
            {"metadata": {"finalizers": ["a/1"]}},
            {"metadata": {"finalizers": ["b/2", "a/1"]}},
            {"metadata": {"finalizers": ["a/1", "b/2"]}},
        ),
        (
            {"metadata": {"finalizers": ["a/1", "b/2"]}},
            {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/1"]}},
            {"metadata": {"finalizers": ["b/2"]}},
        ),
        (
            {"metadata": {"finalizers": ["a/1", "b/2"]}},
            {"metadata": {"$setElementOrder/finalizers": ["b/2", "a/1"]}},
            {"metadata": {"finalizers": ["b/2", "a/1"]}},
        ),
        (
            {"secrets": [{"name": "x", "uid": "1"}, {"name": "y"}]},
            {"secrets": [{"name": "x", "uid": "2"}, {"name": "z"}]},
            {"secrets": [{"name": "x", "uid": "2"}, {"name": "y"}, {"name": "z"}]},
        ),
        (
            {"secrets": [{"name": "x"}, {"name": "y"}]},
            {"secrets": [{"name": "x", "$patch": "delete"}]},
            {"secrets": [{"name": "y"}]},
        ),
        (
            {"secrets": [{"name": "x"}, {"name": "y"}]},
            {"secrets": [{"$patch": "replace"}, {"name": "z"}]},
            {"secrets": [{"name": "z"}]},
        ),
        (
            {"imagePullSecrets": [{"name": "x"}]},
            {"imagePullSecrets": [{"name": "y"}]},
            {"imagePullSecrets": [{"name": "y"}]},
        ),
    ],
)
def test_strategic_merge(obj: Any, change: Any, expected: Any) -> None:
    before = copy.deepcopy(obj)
    assert strategic.apply(obj, change, LISTS) == expected
    assert obj == before


@pytest.mark.parametrize(
    "change",
    [
        [],
        {"data": {"$patch": "explode"}},
        {"data": {"$retainKeys": "b"}},
        {"data": {"$retainKeys": ["a"], "b": 1}},
        {"secrets": [{"uid": "no name"}]},
    ],
)
def test_strategic_complaints(change: Any) -> None:
    with pytest.raises(BadRequestError):
        strategic.apply({"data": {"a": 1}, "secrets": []}, change, LISTS)

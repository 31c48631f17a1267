"""Field sets: what objects have, what differs, and FieldsV1 to and fro."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver_shim.objects import fieldset
from apiserver_shim.objects.kinds import KINDS

ACCOUNT = KINDS["serviceaccounts"].topology
names = st.sampled_from(["a", "b", "c"])


def references(key: str) -> st.SearchStrategy[list[dict[str, str]]]:
    item = st.fixed_dictionaries({key: names, "kind": names})
    return st.lists(item, max_size=3, unique_by=lambda one: one[key])


objects: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries(
            {"name": names},
            optional={
                "labels": st.dictionaries(names, names, min_size=1),
                "finalizers": st.lists(names, unique=True, min_size=1),
                "ownerReferences": references("uid"),
            },
        )
    },
    optional={
        "secrets": references("name"),
        "imagePullSecrets": st.lists(st.fixed_dictionaries({"name": names}), min_size=1),
        "automountServiceAccountToken": st.booleans(),
    },
)


@given(objects)
def test_all_fields_of_a_new_object_both_ways(obj: dict[str, Any]) -> None:
    assert fieldset.whole(obj, ACCOUNT) == fieldset.encode(
        fieldset.compare({}, obj, ACCOUNT).changed
    )


@given(objects, objects)
def test_a_difference_is_the_opposite_of_its_opposite(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    there = fieldset.compare(old, new, ACCOUNT)
    back = fieldset.compare(new, old, ACCOUNT)
    assert there.removed <= back.changed
    assert back.removed <= there.changed
    assert fieldset.decode(fieldset.encode(there.changed)) == there.changed


@given(objects, objects)
def test_what_is_applied_is_there_and_the_rest_stays(
    live: dict[str, Any], config: dict[str, Any]
) -> None:
    merged = fieldset.merge(live, config, ACCOUNT)
    assert fieldset.merge(merged, config, ACCOUNT) == merged
    has = fieldset.compare({}, merged, ACCOUNT).changed
    assert fieldset.listed(config, ACCOUNT) <= has | fieldset.listed(merged, ACCOUNT)
    assert not fieldset.compare(live, merged, ACCOUNT).removed
    mine = fieldset.listed(config, ACCOUNT)
    left = fieldset.remove(merged, ACCOUNT, mine)
    assert not fieldset.listed(left, ACCOUNT) & mine


@pytest.mark.parametrize("fields", [None, [], {"x": {}}, {"f:a": 1}])
def test_what_is_no_fields(fields: Any) -> None:
    with pytest.raises(ValueError, match=r"element|objects"):
        fieldset.decode(fields)


def test_paths_in_words() -> None:
    path = ("f:metadata", "f:ownerReferences", 'k:{"uid":"x"}', "f:kind")
    assert fieldset.shown(path) == '.metadata.ownerReferences[uid="x"].kind'
    assert fieldset.shown(("f:finalizers", 'v:"a"')) == '.finalizers[="a"]'

"""Whatever is sent to an operation of CS is taken or refused by name, never a failure of ours."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acksim.ack.cs import OPERATIONS
from alibaba_edge.errors import InvalidParameterError, MissingParameterError

ROWS = {row.name: row for row in OPERATIONS if row.built}
_TEXT = st.text(max_size=20) | st.sampled_from(["", "true", "c1", "\uff11", "shop\n", "2147483648"])
_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("name", sorted(ROWS))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_comes_is_taken_or_refused(name: str, data: st.DataObject) -> None:
    row = ROWS[name]
    known = sorted(row.recordable())
    parameters = data.draw(st.dictionaries(st.sampled_from([*known, "body", "other"]), _JSON))
    try:
        request = row.parse(parameters)
    except (MissingParameterError, InvalidParameterError):
        return
    for attribute in ("start", "limit"):
        assert getattr(request, attribute, 1) >= 0


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("CreateCluster", {"name": "-shop"}),
        ("CreateCluster", {"name": "shop\n"}),
        ("CreateCluster", {"name": "a" * 64}),
        ("CreateCluster", {"name": "shop", "cluster_spec": "ack.pro.huge"}),
        ("CreateCluster", {"name": "shop", "profile": "default"}),
        ("CreateCluster", {"name": "shop", "kubernetes_version": "latest"}),
        ("CreateCluster", {"name": "shop", "tags": [{"value": "v"}]}),
        ("DescribeClusterUserKubeconfig", {"cluster_id": "c", "TemporaryDurationMinutes": "14"}),
        ("DescribeClusterUserKubeconfig", {"cluster_id": "c", "TemporaryDurationMinutes": "4321"}),
        ("DescribeClustersV1", {"page_size": "101"}),
        ("DescribeEvents", {"page_number": "0"}),
        ("DescribeEvents", {"next_token": "-1"}),
        ("GrantPermissions", {"body": [], "uid": "../7"}),
        ("GrantPermissions", {"uid": "7", "body": [{"role_type": "cluster"}]}),
        ("CheckServiceRole", {"roles": [{"name": ""}]}),
        ("OpenAckService", {"type": "free"}),
    ],
)
def test_a_bad_parameter_is_named(name: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterError) as raised:
        ROWS[name].parse(parameters)
    [*_, last] = parameters
    assert re.search(rf"\b{last}\b", raised.value.message)


def test_a_name_may_be_of_any_script() -> None:
    request = ROWS["CreateCluster"].parse({"name": "商店-1"})
    assert request.name == "商店-1"

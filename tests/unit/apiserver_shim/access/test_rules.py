"""What rules allow and cover, against each other and against plain words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver_shim.access.bootstrap import cluster_role_bindings, cluster_roles
from apiserver_shim.access.grants import Grants
from apiserver_shim.access.rules import Rule, described, missing
from apiserver_shim.access.users import ANONYMOUS, UserInfo
from apiserver_shim.api.request import RequestInfo

VERBS, GROUPS = ("get", "list"), ("", "apps")
RESOURCES = ("secrets", "pods", "pods/log")
NAMES, URLS = ("", "a", "b"), ("/a", "/a/b", "/b")


def some(*values: str, least: int = 1) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=least, max_size=3, unique=True).map(tuple)


rules = st.one_of(
    st.builds(
        Rule,
        some(*VERBS, "*"),
        some(*GROUPS, "*"),
        some(*RESOURCES, "*", "*/log"),
        some("a", "b", least=0),
        st.just(()),
    ),
    st.builds(
        lambda verbs, urls: Rule(verbs, urls=urls), some(*VERBS, "*"), some(*URLS, "/a/*", "*")
    ),
)
asked = [
    RequestInfo(
        verb, "", group, "v1", "ns", resource.partition("/")[0], name, resource.partition("/")[2]
    )
    for verb in VERBS
    for group in GROUPS
    for resource in RESOURCES
    for name in NAMES
] + [RequestInfo(verb, url) for verb in VERBS for url in URLS]


@given(st.lists(rules, max_size=3), st.lists(rules, max_size=2))
def test_who_may_grant_may_do(held: list[Rule], wanted: list[Rule]) -> None:
    """Whatever passes the escalation check gives nothing that one could not do before."""
    if missing(held, wanted):
        return
    for attributes in asked:
        if any(rule.allows(attributes) for rule in wanted):
            assert any(rule.allows(attributes) for rule in held), attributes


@given(rules)
def test_a_rule_covers_itself(rule: Rule) -> None:
    assert not missing([rule], [rule])
    assert Rule.of(rule.as_object()) == rule
    everything = [Rule(("*",), ("*",), ("*",)), Rule(("*",), urls=("*",))]
    assert not missing(everything, [rule])


@given(rules)
def test_a_rule_allows_what_a_plain_reading_says(rule: Rule) -> None:
    for attributes in asked:
        if attributes.resource:
            whole = attributes.resource
            if attributes.subresource:
                whole = f"{whole}/{attributes.subresource}"
            expected = (
                bool({attributes.group, "*"} & set(rule.groups))
                and bool({whole, "*", f"*/{attributes.subresource}"} & set(rule.resources))
                and (not rule.names or attributes.name in rule.names)
            )
        else:
            expected = any(
                url in {attributes.path, "*"} or (url == "/a/*" and attributes.path == "/a/b")
                for url in rule.urls
            )
        expected = expected and bool({attributes.verb, "*"} & set(rule.verbs))
        assert rule.allows(attributes) is expected, attributes


def test_descriptions_join_verbs() -> None:
    parts = missing([], [Rule(("get", "list"), ("",), ("secrets",)), Rule(("get",), urls=("/x",))])
    assert described(parts) == [
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}',
        '{NonResourceURLs:["/x"], Verbs:["get"]}',
    ]


@pytest.fixture(scope="module")
def defaults() -> Grants:
    return Grants(cluster_roles=cluster_roles(), cluster_bindings=cluster_role_bindings())


@pytest.mark.parametrize(
    ("groups", "path", "allowed"),
    [
        (None, "/version", True),
        (None, "/api", False),
        (("system:authenticated",), "/apis/apps/v1", True),
        (("system:authenticated",), "/readyz/etcd", False),
        (("system:authenticated",), "/metrics", False),
        (("system:monitoring",), "/metrics", True),
        (("system:serviceaccounts",), "/openid/v1/jwks", True),
        (("system:masters",), "/anything", True),
    ],
)
def test_default_paths(
    defaults: Grants, groups: tuple[str, ...] | None, path: str, allowed: bool
) -> None:
    user = ANONYMOUS if groups is None else UserInfo("u", groups)
    assert defaults.decide(user, RequestInfo("get", path)).allowed is allowed
    assert not defaults.decide(ANONYMOUS, RequestInfo("post", path)).allowed


def test_aggregation_follows_labels_without_end() -> None:
    def role(name: str, label: str, selected: str) -> dict[str, object]:
        selector = {"matchExpressions": [{"key": selected, "operator": "Exists"}]}
        return {
            "metadata": {"name": name, "labels": {label: "x"}},
            "aggregationRule": {"clusterRoleSelectors": [selector]},
            "rules": [Rule(("get",), ("",), (name,)).as_object()],
        }

    leaf = {
        "metadata": {"name": "leaf", "labels": {"a": "x"}},
        "rules": [Rule(("get",), ("",), ("leaves",)).as_object()],
    }
    grants = Grants(cluster_roles=[role("one", "a", "b"), role("two", "b", "a"), leaf])
    found = grants.role({"kind": "ClusterRole", "name": "one"}, "")
    assert found == (Rule(("get",), ("",), ("leaves",)),)

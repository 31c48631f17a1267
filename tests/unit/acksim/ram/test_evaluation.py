"""What policies say: a model in plain words, and the words of the documentation."""

import json
from collections.abc import Sequence
from time import thread_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acksim.account.ram.documents import policy_document
from acksim.account.ram.evaluation import Match, NamedDocument, PolicySet, Rights, Verdict
from acksim.account.ram.system_policies import system_policies, system_policy
from alibaba_edge.ports import Decision

ACCOUNT = "1000000000000001"
KEY = f"acs:kms:cn-hangzhou:{ACCOUNT}:key/k-1"
ALLOW, IMPLICIT, EXPLICIT = Decision

Statement = dict[str, Any]

UPDATE_KMS_ENCRYPTION_DENIED = """\
{
    "Action": [
        "cs:UpdateKMSEncryption"
    ],
    "Effect": "Deny",
    "Resource": [
        "*"
    ]
}"""
"""The policy of ACK's page on encrypting Secrets, as it stands there."""


def statement(effect: str = "Allow", **parts: Any) -> Statement:
    return {"Effect": effect, "Action": "kms:*", "Resource": "*", **parts}


def named(name: str, *statements: Statement) -> NamedDocument:
    document = json.dumps({"Version": "1", "Statement": list(statements)})
    policy_document(document)
    return NamedDocument("Custom", name, "v1", document, "user alice")


def verdict(*statements: Statement, action: str = "kms:Encrypt", resource: str = KEY) -> Verdict:
    return PolicySet([named("p", *statements)]).decide(action, resource, {})


def decide(*statements: Statement, action: str = "kms:Encrypt", resource: str = KEY) -> Decision:
    return verdict(*statements, action=action, resource=resource).decision


def test_nothing_is_allowed_by_default() -> None:
    assert PolicySet([]).decide("kms:Encrypt", KEY, {}).decision is IMPLICIT
    assert decide(statement(Action="ecs:*")) is IMPLICIT


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("kms:Encrypt", ALLOW),
        ("kms:encrypt", ALLOW),
        ("KMS:En*", ALLOW),
        ("kms:*crypt", ALLOW),
        ("kms:Encryp?", ALLOW),
        ("*:Encrypt", ALLOW),
        ("*", ALLOW),
        ("kms:Encryp", IMPLICIT),
        ("kms:Encrypt?", IMPLICIT),
        ("kms:E.crypt", IMPLICIT),
        (["ecs:*", "kms:Encrypt"], ALLOW),
        (["ecs:*", "kms:De*"], IMPLICIT),
    ],
)
def test_actions(pattern: object, expected: Decision) -> None:
    assert decide(statement(Action=pattern)) is expected


@pytest.mark.parametrize(
    ("pattern", "resource", "expected"),
    [
        ("*", KEY, ALLOW),
        (KEY, KEY, ALLOW),
        ("acs:kms:*:*:key*", KEY, ALLOW),
        ("acs:kms:*:*:key/*", KEY, ALLOW),
        ("acs:kms:*:*:key/K-1", KEY, IMPLICIT),
        ("acs:kms:*:*:alias*", KEY, IMPLICIT),
        ("acs:kms:cn-beijing:*:key/*", KEY, IMPLICIT),
        ("acs:kms:*:1000000000000002:*", KEY, IMPLICIT),
        ("acs:kms:*:*:key/[k]-1", KEY, IMPLICIT),
        (f"acs:ram::{ACCOUNT}:role/Ops", f"acs:ram::{ACCOUNT}:role/ops", ALLOW),
        (f"acs:ram::{ACCOUNT}:role/O*", f"acs:ram::{ACCOUNT}:role/ops", ALLOW),
        (f"acs:ram::{ACCOUNT}:role/Dev*", f"acs:ram::{ACCOUNT}:role/ops", IMPLICIT),
    ],
)
def test_resources(pattern: str, resource: str, expected: Decision) -> None:
    assert decide(statement(Action="*", Resource=pattern), resource=resource) is expected


def test_not_action_and_not_resource() -> None:
    other = {"Effect": "Allow", "NotAction": ["kms:Decrypt", "ecs:*"], "Resource": "*"}
    assert decide(other) is ALLOW
    assert decide(other, action="kms:decrypt") is IMPLICIT
    elsewhere = {"Effect": "Deny", "Action": "kms:*", "NotResource": KEY}
    assert decide(statement(), elsewhere) is ALLOW
    assert decide(statement(), elsewhere, resource=f"{KEY}2") is EXPLICIT


def test_conditions() -> None:
    office = {"IpAddress": {"acs:SourceIp": ["10.0.0.0/8", "192.0.2.1"]}}
    rights = PolicySet([named("p", statement(Condition=office))])
    assert rights.decide("kms:Encrypt", KEY, {"acs:SourceIp": "10.1.2.3"}).decision is ALLOW
    assert rights.decide("kms:Encrypt", KEY, {"acs:SourceIp": "8.8.8.8"}).decision is IMPLICIT
    assert rights.decide("kms:Encrypt", KEY, {}).decision is IMPLICIT


def test_the_statement_that_decided_is_named() -> None:
    found = verdict(statement(Action="ecs:*"), statement(), statement("Deny", Action="kms:Dec*"))
    assert found.match == Match("Custom", "p", "v1", 1, "Allow", "user alice")
    assert str(found) == "Allow by statement 1 of Custom policy p v1 (user alice)"
    denied = verdict(statement(), statement("Deny", Action="kms:Enc*"))
    assert denied.match is not None
    assert (denied.match.statement, denied.match.effect) == (1, "Deny")
    assert verdict(statement(Action="ecs:*")).match is None


def test_a_session_has_what_its_role_and_its_policy_both_allow() -> None:
    role = PolicySet([named("role", statement(), statement("Deny", Action="kms:DeleteAlias"))])
    limit = PolicySet([named("limit", statement(Action="kms:Decrypt"))])
    session = Rights(role, limit)
    assert session.decide("kms:Decrypt", KEY, {}).decision is ALLOW
    refused = session.decide("kms:Encrypt", KEY, {})
    assert (refused.decision, refused.policy_type) == (IMPLICIT, "SessionPolicy")
    assert session.decide("ecs:RunInstances", KEY, {}).decision is IMPLICIT
    assert session.decide("kms:DeleteAlias", KEY, {}).decision is EXPLICIT
    denied = Rights(role, PolicySet([named("limit", statement("Deny"))]))
    assert denied.decide("kms:Decrypt", KEY, {}).decision is EXPLICIT
    assert Rights(role).decide("kms:Encrypt", KEY, {}).decision is ALLOW


def test_the_deny_policy_of_the_page_on_encrypting_secrets() -> None:
    """ "Attach a deny policy for the cs:UpdateKMSEncryption action", pasted as it stands."""
    pasted = f'{{"Version": "1", "Statement": [{UPDATE_KMS_ENCRYPTION_DENIED}]}}'
    policy_document(pasted)
    full = system_policy("AliyunCSFullAccess")
    assert full is not None
    allowed = NamedDocument("System", full.name, "v1", full.document, "user alice")
    denied = NamedDocument("Custom", "no-switching", "v1", pasted, "user alice")
    cluster = f"acs:cs:cn-hangzhou:{ACCOUNT}:cluster/c1"
    for policies in ([allowed, denied], [denied, allowed]):
        found = PolicySet(policies).decide("cs:UpdateKMSEncryption", cluster, {})
        assert found.decision is EXPLICIT
        assert found.match is not None
        assert found.match.policy_name == "no-switching"
        assert PolicySet(policies).decide("cs:ModifyCluster", cluster, {}).decision is ALLOW
    assert PolicySet([denied]).decide("cs:ModifyCluster", cluster, {}).decision is IMPLICIT


# A model: of a small world of actions and resources everything is known.

ACTIONS = ("kms:Encrypt", "kms:Decrypt", "ecs:Start")
RESOURCES = tuple(f"acs:kms:cn-hangzhou:{ACCOUNT}:{name}" for name in ("key/a", "key/b", "alias/a"))
PATTERNS = {
    "kms:Encrypt": {"kms:Encrypt"},
    "KMS:*CRYPT": {"kms:Encrypt", "kms:Decrypt"},
    "ecs:*": {"ecs:Start"},
    "*": set(ACTIONS),
}
PLACES = {
    RESOURCES[0]: {RESOURCES[0]},
    "acs:kms:*:*:key/*": set(RESOURCES[:2]),
    "acs:kms:*:*:*a": {RESOURCES[0], RESOURCES[2]},
    "*": set(RESOURCES),
}

statements = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Action": st.lists(st.sampled_from(sorted(PATTERNS)), min_size=1, max_size=2),
        "Resource": st.lists(st.sampled_from(sorted(PLACES)), min_size=1, max_size=2),
    }
)


def model(given_statements: Sequence[Statement], action: str, resource: str) -> Decision:
    """Deny wins; then Allow; then nothing."""
    effects = {
        one["Effect"]
        for one in given_statements
        if any(action in PATTERNS[pattern] for pattern in one["Action"])
        and any(resource in PLACES[pattern] for pattern in one["Resource"])
    }
    if "Deny" in effects:
        return EXPLICIT
    return ALLOW if "Allow" in effects else IMPLICIT


@given(
    st.lists(statements, max_size=6),
    st.sampled_from(ACTIONS),
    st.sampled_from(RESOURCES),
    st.randoms(use_true_random=False),
    st.integers(min_value=0, max_value=6),
)
def test_it_is_the_model_in_any_order_and_however_spread(
    given_statements: list[Statement], action: str, resource: str, random: Any, cut: int
) -> None:
    expected = model(given_statements, action, resource)
    shuffled = list(given_statements)
    random.shuffle(shuffled)
    parts = [part for part in (shuffled[:cut], shuffled[cut:]) if part]
    policies = [named(f"p{number}", *part) for number, part in enumerate(parts)]
    found = PolicySet(policies).decide(action, resource, {})
    assert found.decision is expected
    if found.match is None:
        assert expected is IMPLICIT
    else:
        part = parts[int(found.match.policy_name[1:])]
        assert model([part[found.match.statement]], action, resource) is expected


@given(st.lists(statements, max_size=4), st.lists(statements, max_size=4))
def test_a_session_policy_only_takes_away(own: list[Statement], limit: list[Statement]) -> None:
    role = PolicySet([named("role", *own)] if own else [])
    session = Rights(role, PolicySet([named("limit", *limit)] if limit else []))
    for action in ACTIONS:
        for resource in RESOURCES:
            both = (model(own, action, resource), model(limit, action, resource))
            expected = (
                EXPLICIT if EXPLICIT in both else ALLOW if both == (ALLOW, ALLOW) else IMPLICIT
            )
            assert session.decide(action, resource, {}).decision is expected


def test_no_document_makes_matching_slow() -> None:
    stars = statement(Resource="acs:kms:*:*:" + "*a" * 2000 + "*b")
    policies = PolicySet([named("p", stars)])
    begin = thread_time()  # what else runs does not count
    assert policies.decide("kms:Encrypt", "acs:kms:::" + "a" * 4000, {}).decision is IMPLICIT
    assert thread_time() - begin < 1


@pytest.mark.parametrize("name", sorted(system_policies()))
def test_policies_of_the_system_obey_the_rules_of_all(name: str) -> None:
    policy = system_policy(name.upper())
    assert policy is not None
    assert not policy_document(policy.document).faults


def test_crypto_admin_covers_keys_and_aliases_alone() -> None:
    admin = system_policy("AliyunKMSCryptoAdminAccess")
    assert admin is not None
    rights = PolicySet([NamedDocument("System", admin.name, "v2", admin.document, "user alice")])
    for resource in ("key", "key/k-1", "alias", "alias/a"):
        arn = f"acs:kms:cn-hangzhou:{ACCOUNT}:{resource}"
        assert rights.decide("kms:CreateKey", arn, {}).decision is ALLOW
    secret = f"acs:kms:cn-hangzhou:{ACCOUNT}:secret/s"
    assert rights.decide("kms:GetSecretValue", secret, {}).decision is IMPLICIT
    assert rights.decide("ecs:TagResources", secret, {}).decision is ALLOW

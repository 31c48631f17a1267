"""Who a key policy lets in, and how it is weighed against RAM."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from alibaba_edge.errors import MalformedKeyPolicyError, NoPermissionError
from alibaba_edge.gateway.authorization import Permissions
from alibaba_edge.gateway.product import Call, Resource
from alibaba_edge.ports import ROOT_CALLER, Caller, Decision
from kms_emulator.policies import key_policy_of
from kms_emulator.schemas.policies import SetKeyPolicyRequest

OWNER, STRANGER = "1000000000000001", "1000000000000002"
USER = replace(ROOT_CALLER, kind="ram-user", arn=f"acs:ram::{OWNER}:user/alice", user_name="alice")
SESSION = replace(
    ROOT_CALLER,
    kind="assumed-role",
    arn=f"acs:sts::{OWNER}:assumed-role/Ops/s1",
    user_name="Ops:s1",
)
OTHER = replace(ROOT_CALLER, account_id=STRANGER, arn=f"acs:ram::{STRANGER}:root")
ALLOW, IMPLICIT, EXPLICIT = Decision


def statement(effect: str = "Allow", **parts: Any) -> dict[str, Any]:
    return {
        "Effect": effect,
        "Principal": {"RAM": [f"acs:ram::{OWNER}:*"]},
        "Action": ["kms:*"],
        "Resource": ["*"],
        **parts,
    }


def decide(
    *statements: dict[str, Any],
    caller: Caller = USER,
    action: str = "kms:Encrypt",
    context: Mapping[str, str] | None = None,
) -> Decision:
    policy = key_policy_of(OWNER, json.dumps({"Version": "1", "Statement": list(statements)}))
    assert not policy.document.faults
    return policy.decide(caller, action, context=context or {})


@pytest.mark.parametrize(
    ("principal", "caller", "expected"),
    [
        (f"acs:ram::{OWNER}:*", USER, ALLOW),
        (f"acs:ram::{OWNER}:*", SESSION, ALLOW),
        (f"acs:ram::{OWNER}:*", OTHER, IMPLICIT),
        (f"acs:ram::{OWNER}:user/alice", USER, ALLOW),
        (f"acs:ram::{OWNER}:user/bob", USER, IMPLICIT),
        (f"acs:ram::{OWNER}:role/ops", SESSION, ALLOW),
        (f"acs:ram::{OWNER}:role/op", SESSION, IMPLICIT),
        (f"acs:ram::{OWNER}:root", ROOT_CALLER, ALLOW),
        (f"acs:ram::{OWNER}:root", USER, IMPLICIT),
        (f"acs:ram::{STRANGER}:*", OTHER, ALLOW),
    ],
)
def test_principals(principal: str, caller: Caller, expected: Decision) -> None:
    assert decide(statement(Principal={"RAM": principal}), caller=caller) is expected
    both = ["acs:ram::1000000000000009:user/x", principal]
    assert decide(statement(Principal={"RAM": both}), caller=caller) is expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("kms:Encrypt", ALLOW),
        ("kms:encrypt", ALLOW),
        ("kms:En*", ALLOW),
        ("kms:*", ALLOW),
        ("*", ALLOW),
        ("kms:Encryp", IMPLICIT),
        ("KMS:Decrypt", IMPLICIT),
    ],
)
def test_actions(pattern: str, expected: Decision) -> None:
    assert decide(statement(Action=pattern)) is expected


def test_an_explicit_deny_wins_in_any_order() -> None:
    both = (statement(), statement("Deny", Action="kms:Encrypt"))
    assert decide(*both) is EXPLICIT
    assert decide(*reversed(both)) is EXPLICIT
    assert decide(*both, action="kms:Decrypt") is ALLOW


def test_conditions_of_a_statement() -> None:
    tagged = statement(Condition={"StringEquals": {"kms:tag/team": ["a", "b"]}})
    assert decide(tagged, context={"kms:tag/team": "b"}) is ALLOW
    assert decide(tagged, context={"kms:tag/team": "c"}) is IMPLICIT
    assert decide(tagged) is IMPLICIT


def test_the_default_policy_lets_the_owners_account_in() -> None:
    policy = key_policy_of(OWNER, "")
    assert not policy.document.faults
    assert policy.decide(USER, "kms:Decrypt", context={}) is ALLOW
    assert policy.decide(OTHER, "kms:Decrypt", context={}) is IMPLICIT


@pytest.mark.parametrize(
    "document",
    [
        "{",
        "[]",
        {"Version": "1"},
        {"Version": "1", "Statement": []},
        {"Version": "2", "Statement": [statement()]},
        {"Version": "1", "Statement": [statement("allow")]},
        {"Version": "1", "Statement": [statement(Action=[])]},
        {"Version": "1", "Statement": [statement(Principal="*")]},
        {"Version": "1", "Statement": [statement(NotAction="kms:*")]},
        {"Version": "1", "Statement": [statement(Condition={"StringIs": {"a": "b"}})]},
        {"Version": "1", "Statement": [statement(Sid="x" * 32768)]},
    ],
)
def test_documents_that_cannot_be_obeyed_are_refused(document: Any) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(MalformedKeyPolicyError):
        SetKeyPolicyRequest.model_validate({"KeyId": "k", "Policy": text})


class Fixed:
    """One answer, as RAM or as a key policy."""

    def __init__(self, decision: Decision, owner: str = OWNER) -> None:
        self.decision = decision
        self.owner = owner


class FixedRam(Fixed):
    async def decide(
        self, _caller: Caller, _action: str, /, *, resource: str, context: Mapping[str, str]
    ) -> Decision:
        return self.decision


class FixedPolicy(Fixed):
    def decide(self, _caller: Caller, _action: str, /, *, context: Mapping[str, str]) -> Decision:
        return self.decision


CALL = Call("r", datetime(2026, 5, 1, tzinfo=UTC), USER, "cn-hangzhou", "192.0.2.1", "h", "u")


async def refusal(ram: Decision, policy: Decision | None, owner: str) -> dict[str, str] | None:
    hung = FixedPolicy(policy, owner) if policy else None
    resource = Resource("acs:kms:::key/k", "t", "k", policy=hung)
    try:
        await Permissions(FixedRam(ram), mode="strict").require(CALL, "kms:X", (resource,))
    except NoPermissionError as error:
        return dict(error.detail or {})
    return None


@pytest.mark.parametrize(
    ("ram", "policy", "owner"), [*product(Decision, Decision, (OWNER, STRANGER))]
)
async def test_ram_and_key_policy_together(ram: Decision, policy: Decision, owner: str) -> None:
    allows = [ram is ALLOW, policy is ALLOW]
    allowed = any(allows) if owner == OWNER else all(allows)
    denied = EXPLICIT in {ram, policy}
    detail = await refusal(ram, policy, owner)
    assert (detail is None) == (allowed and not denied)
    if detail:
        assert detail["NoPermissionType"] == ("ExplicitDeny" if denied else "ImplicitDeny")
        of_key = policy is EXPLICIT
        assert detail["PolicyType"] == (
            "KeyPolicy" if of_key else "AccountLevelIdentityBasedPolicy"
        )


@pytest.mark.parametrize("ram", Decision)
async def test_without_a_key_policy_ram_decides_alone(ram: Decision) -> None:
    detail = await refusal(ram, None, OWNER)
    assert (detail or {}).get("NoPermissionType", "Allow") == ram.value

"""Key policies: JSON that a key will obey, checked when it is set."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from alibaba_edge.errors import MalformedKeyPolicyError
from kms_emulator.keys import Key
from kms_emulator.policies import (
    POLICY_LIMIT,
    KeyPolicy,
    default_text,
    key_policy_of,
    read_key_policy,
)
from kms_emulator.schemas.fields import KeyRequest, PagedRequest


def _checked(text: str) -> str:
    """Raises MalformedKeyPolicyError."""
    if len(text.encode()) > POLICY_LIMIT:
        raise MalformedKeyPolicyError(f"is longer than {POLICY_LIMIT} bytes")
    faults = read_key_policy(text).faults if text else ()
    if faults:
        raise MalformedKeyPolicyError(str(faults[0]))
    return text


PolicyText = Annotated[str, AfterValidator(_checked)]


class GetKeyPolicyRequest(KeyRequest):
    """A key has one policy, and its name is `default`."""

    policy_name: Literal["default", ""] = "default"


class SetKeyPolicyRequest(GetKeyPolicyRequest):
    policy: Annotated[PolicyText, Field(min_length=1)]


class ListPoliciesRequest(PagedRequest):
    page_size: Annotated[int, Field(ge=1, le=100)] = 20


def policy_text(key: Key) -> str:
    return key.policy or default_text(key.scope.account_id)


def key_policy(key: Key) -> KeyPolicy | None:
    """What the gateway weighs; keys outside a KMS instance have none."""
    return key_policy_of(key.scope.account_id, key.policy) if key.instance_id else None

"""Key policies: JSON that a key will obey, checked when it is set."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from kms_emulator.conditions import OPERATORS
from kms_emulator.keys import Key
from kms_emulator.policies import KeyPolicy, default_document
from kms_emulator.schemas.fields import KeyRequest, PagedRequest

_POLICY_LIMIT = 32768
_STRICT = ConfigDict(strict=True, extra="forbid")

_OneOrMore = Annotated[list[str], Field(min_length=1)] | str
_ConditionValues = dict[str, str | bool | int | float | list[str | bool | int | float]]


class _Principal(BaseModel):
    model_config = _STRICT

    ram: Annotated[_OneOrMore, Field(alias="RAM")]


class _Statement(BaseModel):
    """A Resource says `*`, for the policy hangs on its key."""

    model_config = _STRICT

    sid: Annotated[str, StringConstraints(max_length=128), Field(alias="Sid")] = ""
    effect: Annotated[Literal["Allow", "Deny"], Field(alias="Effect")]
    principal: Annotated[_Principal, Field(alias="Principal")]
    action: Annotated[_OneOrMore, Field(alias="Action")]
    resource: Annotated[_OneOrMore, Field(alias="Resource")]
    condition: Annotated[dict[str, _ConditionValues], Field(alias="Condition")] = Field(
        default_factory=dict
    )


class _Document(BaseModel):
    model_config = _STRICT

    version: Annotated[Literal["1"], Field(alias="Version")]
    statement: Annotated[list[_Statement], Field(alias="Statement", min_length=1)]


_DOCUMENT = TypeAdapter(_Document)


def _checked(text: str) -> str:
    """An operator that nobody knows would make a Deny void, so it is refused here."""
    if not text:
        return text
    if len(text.encode()) > _POLICY_LIMIT:
        raise ValueError("too long")
    document = _DOCUMENT.validate_python(orjson.loads(text))
    if any(not OPERATORS.keys() >= s.condition.keys() for s in document.statement):
        raise ValueError("an unknown condition operator")
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
    return key.policy or orjson.dumps(default_document(key.scope.account_id)).decode()


def key_policy(key: Key) -> KeyPolicy | None:
    """What the gateway weighs; keys outside a KMS instance have none."""
    if not key.instance_id:
        return None
    owner = key.scope.account_id
    document: Any = orjson.loads(key.policy) if key.policy else default_document(owner)
    return KeyPolicy(owner, document)

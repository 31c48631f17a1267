"""Key policies: documents that hang on a key and say who may use it.

From "Key policy overview" and RAM's "Policy structure and syntax". A document here is parsed JSON
of the right shape (`schemas.policies` sees to that). The default one allows the owner's account.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from kms_emulator.conditions import holds
from kms_emulator.ports import Caller, Decision

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """One document, on a key of `owner`."""

    owner: str
    document: Document

    def decide(self, caller: Caller, action: str, /, *, context: Mapping[str, str]) -> Decision:
        """An explicit Deny wins over any Allow."""
        effects = {
            statement["Effect"]
            for statement in self.document["Statement"]
            if _names(statement["Principal"], caller)
            and any(_matches(pattern, action) for pattern in listed(statement["Action"]))
            and holds(statement.get("Condition", {}), context)
        }
        if "Deny" in effects:
            return Decision.EXPLICIT_DENY
        return Decision.ALLOW if "Allow" in effects else Decision.IMPLICIT_DENY


def default_document(account_id: str) -> Document:
    """What a key has when nobody chose anything."""
    return {
        "Version": "1",
        "Statement": [
            {
                "Sid": "kms default key policy",
                "Effect": "Allow",
                "Principal": {"RAM": [f"acs:ram::{account_id}:*"]},
                "Action": ["kms:*"],
                "Resource": ["*"],
            }
        ],
    }


def listed(value: Any) -> list[str]:
    """One string and a list with one string mean the same."""
    return [value] if isinstance(value, str) else list(value)


def _names(principal: Mapping[str, Any], caller: Caller) -> bool:
    """Users and roles by their ARN, or a whole account as `acs:ram::<account>:*` or `:root`."""
    mine = {f"acs:ram::{caller.account_id}:*", _identity(caller).lower()}
    if caller.kind == "root-account":
        mine.add(f"acs:ram::{caller.account_id}:root")
    return any(arn.lower() in mine for arn in listed(principal["RAM"]))


def _identity(caller: Caller) -> str:
    """The user or role; a session is its role."""
    if caller.kind == "assumed-role":
        return f"acs:ram::{caller.account_id}:role/{caller.user_name.partition(':')[0]}"
    return caller.arn


def _matches(pattern: str, action: str) -> bool:
    """`*` is any run of characters; RAM compares actions without regard to case."""
    return fnmatchcase(action.lower(), pattern.lower().replace("[", "[[]"))

"""Key policies: documents that hang on a key and say who may use it.

From "Key policy overview" and RAM's "Policy structure and syntax". The default one allows the
owner's account.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from alibaba_edge.policy_documents import (
    Conditions,
    Document,
    Form,
    Grammar,
    Patterns,
    Reader,
    check_members,
)
from alibaba_edge.ports import Caller, Decision

POLICY_LIMIT: Final = 32768
"""Bytes of UTF-8."""

_SID = Form(re.compile(r"[A-Za-z0-9_/+=.@ -]{0,128}"), "is no statement id")
_ACTION = Form(re.compile(r"\*|kms:[A-Za-z0-9*?]+", re.IGNORECASE), "is no kms:<operation>")
_RESOURCE = Form(re.compile(r"\*"), "is not *, which stands for the key itself")
_PRINCIPAL = Form(
    re.compile(r"acs:ram::[0-9]{16}:(\*|root|(user|role)/[A-Za-z0-9._-]{1,64})"),
    "is no acs:ram::<account>:*, :root, :user/<name> or :role/<name>",
)
_REPAIRS: Final = frozenset({"kms:getkeypolicy", "kms:setkeypolicy"})


@dataclass(frozen=True, slots=True)
class KeyStatement:
    """`principals` (in lower case) or `actions` are None where a Deny means everybody or all."""

    principals: frozenset[str] | None
    actions: Patterns | None
    conditions: Conditions

    def applies(self, names: set[str], action: str, context: Mapping[str, str]) -> bool:
        """`names` of the caller and `action` in lower case."""
        return (
            (self.principals is None or not names.isdisjoint(self.principals))
            and (self.actions is None or self.actions.match(action))
            and self.conditions.hold(context)
        )


def _read(reader: Reader) -> KeyStatement:
    if "Sid" in reader.members:
        sid = reader.members["Sid"]
        reader.texts_of(sid if isinstance(sid, str) else None, f"{reader.place}.Sid", _SID)
    reader.texts("Resource", _RESOURCE)
    actions = reader.texts("Action", _ACTION)
    principals = _principals(reader)
    return KeyStatement(
        None if principals is None else frozenset(map(str.lower, principals)),
        None if actions is None else Patterns(map(str.lower, actions)),
        reader.conditions(),
    )


def _principals(reader: Reader) -> tuple[str, ...] | None:
    principal, place = reader.members.get("Principal"), f"{reader.place}.Principal"
    if not isinstance(principal, dict):
        reader.fault(place, "has to be an object, once")
        return None
    before = len(reader.faults)
    check_members(principal, place, reader.faults, required=frozenset({"RAM"}))
    named = reader.texts_of(principal.get("RAM"), f"{place}.RAM", _PRINCIPAL)
    return named if len(reader.faults) == before else None


_GRAMMAR = Grammar(
    "key policy",
    required=frozenset({"Effect", "Principal", "Action", "Resource"}),
    optional=frozenset({"Sid", "Condition"}),
    read=_read,
)


def read_key_policy(text: str) -> Document[KeyStatement]:
    """Whether it may be set, its faults say."""
    return _GRAMMAR.document(text)


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """One document, on a key of `owner`."""

    owner: str
    document: Document[KeyStatement]

    def decide(self, caller: Caller, action: str, /, *, context: Mapping[str, str]) -> Decision:
        """An explicit Deny wins over any Allow.

        The owner may read and replace a policy with faults, whatever it denies: else a key whose
        policy nobody understands could never be used again.
        """
        names, action = _names_of(caller), action.lower()
        effects = {
            one.effect
            for one in self.document.statements
            if one.statement.applies(names, action, context)
        }
        if self.document.faults and action in _REPAIRS and self._is_owner(caller):
            return Decision.ALLOW
        if "Deny" in effects:
            return Decision.EXPLICIT_DENY
        return Decision.ALLOW if "Allow" in effects else Decision.IMPLICIT_DENY

    def _is_owner(self, caller: Caller) -> bool:
        return caller.kind == "root-account" and caller.account_id == self.owner


@lru_cache(maxsize=512)
def key_policy_of(owner: str, text: str) -> KeyPolicy:
    """`text`: what somebody set, or empty for the default."""
    return KeyPolicy(owner, _GRAMMAR.stored(text or default_text(owner)))


@lru_cache(maxsize=512)
def default_text(account_id: str) -> str:
    """What a key has when nobody chose anything."""
    statement = {
        "Sid": "kms default key policy",
        "Effect": "Allow",
        "Principal": {"RAM": [f"acs:ram::{account_id}:*"]},
        "Action": ["kms:*"],
        "Resource": ["*"],
    }
    return json.dumps({"Version": "1", "Statement": [statement]}, separators=(",", ":"))


def _names_of(caller: Caller) -> set[str]:
    """In lower case: the user or role, and its account as `acs:ram::<account>:*` or `:root`."""
    names = {f"acs:ram::{caller.account_id}:*", _identity(caller).lower()}
    if caller.kind == "root-account":
        names.add(f"acs:ram::{caller.account_id}:root")
    return names


def _identity(caller: Caller) -> str:
    """The user or role; a session is its role."""
    if caller.kind == "assumed-role":
        return f"acs:ram::{caller.account_id}:role/{caller.user_name.partition(':')[0]}"
    return caller.arn

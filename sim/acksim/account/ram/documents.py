"""RAM's own documents, what a permission policy may say and what a trust policy may.

From RAM's "Policy structure and syntax". How documents are read, and what becomes of those that
are not understood, is common to all policies: `alibaba_edge.policy_documents`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeVar

from acksim.account.ram.errors import MalformedPolicyError, TooLongError
from alibaba_edge.policy_documents import (
    Conditions,
    Document,
    Fault,
    Form,
    Grammar,
    Patterns,
    Reader,
    check_members,
)

StatementT = TypeVar("StatementT")

POLICY_LIMIT = 6144
TRUST_LIMIT = 2048

_RAM = "acs:ram:"
_ACTION = Form(re.compile(r"\*|[A-Za-z0-9*?_-]+:[A-Za-z0-9*?_/.-]+"), "is no <product>:<operation>")
_RESOURCE = Form(re.compile(r"\*|acs:[^:\s]+:[^:\s]*:[^:\s]*:[^\s]+"), "is no * and no ARN")
_PRINCIPALS: Final[Mapping[str, re.Pattern[str]]] = {
    "RAM": re.compile(r"acs:ram::[0-9]{16}:(root|\*|(user|role)/[^\s*?]+)"),
    "Service": re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+"),
    "Federated": re.compile(r"acs:ram::[0-9]{16}:(saml|oidc)-provider/[^\s*?]+"),
}
_TRUST_ACTION = Form(
    re.compile(r"sts:(AssumeRole|SetSourceIdentity|TagSession|\*)", re.IGNORECASE),
    "is no action of a trust",
)
_ASSUMING: Final = frozenset({"sts:assumerole", "sts:*"})


@dataclass(frozen=True, slots=True)
class PermissionStatement:
    """Ready to be asked. A part that is None matches everything, as it may in a Deny.

    `names` are the resources in lower case: names in RAM's own ARNs ignore case, as actions do.
    """

    actions: Patterns | None
    but_actions: bool
    resources: Patterns | None
    names: Patterns | None
    but_resources: bool
    conditions: Conditions

    def applies(self, action: str, resource: str, context: Mapping[str, str]) -> bool:
        """`action` in lower case."""
        if self.actions is not None and self.actions.match(action) == self.but_actions:
            return False
        if resource.startswith(_RAM):
            named = self.names is None or self.names.match(resource.lower()) != self.but_resources
        else:
            named = self.resources is None or self.resources.match(resource) != self.but_resources
        return named and self.conditions.hold(context)


@dataclass(frozen=True, slots=True)
class TrustStatement:
    """Whether it is about taking on the role, and whom it names, by kind and in lower case."""

    assuming: bool
    principals: Mapping[str, frozenset[str]] | None
    conditions: Conditions

    def applies(self, kind: str, names: set[str], context: Mapping[str, str]) -> bool:
        """`kind` such as RAM or Service."""
        if not self.assuming:
            return False
        if self.principals is not None and names.isdisjoint(self.principals.get(kind, ())):
            return False
        return self.conditions.hold(context)


def policy_document(text: str) -> Document[PermissionStatement]:
    """What a permission policy says. Raises MalformedPolicyError or TooLongError."""
    if len(text) > POLICY_LIMIT:
        raise TooLongError("PolicyDocument")
    return _without_faults(_PERMISSION.document(text))


def trust_document(text: str) -> Document[TrustStatement]:
    """Whom a role trusts. Raises MalformedPolicyError or TooLongError."""
    if len(text) > TRUST_LIMIT:
        raise TooLongError("AssumeRolePolicyDocument")
    return _without_faults(_TRUST.document(text))


@lru_cache(maxsize=1024)
def stored_policy(text: str) -> Document[PermissionStatement]:
    """One that was set before, perhaps by a version that understood less."""
    return _PERMISSION.stored(text)


@lru_cache(maxsize=256)
def stored_trust(text: str) -> Document[TrustStatement]:
    """Likewise."""
    return _TRUST.stored(text)


def _without_faults(document: Document[StatementT]) -> Document[StatementT]:
    if document.faults:
        fault: Fault = document.faults[0]
        raise MalformedPolicyError(fault.place, fault.reason)
    return document


def _read_permission(reader: Reader) -> PermissionStatement:
    action = _one_of(reader, "Action", "NotAction")
    resource = _one_of(reader, "Resource", "NotResource")
    actions = reader.texts(action, _ACTION) if action else None
    resources = reader.texts(resource, _RESOURCE) if resource else None
    return PermissionStatement(
        None if actions is None else Patterns(map(str.lower, actions)),
        action == "NotAction",
        None if resources is None else Patterns(resources),
        None if resources is None else Patterns(map(str.lower, resources)),
        resource == "NotResource",
        reader.conditions(),
    )


def _one_of(reader: Reader, name: str, opposite: str) -> str | None:
    if (name in reader.members) == (opposite in reader.members):
        reader.fault(f"{reader.place}.{name}", f"needs either this or {opposite}")
        return None
    return name if name in reader.members else opposite


def _read_trust(reader: Reader) -> TrustStatement:
    actions = reader.texts("Action", _TRUST_ACTION)
    assuming = actions is None or not _ASSUMING.isdisjoint(map(str.lower, actions))
    return TrustStatement(assuming, _principals(reader), reader.conditions())


def _principals(reader: Reader) -> Mapping[str, frozenset[str]] | None:
    principal, place = reader.members.get("Principal"), f"{reader.place}.Principal"
    if not isinstance(principal, dict):
        reader.fault(place, "has to be an object, once")
        return None
    before = len(reader.faults)
    check_members(principal, place, reader.faults, optional=frozenset(_PRINCIPALS))
    if not principal:
        reader.fault(place, "names nobody")
    named = {
        kind: reader.texts_of(
            principal[kind], f"{place}.{kind}", Form(form, "is no such principal")
        )
        for kind, form in _PRINCIPALS.items()
        if kind in principal
    }
    if len(reader.faults) > before:
        return None
    return {kind: frozenset(map(str.lower, texts or ())) for kind, texts in named.items()}


_PERMISSION = Grammar(
    "permission policy",
    required=frozenset({"Effect"}),
    optional=frozenset({"Action", "NotAction", "Resource", "NotResource", "Condition"}),
    read=_read_permission,
)
_TRUST = Grammar(
    "trust policy",
    required=frozenset({"Effect", "Action", "Principal"}),
    optional=frozenset({"Condition"}),
    read=_read_trust,
)

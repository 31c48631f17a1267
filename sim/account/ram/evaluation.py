"""What a set of policies says of one action on one resource.

From RAM's "How RAM evaluates policies": nothing is allowed by default, an Allow that matches
allows, and a Deny that matches wins over every Allow, whatever their order.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from typing import Any, Literal

import orjson

from kms_emulator.conditions import holds
from kms_emulator.ports import Decision
from sim.account.ram.documents import listed

Effect = Literal["Allow", "Deny"]
_RAM = "acs:ram:"


@dataclass(frozen=True, slots=True)
class Match:
    """The statement that decided; `attached_to` is the user, group, role or session it came by."""

    policy_type: str
    policy_name: str
    version: str
    statement: int
    effect: Effect
    attached_to: str

    def __str__(self) -> str:
        return (
            f"{self.effect} by statement {self.statement} of {self.policy_type} policy "
            f"{self.policy_name} {self.version} ({self.attached_to})"
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision and, unless no statement spoke, the one that made it."""

    decision: Decision
    match: Match | None = None
    policy_type: str = "AccountLevelIdentityBasedPolicy"

    def __str__(self) -> str:
        return str(self.match) if self.match else f"no statement allows it ({self.policy_type})"


class Patterns:
    """Texts with `*` (any run of characters) and `?` (one character), matched as a whole."""

    __slots__ = ("_everything", "_plain", "_wild")

    def __init__(self, patterns: Iterable[str]) -> None:
        patterns = tuple(patterns)
        self._everything = "*" in patterns
        self._plain = frozenset(patterns)
        wild = "|".join(_expression(text) for text in patterns if "*" in text or "?" in text)
        self._wild = re.compile(wild) if wild else None

    def match(self, text: str) -> bool:
        if self._everything or text in self._plain:
            return True
        return self._wild is not None and self._wild.match(text) is not None


def _expression(pattern: str) -> str:
    """Without backtracking over its stars, so that no document can make matching slow."""
    return translate(pattern.replace("[", "[[]"))


class Statement:
    """One statement, ready to be asked. Actions and the names in RAM's ARNs ignore case."""

    __slots__ = ("_actions", "_but_actions", "_but_resources", "_condition", "_names", "_resources")

    def __init__(self, parts: Mapping[str, Any]) -> None:
        self._but_actions = "NotAction" in parts
        self._but_resources = "NotResource" in parts
        actions = listed(parts["NotAction" if self._but_actions else "Action"])
        resources = listed(parts["NotResource" if self._but_resources else "Resource"])
        self._actions = Patterns(map(str.lower, actions))
        self._resources = Patterns(resources)
        self._names = Patterns(map(str.lower, resources))
        self._condition = parts.get("Condition") or None

    def applies(self, action: str, resource: str, context: Mapping[str, str]) -> bool:
        """`action` in lower case."""
        if self._actions.match(action) == self._but_actions:
            return False
        if resource.startswith(_RAM):
            named = self._names.match(resource.lower())
        else:
            named = self._resources.match(resource)
        if named == self._but_resources:
            return False
        return self._condition is None or holds(self._condition, context)


@dataclass(frozen=True, slots=True)
class NamedDocument:
    """A policy document and whom it comes from; `attached_to` as in Match."""

    policy_type: str
    name: str
    version: str
    document: str
    attached_to: str


class PolicySet:
    """Policies that are weighed together, such as all that a user and its groups have."""

    __slots__ = ("_allows", "_denies")

    def __init__(self, policies: Iterable[NamedDocument]) -> None:
        self._denies: list[tuple[Statement, Verdict]] = []
        self._allows: list[tuple[Statement, Verdict]] = []
        for policy in policies:
            for number, (effect, statement) in enumerate(_compiled(policy.document)):
                match = Match(
                    policy.policy_type,
                    policy.name,
                    policy.version,
                    number,
                    effect,
                    policy.attached_to,
                )
                if effect == "Deny":
                    self._denies.append((statement, Verdict(Decision.EXPLICIT_DENY, match)))
                else:
                    self._allows.append((statement, Verdict(Decision.ALLOW, match)))

    def decide(self, action: str, resource: str, context: Mapping[str, str]) -> Verdict:
        """The first Deny that applies, else the first Allow."""
        action = action.lower()
        for statement, verdict in self._denies:
            if statement.applies(action, resource, context):
                return verdict
        for statement, verdict in self._allows:
            if statement.applies(action, resource, context):
                return verdict
        return NOT_ALLOWED


NOT_ALLOWED = Verdict(Decision.IMPLICIT_DENY)
_NOT_IN_SESSION = Verdict(Decision.IMPLICIT_DENY, policy_type="SessionPolicy")


@dataclass(frozen=True, slots=True)
class Rights:
    """What a caller may: its own policies, within those of its session if that has one."""

    identity: PolicySet
    session: PolicySet | None = None

    def decide(self, action: str, resource: str, context: Mapping[str, str]) -> Verdict:
        own = self.identity.decide(action, resource, context)
        if self.session is None or own.decision is Decision.EXPLICIT_DENY:
            return own
        limit = self.session.decide(action, resource, context)
        if limit.decision is Decision.EXPLICIT_DENY:
            return limit
        if own.decision is Decision.ALLOW and limit.decision is not Decision.ALLOW:
            return _NOT_IN_SESSION
        return own


@lru_cache(maxsize=1024)
def _compiled(document: str) -> tuple[tuple[Effect, Statement], ...]:
    """Sessions of one role share what its policies were compiled to."""
    parsed = orjson.loads(document)
    return tuple((parts["Effect"], Statement(parts)) for parts in parsed["Statement"])

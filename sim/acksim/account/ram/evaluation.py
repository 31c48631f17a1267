"""What a set of policies says of one action on one resource.

From RAM's "How RAM evaluates policies": nothing is allowed by default, an Allow that matches
allows, and a Deny that matches wins over every Allow, whatever their order.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from acksim.account.ram.documents import PermissionStatement, stored_policy
from alibaba_edge.policy_documents import Effect
from alibaba_edge.ports import Decision


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
        self._denies: list[tuple[PermissionStatement, Verdict]] = []
        self._allows: list[tuple[PermissionStatement, Verdict]] = []
        for policy in policies:
            for one in stored_policy(policy.document).statements:
                match = Match(
                    policy.policy_type,
                    policy.name,
                    policy.version,
                    one.number,
                    one.effect,
                    policy.attached_to,
                )
                if one.effect == "Deny":
                    self._denies.append((one.statement, Verdict(Decision.EXPLICIT_DENY, match)))
                else:
                    self._allows.append((one.statement, Verdict(Decision.ALLOW, match)))

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

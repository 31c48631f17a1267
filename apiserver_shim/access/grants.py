"""Roles and bindings at one moment, and what they allow (plugin/pkg/auth/authorizer/rbac)."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from apiserver_shim.access.rules import Attributes, Rule
from apiserver_shim.access.users import UserInfo, service_account_name
from apiserver_shim.groups import RBAC

Object = Mapping[str, Any]
Subject = tuple[str, str]  # ("User" or "Group", name)


class Grant(NamedTuple):
    """A binding for one subject; ``rules`` is None when its role is missing."""

    source: str
    rules: tuple[Rule, ...] | None
    role: str


class Decision(NamedTuple):
    """``reason`` says by what; ``warning`` that it was let through only by leniency."""

    allowed: bool
    reason: str = ""
    warning: str = ""


class Grants:
    """All bindings, by their subjects. Immutable: a change makes another one."""

    def __init__(
        self,
        *,
        roles: Iterable[Object] = (),
        cluster_roles: Iterable[Object] = (),
        bindings: Iterable[Object] = (),
        cluster_bindings: Iterable[Object] = (),
    ) -> None:
        self._roles = {_place(role): _rules(role) for role in roles}
        self._cluster_roles = _aggregated(
            {role["metadata"]["name"]: role for role in cluster_roles}
        )
        self._everywhere: dict[Subject, list[Grant]] = {}
        self._within: dict[str, dict[Subject, list[Grant]]] = {}
        for binding in cluster_bindings:
            self._add(binding, self._everywhere)
        for binding in bindings:
            namespace = binding["metadata"].get("namespace", "")
            self._add(binding, self._within.setdefault(namespace, {}), namespace)

    def _add(self, binding: Object, index: dict[Subject, list[Grant]], namespace: str = "") -> None:
        reference = binding.get("roleRef") or {}
        rules = self.role(reference, namespace)
        kind, name = reference.get("kind", ""), reference.get("name", "")
        place = f"{binding['metadata']['name']}/{namespace}" if namespace else None
        label = f'RoleBinding "{place}"' if place else _quoted("ClusterRoleBinding", binding)
        missing = f'{kind.lower()}.{RBAC} "{name}" not found'
        for subject in binding.get("subjects") or ():
            key, shown = _subject(subject, namespace)
            grant = Grant(f'{label} of {kind} "{name}" to {shown}', rules, missing)
            index.setdefault(key, []).append(grant)

    def role(self, reference: Object, namespace: str) -> tuple[Rule, ...] | None:
        """Return the rules of a role as a binding in ``namespace`` names it."""
        name = reference.get("name", "")
        if reference.get("kind") == "Role":
            return self._roles.get((namespace, name))
        return self._cluster_roles.get(name)

    def decide(self, user: UserInfo, asked: Attributes) -> Decision:
        """Look for a rule that allows; without one, no reason or the roles that are missing."""
        problems = []
        for grant in self._of(user, asked.namespace):
            if grant.rules is None:
                problems.append(grant.role)
            elif any(rule.allows(asked) for rule in grant.rules):
                return Decision(allowed=True, reason=f"RBAC: allowed by {grant.source}")
        return Decision(allowed=False, reason=f"RBAC: {joined(problems)}" if problems else "")

    def rules(self, user: UserInfo, namespace: str) -> tuple[list[Rule], list[str]]:
        """Return (the rules that ``user`` has in a namespace, what went wrong finding them)."""
        found, problems = list[Rule](), list[str]()
        for grant in self._of(user, namespace):
            if grant.rules is None:
                problems.append(grant.role)
            else:
                found += grant.rules
        return found, problems

    def _of(self, user: UserInfo, namespace: str) -> Iterator[Grant]:
        subjects = [("User", user.name), *(("Group", group) for group in user.groups)]
        within = self._within.get(namespace, {}) if namespace else {}
        for index in (self._everywhere, within):
            for subject in subjects:
                yield from index.get(subject, ())


def joined(problems: list[str]) -> str:
    """Write errors as upstream's aggregate does."""
    distinct = list(dict.fromkeys(problems))
    return distinct[0] if len(distinct) == 1 else f"[{', '.join(distinct)}]"


def _quoted(kind: str, obj: Object) -> str:
    return f'{kind} "{obj["metadata"]["name"]}"'


def _place(obj: Object) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _rules(role: Object) -> tuple[Rule, ...]:
    return tuple(Rule.of(rule) for rule in role.get("rules") or ())


def _subject(subject: Object, namespace: str) -> tuple[Subject, str]:
    kind, name = subject.get("kind", ""), subject.get("name", "")
    if kind != "ServiceAccount":
        return (kind, name), f'{kind} "{name}"'
    home = subject.get("namespace") or namespace
    return ("User", service_account_name(home, name)), f'{kind} "{name}/{home}"'


def _aggregated(roles: Mapping[str, Object]) -> dict[str, tuple[Rule, ...]]:
    """Return each role's rules; a role with an aggregationRule has those of the roles it selects.

    Upstream's controller writes them into the role; here they are gathered when rules are read.
    """

    def rules(name: str, above: frozenset[str]) -> tuple[Rule, ...]:
        role = roles[name]
        selectors = (role.get("aggregationRule") or {}).get("clusterRoleSelectors")
        if not selectors:
            return _rules(role)
        path = above | {name}
        selected = (
            other
            for other in sorted(roles)
            if other not in path and any(_selects(s, roles[other]) for s in selectors)
        )
        return tuple(dict.fromkeys(rule for other in selected for rule in rules(other, path)))

    return {name: rules(name, frozenset()) for name in roles}


def _selects(selector: Object, role: Object) -> bool:
    labels = role["metadata"].get("labels") or {}
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for wanted in selector.get("matchExpressions") or ():
        value, values = labels.get(wanted.get("key")), wanted.get("values") or ()
        matches = {
            "In": value in values,
            "NotIn": value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        if not matches.get(wanted.get("operator"), False):
            return False
    return True

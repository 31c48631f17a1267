"""Nobody grants what they do not have (pkg/registry/rbac policybased storage of Kubernetes)."""

from collections.abc import Callable, Sequence
from typing import Any

from apiserver_shim.access.grants import Grants, joined
from apiserver_shim.access.rules import Rule, described, missing, quoted
from apiserver_shim.access.users import MASTERS
from apiserver_shim.api.authentication import AuthMode
from apiserver_shim.api.request import ApiRequest, RequestInfo
from apiserver_shim.errors import NotFoundError
from apiserver_shim.groups import RBAC
from apiserver_shim.objects.errors import ForbiddenError
from apiserver_shim.objects.strategy import Strategy
from apiserver_shim.storage.store import Key

Object = dict[str, Any]
Check = Callable[[Object, Object | None], None]

_EVERYTHING = (Rule(("*",), ("*",), ("*",)), Rule(("*",), urls=("*",)))


async def escalation_check(request: ApiRequest, strategy: Strategy, mode: AuthMode) -> Check | None:
    """Return what refuses a new object, or a change from the second one; None: nothing does."""
    if strategy.group != RBAC or mode != "strict" or MASTERS in request.user.groups:
        return None
    granting = _Granting(request, await request.cluster.roles.grants(), strategy)
    if strategy.resource in {"roles", "clusterroles"}:
        return granting.check_role
    return granting.check_binding


class _Granting:
    """One user's attempt to write one kind of role or binding."""

    def __init__(self, request: ApiRequest, grants: Grants, strategy: Strategy) -> None:
        self._user = request.user
        self._namespace = request.info.namespace
        self._grants = grants
        self._resource = strategy.resource

    def check_role(self, new: Object, old: Object | None) -> None:
        if old is not None and _same(new, old, "rules") and _same(new, old, "aggregationRule"):
            return
        meta = new["metadata"]
        if self._may("escalate", self._resource, meta.get("name", "")):
            return
        if new.get("aggregationRule") and missing(self._held()[0], _EVERYTHING):
            detail = "must have cluster-admin privileges to use an aggregationRule"
            raise self._refused(meta, detail)
        rules = [Rule.of(rule) for rule in new.get("rules") or ()]
        self._check_held(meta, rules)

    def check_binding(self, new: Object, old: Object | None) -> None:
        if old is not None and _same(new, old, "roleRef") and _same(new, old, "subjects"):
            return
        meta, reference = new["metadata"], new.get("roleRef") or {}
        name = reference.get("name", "")
        resource = "roles" if reference.get("kind") == "Role" else "clusterroles"
        if self._may("bind", resource, name):
            return
        rules = self._grants.role(reference, self._namespace)
        if rules is None:
            raise NotFoundError(Key(resource, self._namespace or None, name))
        self._check_held(meta, rules)

    def _may(self, verb: str, resource: str, name: str) -> bool:
        asked = RequestInfo(verb, "", RBAC, "v1", self._namespace, resource, name)
        return self._grants.decide(self._user, asked).allowed

    def _held(self) -> tuple[list[Rule], list[str]]:
        return self._grants.rules(self._user, self._namespace)

    def _check_held(self, meta: Object, rules: Sequence[Rule]) -> None:
        held, problems = self._held()
        if lacking := missing(held, rules):
            detail = (
                f'user "{self._user.name}" (groups={quoted(self._user.groups)}) is attempting '
                "to grant RBAC permissions not currently held:\n" + "\n".join(described(lacking))
            )
            if problems:
                detail += f"; resolution errors: {joined(problems)}"
            raise self._refused(meta, detail)

    def _refused(self, meta: Object, detail: str) -> ForbiddenError:
        return ForbiddenError(f"{self._resource}.{RBAC}", meta.get("name", ""), detail)


def _same(new: Object, old: Object, field: str) -> bool:
    return (new.get(field) or None) == (old.get(field) or None)

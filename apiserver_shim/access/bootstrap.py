"""The roles that every cluster begins with, as far as they speak of what is served here.

After plugin/pkg/auth/authorizer/rbac/bootstrappolicy of Kubernetes.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from apiserver_shim.access.rules import Rule
from apiserver_shim.access.users import AUTHENTICATED, MASTERS, SERVICE_ACCOUNTS, UNAUTHENTICATED
from apiserver_shim.errors import AlreadyExistsError
from apiserver_shim.groups import RBAC
from apiserver_shim.objects.kinds import KINDS
from apiserver_shim.objects.lists import ListOptions, list_objects
from apiserver_shim.objects.registry import Registry
from apiserver_shim.objects.selectors import Selector

Object = dict[str, Any]

_READ = ("get", "list", "watch")
_WRITE = ("create", "delete", "deletecollection", "patch", "update")
_ALL = tuple(sorted((*_READ, *_WRITE)))
_CORE = ("",)
_INFO = ("/healthz", "/livez", "/readyz", "/version", "/version/")
_TO_VIEW = (
    Rule(_READ, _CORE, ("configmaps", "serviceaccounts")),
    Rule(_READ, _CORE, ("events", "namespaces/status")),
    Rule(_READ, _CORE, ("namespaces",)),
)
_TO_EDIT = (
    Rule(_READ, _CORE, ("secrets",)),
    Rule(("impersonate",), _CORE, ("serviceaccounts",)),
    Rule(_WRITE, _CORE, ("configmaps", "events", "secrets", "serviceaccounts")),
    Rule(("create",), _CORE, ("serviceaccounts/token",)),
)
_TO_ADMIN = (
    Rule(("create",), ("authorization.k8s.io",), ("localsubjectaccessreviews",)),
    Rule(_ALL, (RBAC,), ("rolebindings", "roles")),
)
_ROLES: Mapping[str, Sequence[Rule]] = {
    "cluster-admin": (Rule(("*",), ("*",), ("*",)), Rule(("*",), urls=("*",))),
    "admin": (*_TO_ADMIN, *_TO_EDIT, *_TO_VIEW),
    "edit": (*_TO_EDIT, *_TO_VIEW),
    "view": _TO_VIEW,
    "system:aggregate-to-admin": _TO_ADMIN,
    "system:aggregate-to-edit": _TO_EDIT,
    "system:aggregate-to-view": _TO_VIEW,
    "system:auth-delegator": (
        Rule(("create",), ("authentication.k8s.io",), ("tokenreviews",)),
        Rule(("create",), ("authorization.k8s.io",), ("subjectaccessreviews",)),
    ),
    "system:basic-user": (
        Rule(
            ("create",),
            ("authorization.k8s.io",),
            ("selfsubjectaccessreviews", "selfsubjectrulesreviews"),
        ),
        Rule(("create",), ("authentication.k8s.io",), ("selfsubjectreviews",)),
    ),
    "system:discovery": (
        Rule(
            ("get",),
            urls=("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", *_INFO),
        ),
    ),
    "system:monitoring": (
        Rule(
            ("get",),
            urls=(
                *("/healthz", "/healthz/*", "/livez", "/livez/*", "/readyz", "/readyz/*"),
                *("/metrics", "/metrics/slis"),
            ),
        ),
    ),
    "system:public-info-viewer": (Rule(("get",), urls=_INFO),),
    "system:service-account-issuer-discovery": (
        Rule(("get",), urls=("/.well-known/openid-configuration", "/openid/v1/jwks")),
    ),
}
_AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"
_LABELS: Mapping[str, str] = {
    "edit": "admin",
    "view": "edit",
    "system:aggregate-to-admin": "admin",
    "system:aggregate-to-edit": "edit",
    "system:aggregate-to-view": "view",
}
_BOUND: Mapping[str, Sequence[str]] = {
    "cluster-admin": (MASTERS,),
    "system:basic-user": (AUTHENTICATED,),
    "system:discovery": (AUTHENTICATED,),
    "system:monitoring": ("system:monitoring",),
    "system:public-info-viewer": (AUTHENTICATED, UNAUTHENTICATED),
    "system:service-account-issuer-discovery": (SERVICE_ACCOUNTS,),
}


def cluster_roles() -> Iterator[Object]:
    """Yield the default ClusterRoles."""
    for name, rules in _ROLES.items():
        role = _object("ClusterRole", name)
        role["rules"] = [rule.as_object() for rule in rules]
        if name in _LABELS:
            role["metadata"]["labels"][f"{_AGGREGATE}{_LABELS[name]}"] = "true"
        if name in {"admin", "edit", "view"}:
            selector = {"matchLabels": {f"{_AGGREGATE}{name}": "true"}}
            role["aggregationRule"] = {"clusterRoleSelectors": [selector]}
        yield role


def cluster_role_bindings() -> Iterator[Object]:
    """Yield the default ClusterRoleBindings."""
    for name, groups in _BOUND.items():
        binding = _object("ClusterRoleBinding", name)
        binding["roleRef"] = {"apiGroup": RBAC, "kind": "ClusterRole", "name": name}
        binding["subjects"] = [
            {"kind": "Group", "apiGroup": RBAC, "name": group} for group in groups
        ]
        yield binding


def _object(kind: str, name: str) -> Object:
    return {
        "kind": kind,
        "apiVersion": f"{RBAC}/v1",
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
            "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
        },
    }


async def create_missing(registry: Registry) -> None:
    """Create the defaults that are not there; what is there stays as somebody made it."""
    defaults = {"clusterroles": cluster_roles(), "clusterrolebindings": cluster_role_bindings()}
    await asyncio.gather(*(_create(registry, kind, objs) for kind, objs in defaults.items()))


async def _create(registry: Registry, resource: str, objects: Iterator[Object]) -> None:
    strategy = KINDS[resource]
    found = await list_objects(registry.store, Selector(strategy), None, ListOptions())
    there = {obj["metadata"]["name"] for obj in found.items}
    for obj in objects:
        if obj["metadata"]["name"] not in there:
            try:
                await registry.create(strategy, None, obj)
            except AlreadyExistsError:
                # another server on the same etcd begins at the same time
                continue

"""Grants as Kubernetes objects: the predefined ClusterRoles of ACK, and a user's bindings.

The rules are those that ACK documents for its roles, as far as they speak of what is served here.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from acksim.ack.cluster import Cluster
from acksim.ack.grants import Grant

RBAC = "rbac.authorization.k8s.io"
UID_LABEL = "ack.aliyun.com/granted-to"

Object = dict[str, Any]

_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", *_READ, "patch", "update"]
_VISIBLE = ["configmaps", "secrets", "serviceaccounts"]
_FOR_ADMIN = [
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
    {"nonResourceURLs": ["*"], "verbs": ["*"]},
]
_FOR_ADMIN_VIEW = [
    {"apiGroups": ["*"], "resources": ["*"], "verbs": _READ},
    {"nonResourceURLs": ["*"], "verbs": ["get"]},
]
_FOR_DEV = [
    {"apiGroups": [""], "resources": _VISIBLE, "verbs": _WRITE},
    {"apiGroups": [""], "resources": ["events"], "verbs": _READ},
]
_FOR_OPS = [
    *_FOR_DEV,
    {"apiGroups": [""], "resources": ["namespaces/status"], "verbs": _READ},
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": [*_READ, "patch"]},
]
_FOR_RESTRICTED = [{"apiGroups": [""], "resources": [*_VISIBLE, "events"], "verbs": _READ}]
_RULES: Mapping[str, list[Any]] = {
    "cs:admin": _FOR_ADMIN,
    "cs:admin-view": _FOR_ADMIN_VIEW,
    "cs:ops": _FOR_OPS,
    "cs:dev": _FOR_DEV,
    "cs:restricted": _FOR_RESTRICTED,
    "cs:ns:dev": _FOR_DEV,
    "cs:ns:restricted": _FOR_RESTRICTED,
}


def bindings(cluster: Cluster, uid: str, grants: Iterable[Grant]) -> dict[str, Object]:
    """What the user's grants come to in this cluster, by the path of each object."""
    made: dict[str, Object] = {}
    if uid == cluster.creator and uid != cluster.account_id:
        made |= _cluster_binding(uid, "cluster-admin", f"{uid}-cluster-admin-clusterrolebinding")
    for grant in grants:
        role = _role_name(grant)
        if grant.namespace:
            name = f"{uid}-{grant.namespace}-{grant.role_name}-rolebinding"
            made |= _namespace_binding(uid, role, name, grant.namespace)
        elif grant.custom:
            made |= _cluster_binding(uid, role, f"{uid}-{role}-clusterrolebinding")
        else:
            name = f"{uid}-cluster-{grant.role_name}-clusterrolebinding"
            made |= _cluster_binding(uid, role, name)
    return made


def roles(objects: Iterable[Object]) -> dict[str, Object]:
    """The predefined ClusterRoles that these bindings speak of, by path."""
    names = dict.fromkeys(one["roleRef"]["name"] for one in objects)
    return {
        f"/apis/{RBAC}/v1/clusterroles/{name}": {
            "apiVersion": f"{RBAC}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": _RULES[name],
        }
        for name in names
        if name in _RULES
    }


def path_of(binding: Object) -> str:
    """Of a binding as the API server lists it."""
    metadata = binding["metadata"]
    if "namespace" in metadata:
        return _namespaced_path(metadata["namespace"], metadata["name"])
    return f"/apis/{RBAC}/v1/clusterrolebindings/{metadata['name']}"


def _role_name(grant: Grant) -> str:
    if grant.custom:
        return grant.role_name
    return f"cs:ns:{grant.role_name}" if grant.namespace else f"cs:{grant.role_name}"


def _cluster_binding(uid: str, role: str, name: str) -> dict[str, Object]:
    path = f"/apis/{RBAC}/v1/clusterrolebindings/{name}"
    return {path: _binding("ClusterRoleBinding", uid, role, {"name": name})}


def _namespace_binding(uid: str, role: str, name: str, namespace: str) -> dict[str, Object]:
    metadata = {"name": name, "namespace": namespace}
    return {_namespaced_path(namespace, name): _binding("RoleBinding", uid, role, metadata)}


def _namespaced_path(namespace: str, name: str) -> str:
    return f"/apis/{RBAC}/v1/namespaces/{namespace}/rolebindings/{name}"


def _binding(kind: str, uid: str, role: str, metadata: Object) -> Object:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": {**metadata, "labels": {UID_LABEL: uid}},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": uid}],
    }

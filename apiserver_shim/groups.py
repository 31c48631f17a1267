"""API groups: which resource is served in which; all in version v1."""

RBAC = "rbac.authorization.k8s.io"

_GROUPS = dict.fromkeys(("clusterrolebindings", "clusterroles", "rolebindings", "roles"), RBAC)


def group_of(resource: str) -> str:
    """Return the group of a stored resource, "" for the core one."""
    return _GROUPS.get(resource, "")


def qualified(resource: str) -> str:
    """Return ``resource.group``, as messages name it."""
    group = group_of(resource)
    return f"{resource}.{group}" if group else resource

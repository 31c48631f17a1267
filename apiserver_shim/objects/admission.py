"""New objects need a namespace that lives (k8s.io/apiserver plugin/namespace/lifecycle)."""

from typing import Any, NamedTuple

from apiserver_shim.objects.errors import FieldError, ForbiddenError
from apiserver_shim.storage.store import Key, Store

Object = dict[str, Any]


class _Seen(NamedTuple):
    active: bool
    revision: int


class NamespaceAdmission:
    """Knows which namespaces are active, from its own writes and from a watch.

    Only a namespace seen active is believed; all others are looked up in the store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[str, _Seen] = {}
        self._following = False

    def observe(self, resource: str, obj: Object) -> None:
        """Remember a namespace as just written or watched; older news is ignored."""
        if resource != "namespaces":
            return
        meta = obj["metadata"]
        name, revision = meta["name"], int(meta["resourceVersion"])
        known = self._seen.get(name)
        if known is None or known.revision < revision:
            active = not meta.get("deletionTimestamp") and _phase(obj) == "Active"
            self._seen[name] = _Seen(active, revision)

    def forget(self, name: str, revision: int) -> None:
        """Drop a namespace that is gone as of ``revision``."""
        known = self._seen.get(name)
        if known is not None and known.revision <= revision:
            del self._seen[name]

    def follow(self, *, following: bool) -> None:
        """Begin anew when a watch begins to keep this true; believe nothing once it has ended."""
        self._seen.clear()
        self._following = following

    async def admit_create(self, resource: str, namespace: str, name: str) -> None:
        """Refuse to create in a missing or terminating namespace."""
        seen = self._seen.get(namespace)
        if self._following and seen is not None and seen.active:
            return
        found = await self._store.get(Key("namespaces", None, namespace))
        if found.obj["metadata"].get("deletionTimestamp") or _phase(found.obj) == "Terminating":
            cause = FieldError(
                "metadata.namespace",
                "NamespaceTerminating",
                f"namespace {namespace} is being terminated",
            )
            detail = (
                f"unable to create new content in namespace {namespace} "
                "because it is being terminated"
            )
            raise ForbiddenError(resource, name, detail, causes=(cause,))


def _phase(namespace: Object) -> str:
    phase: str = (namespace.get("status") or {}).get("phase", "")
    return phase

"""Namespaces: phases, the finalizer in spec, and the three that may not go."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from apiserver_shim.objects import names
from apiserver_shim.objects.errors import ConflictError, FieldError, ForbiddenError, not_supported
from apiserver_shim.objects.metadata import NameRule
from apiserver_shim.objects.schema import STRING, List, Struct, Time, top_level
from apiserver_shim.objects.strategy import METADATA_LISTS, VERBS, Object, Strategy

BOOTSTRAP = ("default", "kube-system", "kube-public", "kube-node-lease")
IMMORTAL = ("default", "kube-system", "kube-public")
FINALIZER = "kubernetes"
NAME_LABEL = "kubernetes.io/metadata.name"

_CONDITION = Struct(
    "NamespaceCondition",
    {
        "type": STRING,
        "status": STRING,
        "lastTransitionTime": Time(),
        "reason": STRING,
        "message": STRING,
    },
)


class NamespaceStrategy(Strategy):
    resource = "namespaces"
    singular = "namespace"
    kind = "Namespace"
    short_names = ("ns",)
    verbs = tuple(verb for verb in VERBS if verb != "deletecollection")
    subresources: ClassVar[Mapping[str, Sequence[str]]] = {
        "finalize": ("update",),
        "status": ("get", "patch", "update"),
    }
    namespaced = False
    server_set = ("spec", "status")
    returns_deleted_object = True
    merge_lists: ClassVar[Mapping[str, str]] = {**METADATA_LISTS, "status.conditions": "type"}
    shape = top_level(
        "Namespace",
        {
            "spec": Struct("NamespaceSpec", {"finalizers": List(STRING)}),
            "status": Struct("NamespaceStatus", {"phase": STRING, "conditions": List(_CONDITION)}),
        },
    )

    def name_rule(self) -> NameRule:
        return names.dns1123_label

    def prepare_for_create(self, obj: Object) -> None:
        obj["status"] = {"phase": "Active"}
        finalizers = (obj.get("spec") or {}).get("finalizers") or []
        if FINALIZER not in finalizers:
            finalizers = [*finalizers, FINALIZER]
        obj["spec"] = {"finalizers": finalizers}
        self._label(obj)

    def prepare_for_update(self, obj: Object, old: Object, subresource: str) -> None:
        if subresource != "finalize":
            obj["spec"] = old.get("spec") or {}
        if subresource != "status":
            obj["status"] = old.get("status") or {}
        self._label(obj)

    def _label(self, obj: Object) -> None:
        meta = obj["metadata"]
        if meta.get("name"):
            meta["labels"] = {**(meta.get("labels") or {}), NAME_LABEL: meta["name"]}

    def validate_content(self, obj: Object) -> list[FieldError]:
        phase = (obj.get("status") or {}).get("phase", "")
        allowed = "Terminating" if obj["metadata"].get("deletionTimestamp") else "Active"
        return [] if phase in {"", allowed} else [not_supported("status.phase", phase, (allowed,))]

    def fields(self, obj: Object) -> dict[str, str]:
        name = obj["metadata"].get("name", "")
        phase = (obj.get("status") or {}).get("phase", "")
        return {"metadata.name": name, "name": name, "status.phase": phase}

    def check_delete(self, obj: Object) -> None:
        meta = obj["metadata"]
        if meta["name"] in IMMORTAL:
            detail = "this namespace may not be deleted"
            raise ForbiddenError("namespaces", meta["name"], detail)
        if meta.get("deletionTimestamp") and (obj.get("spec") or {}).get("finalizers"):
            raise ConflictError(
                "namespaces",
                meta["name"],
                "The system is ensuring all content is removed from this namespace.  Upon "
                "completion, this namespace will automatically be purged by the system.",
            )

    def mark_deleting(self, obj: Object) -> None:
        obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}

    def done(self, obj: Object) -> bool:
        return super().done(obj) and not (obj.get("spec") or {}).get("finalizers")

"""What differs from kind to kind (k8s.io/apiserver registry/rest strategies)."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from apiserver_shim.objects import metadata, names
from apiserver_shim.objects.errors import FieldError
from apiserver_shim.objects.fieldset import Topology, topology
from apiserver_shim.objects.metadata import NameRule
from apiserver_shim.objects.schema import Struct

Object = dict[str, Any]

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")

METADATA_LISTS: Mapping[str, str] = {"metadata.ownerReferences": "uid", "metadata.finalizers": ""}


class Strategy:
    """Defaulting, validation and selectable fields of one kind; no state of its own.

    ``merge_lists`` maps the path of a list that a strategic merge patch merges to the field that
    identifies an item, or to "" for a set of strings. Lists not named are replaced whole; so does
    server-side apply own them. ``server_set`` names fields that nobody owns for having created.
    """

    group: ClassVar[str] = ""
    resource: ClassVar[str]
    singular: ClassVar[str]
    kind: ClassVar[str]
    shape: ClassVar[Struct]
    short_names: ClassVar[Sequence[str]] = ()
    verbs: ClassVar[Sequence[str]] = VERBS
    subresources: ClassVar[Mapping[str, Sequence[str]]] = {}
    namespaced: ClassVar[bool] = True
    returns_deleted_object: ClassVar[bool] = False
    merge_lists: ClassVar[Mapping[str, str]] = METADATA_LISTS
    server_set: ClassVar[Sequence[str]] = ()

    @cached_property
    def topology(self) -> Topology:
        """How the fields of this kind are owned."""
        return topology(self.shape, self.merge_lists)

    @property
    def api_version(self) -> str:
        return f"{self.group}/v1" if self.group else "v1"

    def name_rule(self) -> NameRule:
        return names.dns1123_subdomain

    def convert(self, obj: Object) -> None:
        """Turn the versioned form as sent into the form that is stored."""

    def prepare_for_create(self, obj: Object) -> None:
        """Set what a new object of this kind always has."""

    def prepare_for_update(self, obj: Object, old: Object, subresource: str) -> None:
        """Keep from ``old`` what this door may not change."""

    def validate(self, obj: Object) -> list[FieldError]:
        """Return the complaints about the object, its metadata first."""
        return [
            *metadata.validate(
                obj["metadata"], namespaced=self.namespaced, name_rule=self.name_rule()
            ),
            *self.validate_content(obj),
        ]

    def validate_content(self, obj: Object) -> list[FieldError]:  # noqa: ARG002 - for subclasses
        return []

    def validate_update(self, obj: Object, old: Object) -> list[FieldError]:
        """Return the complaints about the change from ``old`` to ``obj``."""
        return [
            *metadata.validate_update(obj["metadata"], old["metadata"]),
            *self.validate_change(obj, old),
            *self.validate(obj),
        ]

    def validate_change(self, obj: Object, old: Object) -> list[FieldError]:  # noqa: ARG002
        return []

    def fields(self, obj: Object) -> dict[str, str]:
        """Return what field selectors may ask about."""
        meta = obj["metadata"]
        fields = {"metadata.name": meta.get("name", "")}
        if self.namespaced:
            fields["metadata.namespace"] = meta.get("namespace", "")
        return fields

    def field_names(self) -> frozenset[str]:
        """Return the names of the fields that selectors may ask about."""
        return frozenset(self.fields({"metadata": {}}))

    def check_delete(self, obj: Object) -> None:
        """Refuse to delete what must stay; raises ForbiddenError or ConflictError."""

    def mark_deleting(self, obj: Object) -> None:
        """Show in the object's own fields that it is being deleted."""

    def done(self, obj: Object) -> bool:
        """Tell whether nothing holds back the removal of an object being deleted."""
        return not obj["metadata"].get("finalizers")

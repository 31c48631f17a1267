"""ServiceAccounts: metadata and references."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from apiserver_shim.objects.schema import BOOL, OBJECT_REFERENCE, STRING, List, Struct, top_level
from apiserver_shim.objects.strategy import METADATA_LISTS, Strategy


class ServiceAccountStrategy(Strategy):
    resource = "serviceaccounts"
    singular = "serviceaccount"
    kind = "ServiceAccount"
    short_names = ("sa",)
    returns_deleted_object = True
    subresources: ClassVar[Mapping[str, Sequence[str]]] = {"token": ("create",)}
    shape = top_level(
        "ServiceAccount",
        {
            "secrets": List(OBJECT_REFERENCE),
            "imagePullSecrets": List(Struct("LocalObjectReference", {"name": STRING})),
            "automountServiceAccountToken": BOOL,
        },
    )
    merge_lists: ClassVar[Mapping[str, str]] = {**METADATA_LISTS, "secrets": "name"}

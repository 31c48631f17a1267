"""The messages of the kinds served here, field by field (generated.proto of k8s.io/api)."""

from collections.abc import Mapping

from apiserver_shim.storage import rbac_kinds, review_kinds
from apiserver_shim.storage.fields_v1 import fields_v1
from apiserver_shim.storage.times import micro_time, time
from apiserver_shim.storage.wire import (
    Field,
    Message,
    blank,
    boolean,
    integer,
    mapping,
    message,
    messages,
    octets,
    text,
    texts,
)

_OWNER = Message(
    text(1, "kind"),
    text(3, "name"),
    text(4, "uid"),
    text(5, "apiVersion"),
    boolean(6, "controller"),
    boolean(7, "blockOwnerDeletion"),
)
_MANAGED_FIELDS = Message(
    text(1, "manager"),
    text(2, "operation"),
    text(3, "apiVersion"),
    time(4, "time", optional=True),
    text(6, "fieldsType"),
    fields_v1(7, "fieldsV1"),
    text(8, "subresource"),
)


def _texts_by_name(number: int, name: str) -> Field:
    return mapping(number, name, text(2, "value"))


def _octets_by_name(number: int, name: str) -> Field:
    return mapping(number, name, octets(2, "value"))


def _object_meta(self_link: Field, resource_version: Field) -> Message:
    return Message(
        text(1, "name"),
        text(2, "generateName"),
        text(3, "namespace"),
        self_link,
        text(5, "uid"),
        resource_version,
        integer(7, "generation"),
        time(8, "creationTimestamp"),
        time(9, "deletionTimestamp", optional=True),
        integer(10, "deletionGracePeriodSeconds", optional=True),
        _texts_by_name(11, "labels"),
        _texts_by_name(12, "annotations"),
        messages(13, "ownerReferences", _OWNER),
        texts(14, "finalizers"),
        messages(17, "managedFields", _MANAGED_FIELDS),
    )


_META = _object_meta(text(4, "selfLink"), text(6, "resourceVersion"))
_STORED_META = _object_meta(blank(4, "selfLink"), blank(6, "resourceVersion"))

_OBJECT_REFERENCE = Message(
    text(1, "kind"),
    text(2, "namespace"),
    text(3, "name"),
    text(4, "uid"),
    text(5, "apiVersion"),
    text(6, "resourceVersion"),
    text(7, "fieldPath"),
)
_NAMESPACE_CONDITION = Message(
    text(1, "type"),
    text(2, "status"),
    time(4, "lastTransitionTime"),
    text(5, "reason"),
    text(6, "message"),
)


_EVENT_SERIES = Message(integer(1, "count", bits=32), micro_time(2, "lastObservedTime"))


def _objects(meta: Message) -> dict[str, Message]:
    return {
        "Event": Message(
            message(1, "metadata", meta),
            message(2, "involvedObject", _OBJECT_REFERENCE),
            text(3, "reason"),
            text(4, "message"),
            message(5, "source", Message(text(1, "component"), text(2, "host"))),
            time(6, "firstTimestamp"),
            time(7, "lastTimestamp"),
            integer(8, "count", bits=32),
            text(9, "type"),
            micro_time(10, "eventTime"),
            message(11, "series", _EVENT_SERIES, optional=True),
            text(12, "action"),
            message(13, "related", _OBJECT_REFERENCE, optional=True),
            text(14, "reportingComponent"),
            text(15, "reportingInstance"),
        ),
        "Secret": Message(
            message(1, "metadata", meta),
            _octets_by_name(2, "data"),
            text(3, "type"),
            _texts_by_name(4, "stringData"),
            boolean(5, "immutable"),
        ),
        "ConfigMap": Message(
            message(1, "metadata", meta),
            _texts_by_name(2, "data"),
            _octets_by_name(3, "binaryData"),
            boolean(4, "immutable"),
        ),
        "ServiceAccount": Message(
            message(1, "metadata", meta),
            messages(2, "secrets", _OBJECT_REFERENCE),
            messages(3, "imagePullSecrets", Message(text(1, "name"))),
            boolean(4, "automountServiceAccountToken"),
        ),
        "Namespace": Message(
            message(1, "metadata", meta),
            message(2, "spec", Message(texts(1, "finalizers"))),
            message(
                3,
                "status",
                Message(text(1, "phase"), messages(2, "conditions", _NAMESPACE_CONDITION)),
            ),
        ),
        **rbac_kinds.objects(meta),
    }


_LIST_META = Message(
    text(1, "selfLink"),
    text(2, "resourceVersion"),
    text(3, "continue"),
    integer(4, "remainingItemCount", optional=True),
)
_STATUS = Message(
    message(1, "metadata", _LIST_META),
    text(2, "status"),
    text(3, "message"),
    text(4, "reason"),
    message(
        5,
        "details",
        Message(
            text(1, "name"),
            text(2, "group"),
            text(3, "kind"),
            messages(4, "causes", Message(text(1, "reason"), text(2, "message"), text(3, "field"))),
            integer(5, "retryAfterSeconds", bits=32),
            text(6, "uid"),
        ),
        optional=True,
    ),
    integer(6, "code", bits=32),
)
_DELETE_OPTIONS = Message(
    integer(1, "gracePeriodSeconds", optional=True),
    message(
        2,
        "preconditions",
        Message(text(1, "uid", optional=True), text(2, "resourceVersion", optional=True)),
        optional=True,
    ),
    boolean(3, "orphanDependents"),
    text(4, "propagationPolicy", optional=True),
    texts(5, "dryRun"),
    boolean(6, "ignoreStoreReadErrorWithClusterBreakingPotential"),
)
_TOKEN_REQUEST = Message(
    message(1, "metadata", _META),
    message(
        2,
        "spec",
        Message(
            texts(1, "audiences"),
            message(
                3,
                "boundObjectRef",
                Message(text(1, "kind"), text(2, "apiVersion"), text(3, "name"), text(4, "uid")),
                optional=True,
            ),
            integer(4, "expirationSeconds", optional=True),
        ),
    ),
    message(3, "status", Message(text(1, "token"), time(2, "expirationTimestamp"))),
)


def _bodies() -> dict[str, Message]:
    objects = _objects(_META)
    lists = {
        f"{kind}List": Message(
            message(1, "metadata", _LIST_META), messages(2, "items", objects[kind])
        )
        for kind in objects
    }
    return {
        **objects,
        **lists,
        "Status": _STATUS,
        "DeleteOptions": _DELETE_OPTIONS,
        "TokenRequest": _TOKEN_REQUEST,
        **review_kinds.objects(_META),
    }


# Kinds of other groups than the core one.
API_VERSIONS: Mapping[str, str] = dict.fromkeys(rbac_kinds.KINDS, rbac_kinds.API_VERSION)
# What etcd keeps: resourceVersion and selfLink are always blank there.
STORED: Mapping[str, Message] = _objects(_STORED_META)
# Which kind is kept under which resource's keys.
KINDS: Mapping[str, str] = {f"{kind.lower()}s": kind for kind in STORED}
# What travels in requests and responses.
BODIES: Mapping[str, Message] = _bodies()

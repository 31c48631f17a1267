"""The messages of rbac.authorization.k8s.io/v1 (generated.proto of k8s.io/api/rbac/v1)."""

from apiserver_shim.groups import RBAC
from apiserver_shim.storage.wire import Message, mapping, message, messages, text, texts

API_VERSION = f"{RBAC}/v1"
KINDS = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")

_RULE = Message(
    texts(1, "verbs"),
    texts(2, "apiGroups"),
    texts(3, "resources"),
    texts(4, "resourceNames"),
    texts(5, "nonResourceURLs"),
)
_LABEL_SELECTOR = Message(
    mapping(1, "matchLabels", text(2, "value")),
    messages(
        2, "matchExpressions", Message(text(1, "key"), text(2, "operator"), texts(3, "values"))
    ),
)
_AGGREGATION = Message(messages(1, "clusterRoleSelectors", _LABEL_SELECTOR))
_SUBJECT = Message(text(1, "kind"), text(2, "apiGroup"), text(3, "name"), text(4, "namespace"))
_ROLE_REF = Message(text(1, "apiGroup"), text(2, "kind"), text(3, "name"))


def objects(meta: Message) -> dict[str, Message]:
    """Return the four kinds around one form of ObjectMeta."""
    binding = Message(
        message(1, "metadata", meta),
        messages(2, "subjects", _SUBJECT),
        message(3, "roleRef", _ROLE_REF),
    )
    return {
        "Role": Message(message(1, "metadata", meta), messages(2, "rules", _RULE)),
        "ClusterRole": Message(
            message(1, "metadata", meta),
            messages(2, "rules", _RULE),
            message(3, "aggregationRule", _AGGREGATION, optional=True),
        ),
        "RoleBinding": binding,
        "ClusterRoleBinding": binding,
    }

"""Messages of reviews, which are never stored (k8s.io/api authentication/v1, authorization/v1)."""

from apiserver_shim.storage.wire import (
    Field,
    Message,
    boolean,
    mapping,
    message,
    messages,
    text,
    text_list,
    texts,
)

_RESOURCE = Message(
    text(1, "namespace"),
    text(2, "verb"),
    text(3, "group"),
    text(4, "version"),
    text(5, "resource"),
    text(6, "subresource"),
    text(7, "name"),
)
_PATH = Message(text(1, "path"), text(2, "verb"))
_USER = Message(
    text(1, "username"),
    text(2, "uid"),
    texts(3, "groups"),
    mapping(4, "extra", text_list(2, "value")),
)
_ACCESS_STATUS = Message(
    boolean(1, "allowed", optional=False),
    text(2, "reason"),
    text(3, "evaluationError"),
    boolean(4, "denied", optional=False),
)
_RULES_STATUS = Message(
    messages(
        1,
        "resourceRules",
        Message(
            texts(1, "verbs"),
            texts(2, "apiGroups"),
            texts(3, "resources"),
            texts(4, "resourceNames"),
        ),
    ),
    messages(2, "nonResourceRules", Message(texts(1, "verbs"), texts(2, "nonResourceURLs"))),
    boolean(3, "incomplete", optional=False),
    text(4, "evaluationError"),
)


def objects(meta: Message) -> dict[str, Message]:
    """Return all reviews around one form of ObjectMeta."""

    def review(spec: Message | None, status: Message) -> Message:
        fields: list[Field] = [message(1, "metadata", meta)]
        if spec is not None:
            fields.append(message(2, "spec", spec))
        return Message(*fields, message(len(fields) + 1, "status", status))

    asked = (
        message(1, "resourceAttributes", _RESOURCE, optional=True),
        message(2, "nonResourceAttributes", _PATH, optional=True),
    )
    of_somebody = Message(
        *asked,
        text(3, "user"),
        texts(4, "groups"),
        mapping(5, "extra", text_list(2, "value")),
        text(6, "uid"),
    )
    token = Message(text(1, "token"), texts(2, "audiences"))
    token_status = Message(
        boolean(1, "authenticated", optional=False),
        message(2, "user", _USER),
        text(3, "error"),
        texts(4, "audiences"),
    )
    return {
        "SelfSubjectReview": review(None, Message(message(1, "userInfo", _USER))),
        "SelfSubjectAccessReview": review(Message(*asked), _ACCESS_STATUS),
        "SelfSubjectRulesReview": review(Message(text(1, "namespace")), _RULES_STATUS),
        "SubjectAccessReview": review(of_somebody, _ACCESS_STATUS),
        "LocalSubjectAccessReview": review(of_somebody, _ACCESS_STATUS),
        "TokenReview": review(token, token_status),
    }

"""metav1.Status: the body of every error, and of a successful delete.

The only module that knows which error is which HTTP status (k8s.io/apimachinery api/errors).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from apiserver_shim import errors as storage
from apiserver_shim.groups import group_of
from apiserver_shim.objects import errors as objects

Status = dict[str, Any]

_UNEXPECTED = "an unexpected error, which is in the server's log"


class StatusError(Exception):
    """A Status on its way out; for errors that only the edge knows."""

    def __init__(self, status: Status) -> None:
        super().__init__(status["message"])
        self.status = status


def failure(
    code: int, reason: str, message: str, details: Mapping[str, Any] | None = None
) -> Status:
    status: Status = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
    if not reason:
        del status["reason"]
    if details is not None:
        status["details"] = {key: value for key, value in details.items() if value}
    return status


def deleted(resource: str, name: str, uid: str) -> Status:
    """Return the answer to a delete that removed the object."""
    details = {"name": name, "group": group_of(resource), "kind": resource, "uid": uid}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }


def unauthorized() -> Status:
    return failure(401, "Unauthorized", "Unauthorized")


def method_not_allowed(resource: str, verb: str) -> Status:
    message = f'{verb} is not supported on resources of kind "{resource}"'
    return failure(405, "MethodNotAllowed", message, {"kind": resource})


def not_acceptable(accepted: Sequence[str]) -> Status:
    message = f"only the following media types are accepted: {', '.join(accepted)}"
    return failure(406, "NotAcceptable", message)


def unsupported_media_type(accepted: Sequence[str]) -> Status:
    message = (
        f"the body of the request was in an unknown format - "
        f"accepted media types include: {', '.join(accepted)}"
    )
    return failure(415, "UnsupportedMediaType", message)


def upgrade_refused() -> Status:
    """Answer a watch over a WebSocket; on 503 fabric8 asks again over plain HTTP."""
    message = "watches over WebSockets are not served; ask without the header Upgrade"
    return failure(503, "ServiceUnavailable", message)


def too_many_requests(seconds: int) -> Status:
    """Ask to come again after ``seconds``, in upstream's words."""
    message = "too many requests, please try again later"
    return failure(429, "TooManyRequests", message, {"retryAfterSeconds": seconds})


def too_large(limit: int) -> Status:
    message = f"Request entity too large: limit is {limit}"
    return failure(413, "RequestEntityTooLarge", message)


def internal_error(message: str) -> Status:
    details = {"causes": [{"message": message}]}
    return failure(500, "InternalError", f"Internal error occurred: {message}", details)


def unexpected() -> Status:
    """Return the bland answer to a fault of our own."""
    return internal_error(_UNEXPECTED)


def of(error: Exception, *, verb: str, resource: str) -> Status | None:
    """Render an error; None when it is none that a request can explain."""
    if isinstance(error, StatusError):
        return error.status
    for kind in type(error).__mro__:
        render = _RENDER.get(kind)
        if render is not None:
            return render(error, verb, resource)
    return None


def _not_found(error: Any, verb: str, resource: str) -> Status:  # noqa: ARG001
    return failure(404, "NotFound", error.message, _of_key(error.key))


def _already_exists(error: Any, verb: str, resource: str) -> Status:  # noqa: ARG001
    return failure(409, "AlreadyExists", error.message, _of_key(error.key))


def _of_key(key: storage.ObjectKey) -> dict[str, str]:
    return {"name": key.name, "group": group_of(key.resource), "kind": key.resource}


def _generate_name(error: Any, verb: str, resource: str) -> Status:  # noqa: ARG001
    details = {"name": error.name, "kind": error.resource, "retryAfterSeconds": 1}
    return failure(409, "AlreadyExists", error.message, details)


def _conflict(error: Any, verb: str, resource: str) -> Status:  # noqa: ARG001
    details = {"name": error.name, "group": group_of(error.resource), "kind": error.resource}
    return failure(409, "Conflict", error.message, details)


def _apply_conflict(error: Any, verb: str, resource: str) -> Status:  # noqa: ARG001
    return failure(409, "Conflict", error.message, {"causes": _causes(error.causes)})


def _invalid(error: Any, verb: str, resource: str) -> Status:  # noqa: ARG001
    details = {
        "name": error.name,
        "group": error.group,
        "kind": error.kind,
        "causes": _causes(error.errors),
    }
    return failure(422, "Invalid", error.message, details)


def _causes(errors: Sequence[objects.FieldError]) -> list[dict[str, str]]:
    return [{"reason": e.reason, "message": e.body, "field": e.field} for e in errors]


def _unprocessable(error: Any, verb: str, resource: str) -> Status:  # noqa: ARG001
    message = "the server rejected our request due to an error in our request"
    cause = {"reason": "UnexpectedServerResponse", "message": error.message}
    return failure(422, "Invalid", message, {"causes": [cause]})


def _bad_request(error: Any, verb: str, resource: str) -> Status:  # noqa: ARG001
    return failure(400, "BadRequest", error.message)


def _forbidden(error: Any, verb: str, resource: str) -> Status:  # noqa: ARG001
    kind, _, group = error.resource.partition(".")
    causes = _causes(error.causes)
    details = {"name": error.name, "group": group, "kind": kind, "causes": causes}
    return failure(403, "Forbidden", error.message, details)


def _expired_continue(error: Any, verb: str, resource: str) -> Status:  # noqa: ARG001
    status = failure(410, "Expired", error.message)
    status["metadata"] = {"continue": error.token}
    return status


def _readable(error: Any, verb: str, resource: str) -> Status:  # noqa: ARG001
    key = error.key
    path = "/".join(part for part in (key.resource, key.namespace, key.name) if part)
    message = (
        f'Operation cannot be fulfilled on {key.resource} "{key.name}": StorageError: invalid '
        f"object, Code: 4, Key: /{path}, ResourceVersion: 0, AdditionalErrorMsg: {error.message}"
    )
    return failure(409, "Conflict", message, _of_key(key))


def _storage_read(error: Any, verb: str, resource: str) -> Status:
    causes = [
        {"reason": "UnexpectedServerResponse", "message": message, "field": key}
        for key, message in error.failures
    ]
    details = {"name": verb, "kind": error.resource or resource, "causes": causes}
    return failure(500, "StorageReadError", error.message, details)


def _compacted(error: Any, verb: str, resource: str) -> Status:  # noqa: ARG001
    what = "watch" if verb == "watch" else "list"
    message = f"The resourceVersion for the provided {what} is too old."
    return failure(410, "Expired", message)


def _future_revision(error: Any, verb: str, resource: str) -> Status:  # noqa: ARG001
    message = f"Too large resource version: {error.revision}, current: {error.current}"
    details = {
        "causes": [
            {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"},
        ],
        "retryAfterSeconds": 1,
    }
    return failure(504, "Timeout", f"Timeout: {message}", details)


def _unavailable(error: Any, verb: str, resource: str) -> Status:
    message = (
        f"The {verb} operation against {resource} could not be completed at this time, "
        "please try again."
    )
    # upstream says no more than this; what etcd's client said helps whoever reads it
    details = {
        "name": verb,
        "kind": resource,
        "causes": [{"message": error.message}],
        "retryAfterSeconds": 2,
    }
    return failure(500, "ServerTimeout", message, details)


def _as_it_is(error: Any, verb: str, resource: str) -> Status:  # noqa: ARG001
    return failure(500, "", error.message)


def _internal(error: Any, verb: str, resource: str) -> Status:  # noqa: ARG001
    return internal_error(error.message)


_RENDER: Mapping[type, Callable[[Any, str, str], Status]] = {
    storage.NotFoundError: _not_found,
    storage.AlreadyExistsError: _already_exists,
    storage.CompactedError: _compacted,
    storage.FutureRevisionError: _future_revision,
    storage.ContinueTokenError: _bad_request,
    storage.ReadableError: _readable,
    storage.StorageReadError: _storage_read,
    storage.TransformError: _internal,
    storage.EncryptionConfigError: _internal,
    storage.DecodeError: _internal,
    storage.EncodeError: _bad_request,
    storage.StorageUnavailableError: _unavailable,
    storage.StorageError: _as_it_is,
    objects.InvalidError: _invalid,
    objects.BadRequestError: _bad_request,
    objects.UnprocessablePatchError: _unprocessable,
    objects.ConflictError: _conflict,
    objects.ApplyConflictError: _apply_conflict,
    objects.ApplyError: _as_it_is,
    objects.ForbiddenError: _forbidden,
    objects.GenerateNameError: _generate_name,
    objects.ExpiredContinueError: _expired_continue,
}

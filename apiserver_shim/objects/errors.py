"""What a request can get wrong about an object, without HTTP.

Storage's errors are in ``apiserver_shim.errors``; ``api/status.py`` renders both.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apiserver_shim.errors import ShimError
from apiserver_shim.groups import qualified


@dataclass(frozen=True, slots=True)
class FieldError:
    """One complaint about one field (k8s.io/apimachinery util/validation/field)."""

    field: str
    reason: str
    body: str

    def __str__(self) -> str:
        return f"{self.field}: {self.body}"


def required(field: str, detail: str = "") -> FieldError:
    body = f"Required value: {detail}" if detail else "Required value"
    return FieldError(field, "FieldValueRequired", body)


def invalid(field: str, value: Any, detail: str) -> FieldError:
    shown = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return FieldError(field, "FieldValueInvalid", f"Invalid value: {shown}: {detail}")


def forbidden(field: str, detail: str) -> FieldError:
    return FieldError(field, "FieldValueForbidden", f"Forbidden: {detail}")


def not_supported(field: str, value: str, supported: Sequence[str]) -> FieldError:
    choices = ", ".join(f'"{choice}"' for choice in supported)
    body = f'Unsupported value: "{value}": supported values: {choices}'
    return FieldError(field, "FieldValueNotSupported", body)


def too_long(field: str, limit: int) -> FieldError:
    body = f"Too long: may not be more than {limit} bytes"
    return FieldError(field, "FieldValueTooLong", body)


_MOST_ERRORS = 1000  # told of one object


class InvalidError(ShimError):
    """The object, or the request's options, break a rule."""

    def __init__(
        self, kind: str, name: str, errors: Sequence[FieldError], *, group: str = ""
    ) -> None:
        full_kind = f"{kind}.{group}" if group else kind
        more, errors = len(errors) - _MOST_ERRORS, errors[:_MOST_ERRORS]
        texts = list(dict.fromkeys(map(str, errors)))
        if more > 0:
            texts.append(f"and {more} more errors")
        joined = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
        super().__init__(f'{full_kind} "{name}" is invalid: {joined}')
        self.kind = kind
        self.name = name
        self.group = group
        self.errors = tuple(errors)


class BadRequestError(ShimError):
    """The request cannot be understood."""


class UnprocessablePatchError(ShimError):
    """A JSON patch that does not fit the object; ``message`` says which operation failed."""


class ConflictError(ShimError):
    """The write rests on something that is no longer so."""

    def __init__(self, resource: str, name: str, detail: str) -> None:
        super().__init__(
            f'Operation cannot be fulfilled on {qualified(resource)} "{name}": {detail}'
        )
        self.resource = resource
        self.name = name


class ApplyConflictError(ShimError):
    """An apply would change what others own; ``causes`` name each field and its owner."""

    def __init__(self, message: str, causes: Sequence[FieldError]) -> None:
        super().__init__(message)
        self.causes = tuple(causes)


class ApplyError(ShimError):
    """A configuration that has no place in the kind's schema."""


MODIFIED = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


class ForbiddenError(ShimError):
    """A rule of the API, or of authorization, refuses the request."""

    def __init__(
        self,
        resource: str,
        name: str,
        detail: str,
        *,
        causes: Sequence[FieldError] = (),
    ) -> None:
        subject = f'{resource} "{name}" is ' if name else f"{resource} is " if resource else ""
        super().__init__(f"{subject}forbidden: {detail}")
        self.resource = resource
        self.name = name
        self.causes = tuple(causes)


class GenerateNameError(ShimError):
    """Every name tried for a generateName was taken."""

    def __init__(self, resource: str, name: str) -> None:
        super().__init__(
            f'{qualified(resource)} "{name}" already exists, '
            "the server was not able to generate a unique name for the object"
        )
        self.resource = resource
        self.name = name


class ExpiredContinueError(ShimError):
    """A continue token's revision is compacted; ``token`` goes on at the latest one."""

    def __init__(self, token: str) -> None:
        super().__init__(
            "The provided continue parameter is too old to display a consistent list result. "
            "You can start a new list without the continue parameter, or use the continue token "
            "in this response to retrieve the remainder of the results. Continuing with the "
            "provided token results in an inconsistent list - objects that were created, "
            "modified, or deleted between the time the first chunk was returned and now may "
            "show up in the list."
        )
        self.token = token

"""The kinds of parameters that RAM's requests have, with its own refusals."""

import re
from base64 import b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    StringConstraints,
    TypeAdapter,
)

from acksim.account.ram.errors import (
    IncorrectPolicyTypeError,
    InvalidCharsError,
    TooLongError,
    VersionIdFormatError,
)
from acksim.account.ram.policy_rows import POLICY_TYPES, PolicyType
from alibaba_edge.errors import InvalidParameterError
from alibaba_edge.fields import ListedRequest, WireRequest, optional

T = TypeVar("T")

_USER = re.compile(r"[A-Za-z0-9._-]+")
_ROLE = re.compile(r"[A-Za-z0-9.-]+")
_POLICY = re.compile(r"[A-Za-z0-9-]+")
_PRINTED = re.compile(r"[^\x00-\x1f\x7f]*")
_VERSION = re.compile(r"[vV]([1-9][0-9]{0,8})")


def _checked(parameter: str, form: re.Pattern[str], longest: int) -> Callable[[str], str]:
    def check(text: str) -> str:
        if len(text) > longest:
            raise TooLongError(parameter)
        if not form.fullmatch(text):
            raise InvalidCharsError(parameter)
        return text

    return check


def _policy_type(text: str) -> str:
    if text not in POLICY_TYPES:
        raise IncorrectPolicyTypeError
    return text


def _version_number(text: Any) -> int:
    found = _VERSION.fullmatch(text)
    if found is None:
        raise VersionIdFormatError
    return int(found[1])


_TagText = Annotated[str, StringConstraints(max_length=128)]


class _Tag(BaseModel):
    """Without a value, any value will do where tags are asked for."""

    key: Annotated[_TagText, Field(alias="Key")]
    value: Annotated[_TagText | None, Field(alias="Value")] = None


_TAGS = TypeAdapter(Annotated[list[_Tag], Field(max_length=20)])


def _tags(given: Any) -> Any:
    """`Tag.1.Key` and so on, gathered before, or one JSON list, as the new SDKs send it."""
    if isinstance(given, str):
        given = orjson.loads(given) if given else []
    tags = _TAGS.validate_python(given)
    pairs = {tag.key: tag.value for tag in tags}
    if len(pairs) != len(tags):
        raise ValueError("a key twice")
    return pairs


_Given = StringConstraints(min_length=1)
UserName = Annotated[str, _Given, AfterValidator(_checked("UserName", _USER, 64))]
GroupName = Annotated[str, _Given, AfterValidator(_checked("GroupName", _USER, 64))]
RoleName = Annotated[str, _Given, AfterValidator(_checked("RoleName", _ROLE, 64))]
PolicyName = Annotated[str, _Given, AfterValidator(_checked("PolicyName", _POLICY, 128))]
DisplayName = Annotated[str, AfterValidator(_checked("DisplayName", _PRINTED, 128))]
Comments = Annotated[str, AfterValidator(_checked("Comments", _PRINTED, 128))]
Email = Annotated[str, AfterValidator(_checked("Email", _PRINTED, 128))]
MobilePhone = Annotated[str, AfterValidator(_checked("MobilePhone", re.compile(r"[0-9-]*"), 64))]
Description = Annotated[str, AfterValidator(_checked("Description", _PRINTED, 1024))]
Document = Annotated[str, _Given]
PolicyTypeName = Annotated[PolicyType, BeforeValidator(_policy_type)]
OptionalPolicyType = Annotated[PolicyTypeName | None, BeforeValidator(optional)]
VersionNumber = Annotated[int, BeforeValidator(_version_number)]
SessionDuration = Annotated[int, Field(ge=3600, le=43200)]
Tags = Annotated[dict[_TagText, _TagText], BeforeValidator(_tags)]
WantedTags = Annotated[dict[_TagText, _TagText | None], BeforeValidator(_tags)]


class UserRequest(WireRequest):
    user_name: UserName


class CallersRequest(WireRequest):
    """About the caller, where no user is named."""

    user_name: Annotated[UserName | None, BeforeValidator(optional)] = None


class GroupRequest(WireRequest):
    group_name: GroupName


class RoleRequest(WireRequest):
    role_name: RoleName


class PolicyNameRequest(WireRequest):
    """About an account's own policy."""

    policy_name: PolicyName


class PolicyRequest(PolicyNameRequest):
    policy_type: PolicyTypeName


class TaggedRequest(ListedRequest):
    numbered = ("Tag",)


class ListRequest(WireRequest):
    marker: str = ""
    max_items: Annotated[int, Field(ge=1, le=1000)] = 100


def paged(
    items: Sequence[T], request: ListRequest, name: Callable[[T], str]
) -> tuple[Iterable[T], dict[str, Any]]:
    """The part of `items`, which are in the order of their names, and the fields that say so."""
    after = _name(request.marker)
    rest = [item for item in items if name(item).lower() > after]
    part = rest[: request.max_items]
    if len(part) == len(rest):
        return part, {"IsTruncated": False}
    return part, {"IsTruncated": True, "Marker": _marker(name(part[-1]))}


def tagged(tags: Mapping[str, str], wanted: Mapping[str, str | None]) -> bool:
    """Whether all that is wanted is there; without a value, any value will do."""
    return all(name in tags and value in (None, tags[name]) for name, value in wanted.items())


def _marker(name: str) -> str:
    return urlsafe_b64encode(name.lower().encode()).decode()


def _name(marker: str) -> str:
    try:
        return b64decode(marker, altchars=b"-_", validate=True).decode()
    except (Base64Error, ValueError):
        raise InvalidParameterError("Marker") from None

"""Tags, in the two generations of their operations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
)

from alibaba_edge.fields import Flag, ListedRequest, Text, WireRequest
from kms_emulator.keys import Key
from kms_emulator.schemas.fields import KeyId

PAGE_SIZE = 200
RESOURCE_TYPE = "key"

_RESERVED = ("aliyun", "acs:")


def _not_reserved(name: str) -> str:
    if name.startswith(_RESERVED):
        raise ValueError("a reserved prefix")
    return name


TagName = Annotated[
    str, StringConstraints(min_length=1, max_length=128), AfterValidator(_not_reserved)
]
TagValue = Annotated[str, StringConstraints(max_length=128)]


class _Tag(BaseModel):
    """As the older operations write it."""

    model_config = ConfigDict(strict=True, extra="forbid")

    name: Annotated[TagName, Field(alias="TagKey")]
    value: Annotated[TagValue, Field(alias="TagValue")] = ""


class _NumberedTag(BaseModel):
    """As the newer ones do: Tag.1.Key, Tag.1.Value."""

    name: Annotated[TagName, Field(alias="Key")]
    value: Annotated[TagValue, Field(alias="Value")] = ""


class _TagFilter(BaseModel):
    """A tag that a resource must have; without a value, any value will do."""

    name: Annotated[TagName, Field(alias="Key")]
    value: Annotated[TagValue | None, Field(alias="Value")] = None


_NUMBERED = TypeAdapter(Annotated[list[_NumberedTag], Field(max_length=20)])
_TAGS = TypeAdapter(Annotated[list[_Tag], Field(max_length=20)])
_NAMES = TypeAdapter(Annotated[list[TagName], Field(max_length=20)])


def _tags(text: Any) -> Any:
    return _by_name(_TAGS.validate_python(orjson.loads(text))) if text else {}


def _by_name(tags: Iterable[_Tag | _NumberedTag | _TagFilter]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for tag in tags:
        if tag.name in named:
            raise ValueError("a tag key twice")
        named[tag.name] = tag.value
    return named


def _names(text: Any) -> Any:
    """A JSON array of strings, or the same separated by commas."""
    names = orjson.loads(text) if text.startswith("[") else text.split(",")
    return frozenset(_NAMES.validate_python(names, strict=True))


TagsText = Annotated[dict[str, str], BeforeValidator(_tags)]
NumberedTags = Annotated[
    dict[str, str], BeforeValidator(lambda items: _by_name(_NUMBERED.validate_python(items)))
]


class _ResourceRequest(WireRequest):
    """One of the three names what is tagged; secrets and certificates are not built."""

    key_id: str = ""
    secret_name: str = ""
    certificate_id: str = ""


class TagResourceRequest(_ResourceRequest):
    tags: Annotated[TagsText, Field(min_length=1)]


class UntagResourceRequest(_ResourceRequest):
    tag_keys: Annotated[frozenset[str], BeforeValidator(_names), Field(min_length=1)]


ResourceIds = Annotated[list[KeyId], Field(max_length=50)]


class _ResourcesRequest(ListedRequest):
    region_id: Text
    resource_type: Literal["key", "secret"]


class TagResourcesRequest(_ResourcesRequest):
    numbered: ClassVar[tuple[str, ...]] = ("ResourceId", "Tag")

    resource_id: Annotated[ResourceIds, Field(min_length=1)]
    tag: Annotated[NumberedTags, Field(min_length=1)]


class UntagResourcesRequest(_ResourcesRequest):
    """`all` counts only when no key is named."""

    numbered: ClassVar[tuple[str, ...]] = ("ResourceId", "TagKey")

    resource_id: Annotated[ResourceIds, Field(min_length=1)]
    tag_key: Annotated[list[TagName], Field(max_length=20)] = Field(default_factory=list)
    all: Flag = False


class ListTagResourcesRequest(_ResourcesRequest):
    numbered: ClassVar[tuple[str, ...]] = ("ResourceId", "Tag")

    resource_id: ResourceIds = Field(default_factory=list)
    tag: Annotated[list[_TagFilter], Field(max_length=20)] = Field(default_factory=list)
    next_token: Annotated[str, StringConstraints(pattern=r"^[0-9]{0,9}\Z")] = ""

    @property
    def wanted(self) -> dict[str, str | None]:
        return {tag.name: tag.value for tag in self.tag}

    @property
    def page(self) -> slice:
        """The token is the number of tags that earlier pages had."""
        start = int(self.next_token or 0)
        return slice(start, start + PAGE_SIZE)


def resource_tags(key: Key) -> dict[str, Any]:
    items = [
        {"KeyId": key.id, "TagKey": name, "TagValue": value}
        for name, value in sorted(key.tags.items())
    ]
    return {"Tags": {"Tag": items}}


def tag_resources(
    tags: Iterable[tuple[Key, str, str]], *, next_start: int | None
) -> dict[str, Any]:
    items = [
        {"ResourceId": key.id, "ResourceType": RESOURCE_TYPE, "TagKey": name, "TagValue": value}
        for key, name, value in tags
    ]
    token = "" if next_start is None else str(next_start)
    return {"TagResources": {"TagResource": items}, "NextToken": token}

"""Tags: how many, how they are listed, and that permissions see them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from kms_emulator.errors import KeyStateError, LimitExceededError
from kms_emulator.operations.kms import key_resource
from kms_emulator.schemas.tags import (
    PAGE_SIZE,
    ListTagResourcesRequest,
    TagResourceRequest,
    UntagResourceRequest,
)
from kms_emulator.service.tags import MOST_TAGS

if TYPE_CHECKING:
    from tests.unit.kms_emulator.conftest import Domain


def numbered(count: int, prefix: str = "t") -> dict[str, str]:
    return {f"{prefix}{number:03}": "v" for number in range(count)}


async def test_a_key_has_twenty_tags_at_most(domain: Domain) -> None:
    key = await domain.create()
    await domain.kms.tags.add([key], numbered(MOST_TAGS))
    await domain.kms.tags.add([await domain.find(key)], {"t000": "changed"})
    with pytest.raises(LimitExceededError):
        await domain.kms.tags.add([await domain.find(key)], {"one": "more"})
    tags = (await domain.find(key)).tags
    assert (len(tags), tags["t000"]) == (MOST_TAGS, "changed")


async def test_of_several_keys_none_changes_if_one_cannot(domain: Domain) -> None:
    first, doomed = [await domain.create() for _ in range(2)]
    await domain.kms.keys.schedule_deletion(doomed, days=7)
    keys = [first, await domain.find(doomed)]
    with pytest.raises(KeyStateError):
        await domain.kms.tags.add(keys, {"a": "b"})
    assert (await domain.find(first)).tags == {}


async def test_listing_goes_by_pages_and_by_tags(domain: Domain) -> None:
    keys = [await domain.create(tags=numbered(MOST_TAGS)) for _ in range(11)]
    request = ListTagResourcesRequest.model_validate(
        {"RegionId": "r", "ResourceType": "key", "NextToken": str(PAGE_SIZE)}
    )
    tags = domain.kms.tags
    first = await tags.list(domain.scope, keys=(), tags={}, page=slice(0, PAGE_SIZE))
    second = await tags.list(domain.scope, keys=(), tags={}, page=request.page)
    assert (len(first.items), len(second.items), second.total) == (200, 20, 220)
    seen = {(key.id, name) for key, name, _ in (*first.items, *second.items)}
    assert seen == {(key.id, name) for key in keys for name in key.tags}
    everything = slice(0, 999)
    for wanted, count in (({"t001": "v"}, 220), ({"t001": None}, 220), ({"t001": "w"}, 0)):
        found = await tags.list(domain.scope, keys=(), tags=wanted, page=everything)
        assert found.total == count
    assert (await tags.list(domain.scope, keys=keys[:1], tags={}, page=everything)).total == 20


async def test_permissions_see_the_tags_of_a_key(domain: Domain) -> None:
    key = await domain.create(tags={"team": "a"})
    assert key_resource(key).conditions == {"kms:tag/team": "a"}


@pytest.mark.parametrize(
    "tags",
    [
        "",
        "[]",
        "{}",
        "x",
        [{"TagKey": ""}],
        [{"TagValue": "v"}],
        [{"TagKey": "k" * 129}],
        [{"TagKey": "k", "TagValue": "v" * 129}],
        [{"TagKey": "k", "TagValue": 1}],
        [{"TagKey": "k", "Colour": "red"}],
        [{"TagKey": "aliyun-k"}],
        [{"TagKey": "acs:k"}],
        [{"TagKey": "k"}, {"TagKey": "k"}],
        [{"TagKey": str(number)} for number in range(21)],
    ],
)
def test_tags_that_are_none(tags: object) -> None:
    text = tags if isinstance(tags, str) else json.dumps(tags)
    with pytest.raises(ValidationError):
        TagResourceRequest.model_validate({"KeyId": "k", "Tags": text})


@pytest.mark.parametrize("names", ['["a","b"]', '["b", "a"]', "a,b"])
def test_names_to_remove_are_json_or_separated_by_commas(names: str) -> None:
    request = UntagResourceRequest.model_validate({"KeyId": "k", "TagKeys": names})
    assert request.tag_keys == {"a", "b"}


@pytest.mark.parametrize("token", ["-1", "x", "²", "1" * 10])
def test_a_token_is_a_number(token: str) -> None:
    call = {"RegionId": "r", "ResourceType": "key", "NextToken": token}
    with pytest.raises(ValidationError):
        ListTagResourcesRequest.model_validate(call)

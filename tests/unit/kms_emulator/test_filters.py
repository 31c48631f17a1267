"""The grammar of ListKeys' Filters, and numbered parameters."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from alibaba_edge.fields import numbered_list
from kms_emulator.schemas.keys import ListKeysRequest
from kms_emulator.service.filters import FILTER_NAMES, Filters

if TYPE_CHECKING:
    from kms_emulator.keys import Key
    from tests.unit.kms_emulator.conftest import Domain


def parse(filters: Any) -> Filters:
    text = filters if isinstance(filters, str) else json.dumps(filters)
    return ListKeysRequest.model_validate({"Filters": text}).filters


def entry(name: str, *values: str) -> dict[str, Any]:
    return {"Key": name, "Values": list(values)}


def test_entries_of_one_key_add_up() -> None:
    assert parse([entry("KeyState", "Enabled"), entry("KeyState", "Disabled")]) == {
        "KeyState": {"Enabled", "Disabled"}
    }


def test_what_constrains_nothing_is_dropped() -> None:
    assert parse("") == parse("[]") == parse([entry("KeyState")]) == parse('[{"Key":"Creator"}]')
    assert parse([entry("KeySpec", "AES_512")]) == {}
    assert parse([entry("KeySpec", "AES_512", "RSA_2048")]) == {"KeySpec": {"RSA_2048"}}
    assert parse([entry("ProtectionLevel", "HIGH")]) == {}


@pytest.mark.parametrize("name", ["keyId", "KeyId"])
def test_key_ids_go_by_either_spelling(name: str) -> None:
    assert parse([entry(name, "k")]) == {"keyId": {"k"}}


@pytest.mark.parametrize(
    "filters",
    [
        "x",
        "{}",
        "null",
        '"KeyState"',
        [1],
        [entry("keystate", "Enabled")],
        [entry("Colour", "red")],
        [{"Key": "KeyState", "Values": "Enabled"}],
        [{"Key": "KeyState", "Values": [1]}],
        [{"Key": "KeyState", "Values": ["Enabled"], "Op": "!"}],
        [entry("Creator", *map(str, range(11)))],
        [entry("Creator", str(n)) for n in range(11)],
    ],
)
def test_anything_else_is_refused(filters: Any) -> None:
    with pytest.raises(ValidationError):
        parse(filters)


@given(
    st.recursive(
        st.none()
        | st.text(max_size=9)
        | st.integers()
        | st.sampled_from(["Key", "Values", *FILTER_NAMES]),
        lambda c: (
            st.lists(c, max_size=4)
            | st.dictionaries(st.sampled_from(["Key", "Values", "x"]), c, max_size=3)
        ),
        max_leaves=9,
    )
)
def test_any_json_parses_or_is_refused(filters: Any) -> None:
    try:
        parsed = parse(filters)
    except ValidationError:
        return
    assert parsed.keys() <= FILTER_NAMES
    assert all(parsed.values())


async def ids(domain: Domain, *filters: dict[str, Any]) -> list[str]:
    page = await domain.kms.keys.list(domain.scope, filters=parse(list(filters)), page=1, size=99)
    assert page.total == len(page.items)
    return [key.id for key in page.items]


async def world_of_keys(domain: Domain) -> tuple[Key, Key, Key]:
    plain = await domain.create(tags={"team": "a"})
    domain.wait(seconds=1)
    signer = await domain.create(spec="EC_P256", tags={"team": "b", "a": "x"})
    domain.wait(seconds=1)
    hard = await domain.create(instance_id="kst-acksim-hardware")
    await domain.kms.keys.disable(hard)
    await domain.kms.aliases.create(plain, "alias/plain")
    return plain, signer, hard


async def test_what_each_name_lets_through(domain: Domain) -> None:
    plain, signer, hard = await world_of_keys(domain)
    for filters, expected in (
        ([], [plain, signer, hard]),
        ([entry("KeyState", "Disabled")], [hard]),
        ([entry("KeyState", "Disabled", "Enabled")], [plain, signer, hard]),
        ([entry("KeyState", "PendingImport")], []),
        ([entry("KeySpec", "EC_P256")], [signer]),
        ([entry("KeyUsage", "ENCRYPT/DECRYPT")], [plain, hard]),
        ([entry("ProtectionLevel", "HSM")], [hard]),
        ([entry("CreatorType", "User")], [plain, signer, hard]),
        ([entry("CreatorType", "Service")], []),
        ([entry("DKMSInstanceId", "kst-acksim-hardware")], [hard]),
        ([entry("keyId", plain.id, hard.id)], [plain, hard]),
        ([entry("AliasName", "alias/plain")], [plain]),
        ([entry("Creator", "1000000000000001")], [plain, signer, hard]),
        ([entry("TagKey", "team")], [plain, signer]),
        ([entry("TagKey", "team"), entry("TagValue", "b")], [signer]),
        ([entry("KeyState", "Enabled"), entry("KeySpec", "EC_P256")], [signer]),
        ([entry("KeyState", "Disabled"), entry("KeySpec", "EC_P256")], []),
    ):
        assert await ids(domain, *filters) == [key.id for key in expected], filters


async def test_a_filtered_listing_has_pages_too(domain: Domain) -> None:
    made = await world_of_keys(domain)
    filters = parse([entry("CreatorType", "User")])
    for page, key in enumerate(made, start=1):
        found = await domain.kms.keys.list(domain.scope, filters=filters, page=page, size=1)
        assert ([item.id for item in found.items], found.total) == ([key.id], 3)


def test_numbered_parameters_are_lists() -> None:
    parameters = {
        "Tag.2.Key": "b",
        "Tag.1.Value": "x",
        "Tag.1.Key": "a",
        "Tag.10.Key": "c",
        "Tag.x.Key": "no",
        "Tag": "no",
        "Tags.1.Key": "no",
        "ResourceId.1": "k",
    }
    assert numbered_list(parameters, "Tag") == [
        {"Key": "a", "Value": "x"},
        {"Key": "b"},
        {"Key": "c"},
    ]
    assert numbered_list(parameters, "ResourceId") == ["k"]


WORDS = st.sampled_from(["Tag", "T", "1", "22", "²", "", "Key", "9" * 12])


@given(st.dictionaries(st.lists(WORDS, max_size=4).map(".".join), st.text(max_size=3)))
def test_any_numbering_gives_a_list(parameters: dict[str, str]) -> None:
    assert isinstance(numbered_list(parameters, "Tag"), list)

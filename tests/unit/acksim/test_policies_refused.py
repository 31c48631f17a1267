"""Every place where a policy can be set, and every way in which one can be misunderstood."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from acksim.account.ram.operations import OPERATIONS as RAM_OPERATIONS
from acksim.account.sts.product import OPERATIONS as STS_OPERATIONS
from acksim.clients.alibaba import Signer
from alibaba_edge.conditions import OPERATORS
from alibaba_edge.gateway.product import Operation
from kms_emulator.operations import OPERATIONS as KMS_OPERATIONS
from tests.unit.acksim.cloud import Cloud
from tests.unit.acksim.policy_cases import (
    WELL_FORMED,
    document,
    family,
    malformed_conditions,
    of_key,
    permission,
    trust,
    unreadable_conditions,
)

RAM, STS, KMS = "2015-05-01", "2015-04-01", "2016-01-20"
INSTANCE = "kst-acksim-software"
ROLE = "acs:ram::1000000000000001:role/clerk"
TOGETHER = 64

Make = Callable[..., dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Place:
    """An operation that takes a policy, and with what else; `make` is a statement for it."""

    operation: str
    version: str
    parameter: str
    make: Make
    code: str
    others: dict[str, str] = field(default_factory=dict)


MALFORMED = "MalformedPolicyDocument"
PLACES = (
    Place("CreatePolicy", RAM, "PolicyDocument", permission, MALFORMED, {"PolicyName": "new"}),
    Place("CreatePolicyVersion", RAM, "PolicyDocument", permission, MALFORMED, {"PolicyName": "p"}),
    Place("CreateRole", RAM, "AssumeRolePolicyDocument", trust, MALFORMED, {"RoleName": "new"}),
    Place(
        "UpdateRole", RAM, "NewAssumeRolePolicyDocument", trust, MALFORMED, {"RoleName": "clerk"}
    ),
    Place(
        "AssumeRole", STS, "Policy", permission, "InvalidParameter.PolicyGrammar",
        {"RoleArn": ROLE, "RoleSessionName": "desk"},
    ),
    Place("CreateKey", KMS, "Policy", of_key, "InvalidParameter", {"DKMSInstanceId": INSTANCE}),
    Place("SetKeyPolicy", KMS, "Policy", of_key, "InvalidParameter"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Doors:
    """A cloud with somebody who may set policies everywhere, and a key to set one on."""

    cloud: Cloud
    signer: Signer
    key_id: str

    async def set(self, place: Place, text: str) -> tuple[int, str, str]:
        """Status, Code and Message."""
        given = {**place.others, place.parameter: text}
        if place.operation == "SetKeyPolicy":
            given["KeyId"] = self.key_id
        answer = await self.cloud.call(
            place.operation, given, version=place.version, signer=self.signer
        )
        body = answer.json()
        return answer.status_code, body.get("Code", ""), body.get("Message", "")

    async def assert_refused(self, place: Place, texts: list[str]) -> None:
        for start in range(0, len(texts), TOGETHER):
            part = texts[start : start + TOGETHER]
            answers = await asyncio.gather(*(self.set(place, text) for text in part))
            for text, (status, code, message) in zip(part, answers, strict=True):
                assert (status, code) == (400, place.code), (place.operation, text, message)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One for the module: opening a cloud takes half a second."""
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.fixture(scope="module")
def doors(
    loop: asyncio.AbstractEventLoop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Doors]:
    opened = _open(tmp_path_factory.mktemp("cloud"))
    yield loop.run_until_complete(anext(opened))
    loop.run_until_complete(anext(opened, None))


async def _open(directory: Path) -> AsyncIterator[Doors]:
    async with await Cloud.open(directory) as cloud:

        async def ram(action: str, **parameters: str) -> dict[str, Any]:
            return await cloud.ok(action, parameters, version=RAM)

        await ram("CreateUser", UserName="alice")
        key = (await ram("CreateAccessKey", UserName="alice"))["AccessKey"]
        await ram("CreatePolicy", PolicyName="p", PolicyDocument=document(permission("Allow")))
        role = document(trust("Allow"))
        await ram("CreateRole", RoleName="clerk", AssumeRolePolicyDocument=role)
        admin = {"PolicyType": "System", "PolicyName": "AdministratorAccess"}
        await ram("AttachPolicyToUser", UserName="alice", **admin)
        made = await cloud.ok("CreateKey", {"DKMSInstanceId": INSTANCE})
        signer = Signer(key["AccessKeyId"], key["AccessKeySecret"])
        yield Doors(cloud, signer, made["KeyMetadata"]["KeyId"])


def test_no_place_is_forgotten() -> None:
    """A parameter is a policy by its name."""
    rows: tuple[Operation[Any, Any, Any], ...]
    rows = (*KMS_OPERATIONS, *RAM_OPERATIONS, *STS_OPERATIONS)
    found = {
        (row.name, alias)
        for row in rows
        for alias in row.recordable()
        if alias == "Policy" or alias.endswith("PolicyDocument")
    }
    assert found == {(place.operation, place.parameter) for place in PLACES}


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.operation)
def test_malformed_condition_values(
    loop: asyncio.AbstractEventLoop, doors: Doors, place: Place
) -> None:
    """Of every operator, alone and beside a good value in both orders, in either effect."""
    texts = [
        document(place.make(effect, Condition=condition))
        for operator in OPERATORS
        for condition in malformed_conditions(operator)
        for effect in ("Deny", "Allow")
    ]
    assert len(texts) > 2000
    loop.run_until_complete(doors.assert_refused(place, texts))


def wrong_statements(make: Make) -> Iterator[Any]:
    """Elements that are unknown, missing, of a wrong type, or in words of another grammar."""
    value: Any
    yield from (None, 5, "", [], {}, [make("Allow")])
    for name in make("Allow"):
        yield {key: value for key, value in make("Allow").items() if key != name}
        for value in (None, [], {}, 5, True, "", [""], [None], [5], ["*", 5], [["*"]], "${x}"):
            yield make("Allow", **{name: value})
    for effect in ("allow", "DENY", "Deny ", ["Deny"]):
        yield make("Allow", Effect=effect)
    for action in (
        "Encrypt",
        "kms",
        "kms:",
        ":Encrypt",
        "kms Encrypt",
        "kms:a b",
        "kms*",
        "kms:*\n",
    ):
        yield make("Allow", Action=action)
        yield make("Allow", Action=[make("Allow")["Action"], action])
    for name in ("NotPrincipal", "Id", "sid", "effect", "Actions", "Conditions", "x", ""):
        yield make("Allow", **{name: "*"})
    for condition in unreadable_conditions():
        yield make("Deny", Condition=condition)


def wrong_resources() -> Iterator[str]:
    yield from ("key/k", "acs:kms", "acs:kms:key", "arn:aws:kms:::k", "acs:kms:*:*:", "acs::*:*:*")
    yield from ("acs:kms:*:*:key/${acs:x}", " *", "*\n")


def wrong_principals() -> Iterator[Any]:
    account = "acs:ram::1000000000000001"
    yield from ("*", ["*"], {"RAM": "*"}, {"AWS": "*"}, {"RAM": {}}, {"ram": f"{account}:root"})
    for name in ("user/*", "user/a?", "role/*", "user/", "group/g", "", "assumed-role/r/s", "rot"):
        yield {"RAM": f"{account}:{name}"}
        yield {"RAM": [f"{account}:root", f"{account}:{name}"]}
    for account_id in ("1", "*", "", "100000000000000x", "10000000000000011", "\u0661" * 16):
        yield {"RAM": f"acs:ram::{account_id}:root"}
    yield {"RAM": f"{account}:root", "Unknown": "*"}


def wrong_documents(make: Make) -> Iterator[str]:
    """Around the statements, and instead of JSON."""
    good = json.dumps(make("Deny"))
    whole = f'{{"Version":"1","Statement":[{good}]}}'
    yield from ("{", "[]", "null", "5", '"x"', "true", "[" * 1000, "{}", good, "\ufeff{}")
    for version in ("2", "", 1, None, ["1"], "2012-10-17"):
        yield json.dumps({"Version": version, "Statement": [make("Allow")]})
    statements: Any
    for statements in ([], {}, None, "", make("Allow")):
        yield json.dumps({"Version": "1", "Statement": statements})
    yield f'{{"Statement":[{good}]}}'
    yield f'{{"Version":"1","Id":"x","Statement":[{good}]}}'
    yield from (f"\ufeff{whole}", f"{whole}x", f"{whole}{whole}", f"{whole},", f"//\n{whole}")
    yield whole.replace('"', "'")
    numbers = ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "01", "1" * 5000, "\uff11")
    for number in numbers:
        yield with_condition(make, f'{{"NumericEquals":{{"a":{number}}}}}')
    for text in ('"\\ud800"', '"\\udfff"', '"\\x41"', '"\x01"'):
        yield with_condition(make, f'{{"StringEquals":{{"a":{text}}}}}')


def repeated_members(make: Make) -> Iterator[str]:
    """The same name twice in one object, at every level."""
    good = json.dumps(make("Deny"))
    yield f'{{"Version":"1","Version":"1","Statement":[{good}]}}'
    yield f'{{"Version":"1","Statement":[{good}],"Statement":[{good}]}}'
    for name, value in make("Allow").items():
        twice = f'"{name}":{json.dumps(make("Deny")[name])},"{name}":{json.dumps(value)}'
        rest = json.dumps({key: one for key, one in make("Allow").items() if key != name})
        yield f'{{"Version":"1","Statement":[{{{twice},{rest[1:]}]}}'
    for block in (
        '{"Bool":{"a":"true"},"Bool":{"a":"false"}}',
        '{"Bool":{"a":"true","a":"false"}}',
        '{"Bool":{"a":"true"}},"Condition":{}',
    ):
        yield with_condition(make, block)


def with_condition(make: Make, block: str) -> str:
    return f'{{"Version":"1","Statement":[{json.dumps(make("Deny"))[:-1]},"Condition":{block}}}]}}'


def texts_of(place: Place) -> Iterator[str]:
    """All of the above, as far as this place has the element."""
    make = place.make
    for statement in wrong_statements(make):
        yield document(statement)
        yield document(make("Allow"), statement)
    if "Resource" in make("Allow"):
        for resource in wrong_resources():
            yield document(make("Allow", Resource=resource))
    if "Principal" in make("Allow"):
        for principal in wrong_principals():
            yield document(make("Deny", Principal=principal))
    yield from wrong_documents(make)
    yield from repeated_members(make)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.operation)
def test_documents_that_are_not_understood(
    loop: asyncio.AbstractEventLoop, doors: Doors, place: Place
) -> None:
    longest = 2048 if place.make is trust or place.version == STS else 6144
    texts = [text for text in texts_of(place) if len(text) <= longest]
    assert len(texts) > 300
    loop.run_until_complete(doors.assert_refused(place, texts))


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.operation)
def test_good_conditions_are_taken(
    loop: asyncio.AbstractEventLoop, doors: Doors, place: Place
) -> None:
    """So that nothing above is refused for another reason."""
    block = {name: {"acs:x": [WELL_FORMED[family(name)]] * 2} for name in OPERATORS}
    text = document(place.make("Allow"), place.make("Allow", Condition=block))
    status, _, message = loop.run_until_complete(doors.set(place, text))
    assert status == 200, message

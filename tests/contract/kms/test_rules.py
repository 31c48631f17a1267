"""What the documentation says about names, contexts, limits, regions and accounts."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alibaba_edge.ports import ROOT_ACCESS_KEY, ROOT_ACCOUNT_ID

if TYPE_CHECKING:
    from tests.contract.kms.conftest import World

HELLO = b64encode(b"hello").decode()
ANY_WORLD = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_a_key_answers_to_its_id_its_arn_and_its_alias(world: World) -> None:
    key_id = world.create_key()
    world.call("CreateAlias", KeyId=key_id, AliasName="alias/names")
    arn = f"acs:kms:cn-hangzhou:{ROOT_ACCOUNT_ID}:key/{key_id}"
    for name in (key_id, arn, "alias/names"):
        reply = world.call("Encrypt", KeyId=name, Plaintext=HELLO)
        assert reply.body["KeyId"] == key_id
        assert world.records[-1].resource_name == key_id
    for foreign in (arn.replace(ROOT_ACCOUNT_ID, "1000000000000002"), arn.replace("hang", "xx")):
        reply = world.call("Encrypt", KeyId=foreign, Plaintext=HELLO)
        assert reply.code == "Forbidden.KeyNotFound"
    world.call("DeleteAlias", AliasName="alias/names")


@pytest.mark.parametrize(
    "operation",
    ["EnableKey", "DisableKey", "CancelKeyDeletion", "ScheduleKeyDeletion", "ListAliasesByKeyId"],
)
def test_some_operations_take_no_alias(world: World, operation: str) -> None:
    reply = world.call(operation, KeyId="alias/any", PendingWindowInDays="7")
    assert (reply.status, reply.code) == (400, "Unsupported.Alias")


@pytest.mark.parametrize(
    "name",
    ["nothing", "alias/", "alias/acs/ecs", "alias/acsx", "alias/a b", "alias/a\n", "alias/é",
     f"alias/{'x' * 250}"],
)  # fmt: skip
def test_alias_names_have_rules(world: World, name: str) -> None:
    reply = world.call("CreateAlias", KeyId=world.create_key(), AliasName=name)
    assert reply.code == "InvalidParameter"
    assert "AliasName" in reply.body["Message"]


def test_plaintext_may_have_6144_bytes_and_no_more(world: World) -> None:
    key_id = world.create_key()
    largest = b64encode(b"x" * 6144).decode()
    sealed = world.call("Encrypt", KeyId=key_id, Plaintext=largest)
    opened = world.call("Decrypt", CiphertextBlob=sealed.body["CiphertextBlob"])
    assert opened.body["Plaintext"] == largest
    reply = world.call("Encrypt", KeyId=key_id, Plaintext=b64encode(b"x" * 6145).decode())
    assert reply.code == "InvalidParameter"


@pytest.mark.parametrize("context", ["[]", '"a"', "1", '{"a":1}', '{"a":{}}', '{"a":null}', "{",
                                     '{"a":"' + "x" * 8192 + '"}'])  # fmt: skip
def test_a_context_is_a_short_object_of_strings(world: World, context: str) -> None:
    parameters = {"Plaintext": HELLO, "EncryptionContext": context}
    reply = world.call("Encrypt", KeyId=world.create_key(), **parameters)
    assert reply.code == "InvalidParameter"
    assert "EncryptionContext" in reply.body["Message"]


@ANY_WORLD
@given(
    used=st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2),
    claimed=st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2),
    bit=st.integers(0, 96 * 8 - 1),
)
def test_a_changed_blob_or_context_is_refused(
    world: World, used: dict[str, str], claimed: dict[str, str], bit: int
) -> None:
    def text(context: dict[str, str]) -> str:
        return httpx.Request("POST", "http://x", json=context).content.decode()

    key_id = world.create_key()
    sealed = world.call("Encrypt", KeyId=key_id, Plaintext=HELLO, EncryptionContext=text(used))
    blob = sealed.body["CiphertextBlob"]
    reply = world.call("Decrypt", CiphertextBlob=blob, EncryptionContext=text(claimed))
    if used == claimed:
        assert reply.body["Plaintext"] == HELLO
    else:
        assert (reply.status, reply.code) == (400, "InvalidParameter")
        assert "CiphertextBlob" in reply.body["Message"]
    changed = bytearray(b64decode(blob))
    changed[bit // 8 % len(changed)] ^= 1 << bit % 8
    flipped = b64encode(changed).decode()
    reply = world.call("Decrypt", CiphertextBlob=flipped, EncryptionContext=text(used))
    assert reply.code in {"InvalidParameter", "Forbidden.KeyNotFound"}


def test_absent_null_and_empty_contexts_are_one(world: World) -> None:
    key_id = world.create_key()
    contexts: tuple[dict[str, str], ...] = (
        {},
        {"EncryptionContext": "{}"},
        {"EncryptionContext": "null"},
    )
    for used in contexts:
        blob = world.call("Encrypt", KeyId=key_id, Plaintext=HELLO, **used).body["CiphertextBlob"]
        for claimed in contexts:
            reply = world.call("Decrypt", CiphertextBlob=blob, **claimed)
            assert reply.body["Plaintext"] == HELLO


def test_a_context_may_be_spread_over_parameters(world: World) -> None:
    """As the npm package sends it; to ignore it would be to open what must stay shut."""
    key_id = world.create_key()
    spread = {"EncryptionContext.a": "b c", "EncryptionContext.d.e": "f"}
    whole = {"EncryptionContext": '{"a":"b c","d.e":"f"}'}
    for used in (spread, whole):
        sealed = world.call("Encrypt", KeyId=key_id, Plaintext=HELLO, **used)
        blob = sealed.body["CiphertextBlob"]
        for claimed in (spread, whole):
            reply = world.call("Decrypt", CiphertextBlob=blob, **claimed)
            assert reply.body["Plaintext"] == HELLO
        for wrong in ({}, {"EncryptionContext.a": "b c"}, spread | whole):
            reply = world.call("Decrypt", CiphertextBlob=blob, **wrong)
            assert reply.code == "InvalidParameter"
    long = {"EncryptionContext.a": "x" * 8192}
    reply = world.call("Encrypt", KeyId=key_id, Plaintext=HELLO, **long)
    assert "EncryptionContext" in reply.body["Message"]


def test_a_dry_run_checks_everything_and_does_nothing(world: World) -> None:
    key_id = world.create_key()
    for operation in ("Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"):
        reply = world.call(operation, KeyId=key_id, Plaintext=HELLO, DryRun="True")
        assert (reply.status, reply.code) == (412, "DryRunOperationError")
        assert world.records[-1].billable is None
    world.call("DisableKey", KeyId=key_id)
    reply = world.call("Encrypt", KeyId=key_id, Plaintext=HELLO, DryRun="true")
    assert reply.code == "Rejected.Disabled"


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"KeySpec": "Aliyun_AES_256", "KeyUsage": "ENCRYPT/DECRYPT"}, None),
        ({"Origin": "Aliyun_KMS", "EnableAutomaticRotation": "False"}, None),
        ({"KeySpec": "EC_SM2"}, "UnsupportedOperation.NotBuilt"),
        ({"KeySpec": "Aliyun_SM4"}, "InvalidParameter"),  # wants hardware
        ({"KeySpec": "HMAC_SHA_256"}, "InvalidParameter"),  # wants an instance
        ({"KeySpec": "EC_P256", "KeyUsage": "ENCRYPT/DECRYPT"}, "InvalidParameter"),
        ({"KeySpec": "EC_P256", "Origin": "EXTERNAL"}, "InvalidParameter"),
        ({"EnableAutomaticRotation": "True"}, "MissingParameter"),
        ({"EnableAutomaticRotation": "True", "RotationInterval": "1w"}, "InvalidParameter"),
        ({"EnableAutomaticRotation": "True", "RotationInterval": "6d"}, "InvalidParameter"),
        ({"EnableAutomaticRotation": "True", "RotationInterval": "731d"}, "InvalidParameter"),
        ({"EnableAutomaticRotation": "True", "RotationInterval": "604800s"}, None),
        ({"DKMSInstanceId": "kst-1"}, "Forbidden.DKMSInstanceNotFound"),
        ({"Policy": "{"}, "InvalidParameter"),
        ({"Tags": "[]x"}, "InvalidParameter"),
        ({"Tags": '[{"TagKey":"acs:a","TagValue":"b"}]'}, "InvalidParameter"),
        ({"KeyStorageMechanism": "HsmEncryptedDatabase"}, "UnsupportedOperation.NotBuilt"),
        ({"Origin": "external"}, "InvalidParameter"),
        ({"KeySpec": "AES"}, "InvalidParameter"),
        ({"ProtectionLevel": "software"}, "InvalidParameter"),
        ({"Description": "x" * 8193}, "InvalidParameter"),
    ],
)
def test_create_key_says_what_it_cannot_do(
    world: World, parameters: dict[str, str], code: str | None
) -> None:
    assert world.call("CreateKey", **parameters).code == code


@pytest.mark.parametrize("days", ["6", "367", "x", ""])
def test_the_deletion_window_is_7_to_366_days(world: World, days: str) -> None:
    key_id = world.create_key()
    reply = world.call("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=days)
    assert reply.code in {"InvalidParameter", "MissingParameter"}
    assert "PendingWindowInDays" in reply.body["Message"]


def test_pages(world: World) -> None:
    for _ in range(3):
        world.create_key()
    everything = world.call("ListKeys", PageSize="100").body
    total = everything["TotalCount"]
    assert (everything["PageNumber"], everything["PageSize"]) == (1, 100)
    second = world.call("ListKeys", PageNumber="2", PageSize="1").body
    assert second["Keys"]["Key"] == everything["Keys"]["Key"][1:2]
    beyond = world.call("ListKeys", PageNumber=str(2**31 - 1), PageSize="100").body
    assert (beyond["Keys"]["Key"], beyond["TotalCount"]) == ([], total)
    assert world.call("ListKeys", Filters="[]").status == 200


def test_regions_and_accounts_share_nothing(world: World) -> None:
    key_id = world.create_key()
    blob = world.call("Encrypt", KeyId=key_id, Plaintext=HELLO).body["CiphertextBlob"]
    for key, region in ((ROOT_ACCESS_KEY, "cn-beijing"), (world.stranger, "cn-hangzhou")):
        for operation, parameters in (
            ("DescribeKey", {"KeyId": key_id}),
            ("Encrypt", {"KeyId": key_id, "Plaintext": HELLO}),
            ("Decrypt", {"CiphertextBlob": blob}),
            ("ScheduleKeyDeletion", {"KeyId": key_id, "PendingWindowInDays": "7"}),
        ):
            reply = world.call(operation, key, RegionId=region, **parameters)
            assert reply.code == "Forbidden.KeyNotFound"
            assert world.records[-1].region == region
            assert world.records[-1].caller.account_id == key.caller.account_id
    elsewhere = world.create_key(RegionId="cn-beijing")
    assert world.call("DescribeKey", KeyId=elsewhere).code == "Forbidden.KeyNotFound"
    assert world.call("DescribeKey", KeyId=elsewhere, RegionId="cn-beijing").status == 200


def test_health_needs_no_signature(world: World) -> None:
    answer = world.client.get(f"{world.url}/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})

"""The table of operations as data."""

from __future__ import annotations

import inspect

from alibabacloud_kms20160120.client import Client

from kms_emulator.operations import OPERATIONS
from kms_emulator.states import STATE_TABLE

ROWS = {row.name: row for row in OPERATIONS}
SECRETS = {
    "CiphertextBlob",
    "EncryptedKeyMaterial",
    "ImportToken",
    "Mac",
    "Message",
    "Plaintext",
    "Recipient",
}
KEYLESS = {
    "CreateKey",
    "DescribeAccountKmsStatus",
    "DescribeRegions",
    "ListAliases",
    "ListKeys",
    "ListPolicies",
    "OpenKmsService",
}
OUTSIDE = [
    "AccessPoint",
    "Challenge",
    "ClientKey",
    "CreatePolicy",
    "DeletePolicy",
    "DescribePolicy",
    "Instance",
    "ManagedDataKey",
    "NetworkRule",
    "RandomPassword",
    "Secret",
    "UpdatePolicy",
]


def test_every_action_of_the_official_client_is_a_row() -> None:
    methods = {
        name.removesuffix("_with_options").replace("_", "")
        for name, _ in inspect.getmembers(Client, inspect.isfunction)
        if name.endswith("_with_options")
    }
    assert methods
    assert methods == {name.lower() for name in ROWS}


def test_a_name_stands_in_the_table_once() -> None:
    assert len(ROWS) == len(OPERATIONS)


def test_every_built_operation_on_a_key_has_its_row_of_states() -> None:
    built = {row.name for row in OPERATIONS if row.built}
    assert built - KEYLESS == set(STATE_TABLE)


def test_no_row_would_record_a_secret() -> None:
    for row in OPERATIONS:
        assert SECRETS.isdisjoint(row.recordable()), row.name
    assert "KeyId" in ROWS["Encrypt"].recordable()


def test_exactly_the_cryptographic_operations_are_billed() -> None:
    assert {row.name for row in OPERATIONS if row.billable} == {
        "AsymmetricDecrypt",
        "AsymmetricEncrypt",
        "AsymmetricSign",
        "AsymmetricVerify",
        "Decrypt",
        "Encrypt",
        "ExportDataKey",
        "GenerateAndExportDataKey",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateMac",
        "ReEncrypt",
        "VerifyMac",
    }


def test_a_built_operation_needs_the_permission_of_its_name() -> None:
    for row in OPERATIONS:
        expected = f"kms:{row.name}" if row.built and row.name != "DescribeRegions" else None
        assert row.ram_action == expected


def test_only_secrets_instances_and_access_points_are_not_built() -> None:
    for row in OPERATIONS:
        assert row.built != any(word in row.name for word in OUTSIDE), row.name

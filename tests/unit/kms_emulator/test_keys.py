"""The state table, cell by cell, against the public matrix written out once more."""

from __future__ import annotations

import pytest

from kms_emulator.errors import KeyStateError
from kms_emulator.keys import KeyState
from kms_emulator.states import STATE_TABLE, advance

E, D, P, I = KeyState  # noqa: E741 - the columns of the public table
DISABLED, DELETION = "Rejected.Disabled", "Rejected.PendingDeletion"
IMPORT, MODIFIED = "Rejected.PendingImport", "Rejected.StateModifiedFailed"

USES = (E, DISABLED, DELETION, IMPORT)
READS = (E, D, P, I)
WRITES = (E, D, DELETION, I)

MATRIX: dict[str, tuple[KeyState | str, ...]] = {
    **dict.fromkeys(
        [
            "Encrypt",
            "Decrypt",
            "ReEncrypt",
            "GenerateDataKey",
            "GenerateDataKeyWithoutPlaintext",
            "GenerateAndExportDataKey",
            "ExportDataKey",
            "AsymmetricEncrypt",
            "AsymmetricDecrypt",
            "AsymmetricSign",
            "AsymmetricVerify",
            "GetPublicKey",
            "GenerateMac",
            "VerifyMac",
            "CreateKeyVersion",
            "UpdateRotationPolicy",
        ],
        USES,
    ),
    **dict.fromkeys(
        [
            "DeleteAlias",
            "ListAliasesByKeyId",
            "DescribeKey",
            "ListKeyVersions",
            "DescribeKeyVersion",
            "ListResourceTags",
            "ListTagResources",
            "GetParametersForImport",
            "GetKeyPolicy",
            "SetKeyPolicy",
        ],
        READS,
    ),
    **dict.fromkeys(
        [
            "UpdateAlias",
            "UpdateKeyDescription",
            "SetDeletionProtection",
            "TagResource",
            "UntagResource",
            "TagResources",
            "UntagResources",
        ],
        WRITES,
    ),
    "EnableKey": (E, E, MODIFIED, MODIFIED),
    "DisableKey": (D, D, MODIFIED, MODIFIED),
    "ScheduleKeyDeletion": (P, P, MODIFIED, P),
    "CancelKeyDeletion": (MODIFIED, MODIFIED, E, MODIFIED),
    "CreateAlias": (E, D, MODIFIED, I),
    "ImportKeyMaterial": (E, D, MODIFIED, E),
    "DeleteKeyMaterial": (I, I, P, I),
}


def test_the_table_has_exactly_these_rows() -> None:
    assert set(STATE_TABLE) == set(MATRIX)


@pytest.mark.parametrize("operation", MATRIX)
def test_each_cell(operation: str) -> None:
    for state, expected in zip(KeyState, MATRIX[operation], strict=True):
        if isinstance(expected, KeyState):
            assert advance(operation, state) is expected
        else:
            with pytest.raises(KeyStateError) as raised:
                advance(operation, state)
            assert raised.value.code == expected

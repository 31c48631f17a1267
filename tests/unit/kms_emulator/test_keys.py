"""The state table, cell by cell, against the public matrix written out once more."""

from __future__ import annotations

import pytest

from kms_emulator.errors import KeyStateError
from kms_emulator.keys import STATE_TABLE, KeyState, advance

E, D, P, I = KeyState  # noqa: E741 - the columns of the public table
DISABLED, DELETION = "Rejected.Disabled", "Rejected.PendingDeletion"
IMPORT, MODIFIED = "Rejected.PendingImport", "Rejected.StateModifiedFailed"

MATRIX: dict[str, tuple[KeyState | str, ...]] = {
    "Encrypt": (E, DISABLED, DELETION, IMPORT),
    "Decrypt": (E, DISABLED, DELETION, IMPORT),
    "GenerateDataKey": (E, DISABLED, DELETION, IMPORT),
    "GenerateDataKeyWithoutPlaintext": (E, DISABLED, DELETION, IMPORT),
    "EnableKey": (E, E, MODIFIED, MODIFIED),
    "DisableKey": (D, D, MODIFIED, MODIFIED),
    "ScheduleKeyDeletion": (P, P, MODIFIED, P),
    "CancelKeyDeletion": (MODIFIED, MODIFIED, E, MODIFIED),
    "CreateAlias": (E, D, MODIFIED, I),
    "UpdateAlias": (E, D, DELETION, I),
    "DeleteAlias": (E, D, P, I),
    "ListAliasesByKeyId": (E, D, P, I),
    "DescribeKey": (E, D, P, I),
    "UpdateKeyDescription": (E, D, DELETION, I),
    "ListKeyVersions": (E, D, P, I),
    "DescribeKeyVersion": (E, D, P, I),
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

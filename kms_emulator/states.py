"""The one table of what each key state permits.

From the public page "Impact of CMK status on API operations" of KMS 2016-01-20, which is older than
some operations: those stand beside the ones they resemble (docs/fidelity.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from kms_emulator.errors import KeyStateError
from kms_emulator.keys import KeyState


class Rejection(StrEnum):
    """The codes a state can answer with."""

    DISABLED = "Rejected.Disabled"
    PENDING_DELETION = "Rejected.PendingDeletion"
    PENDING_IMPORT = "Rejected.PendingImport"
    STATE_MODIFIED_FAILED = "Rejected.StateModifiedFailed"


Row = Mapping[KeyState, KeyState | Rejection]


def _row(
    enabled: KeyState | Rejection,
    disabled: KeyState | Rejection,
    pending_deletion: KeyState | Rejection,
    pending_import: KeyState | Rejection,
) -> Row:
    return dict(
        zip(KeyState, (enabled, disabled, pending_deletion, pending_import), strict=True),
    )


_E, _D, _P, _I = KeyState
_FAILED = Rejection.STATE_MODIFIED_FAILED
_DELETION = Rejection.PENDING_DELETION
_USES_MATERIAL = _row(_E, Rejection.DISABLED, _DELETION, Rejection.PENDING_IMPORT)
_READS = _row(_E, _D, _P, _I)
_WRITES = _row(_E, _D, _DELETION, _I)

STATE_TABLE: Mapping[str, Row] = {
    # A cell is the state the key ends in, or the code that refuses the operation.
    #                                       Enabled  Disabled  PendingDeletion  PendingImport
    "Encrypt": _USES_MATERIAL,
    "Decrypt": _USES_MATERIAL,
    "ReEncrypt": _USES_MATERIAL,  # for both keys
    "GenerateDataKey": _USES_MATERIAL,
    "GenerateDataKeyWithoutPlaintext": _USES_MATERIAL,
    "GenerateAndExportDataKey": _USES_MATERIAL,
    "ExportDataKey": _USES_MATERIAL,
    "AsymmetricEncrypt": _USES_MATERIAL,
    "AsymmetricDecrypt": _USES_MATERIAL,
    "AsymmetricSign": _USES_MATERIAL,
    "AsymmetricVerify": _USES_MATERIAL,
    "GetPublicKey": _USES_MATERIAL,
    "GenerateMac": _USES_MATERIAL,
    "VerifyMac": _USES_MATERIAL,
    "CreateKeyVersion": _USES_MATERIAL,
    "UpdateRotationPolicy": _USES_MATERIAL,
    "EnableKey": _row(_E, _E, _FAILED, _FAILED),
    "DisableKey": _row(_D, _D, _FAILED, _FAILED),
    "ScheduleKeyDeletion": _row(_P, _P, _FAILED, _P),
    # A key whose imported material is away goes to PendingImport instead: it has nothing to use.
    "CancelKeyDeletion": _row(_FAILED, _FAILED, _E, _FAILED),
    "SetDeletionProtection": _WRITES,
    "GetParametersForImport": _READS,
    "ImportKeyMaterial": _row(_E, _D, _FAILED, _E),
    "DeleteKeyMaterial": _row(_I, _I, _P, _I),
    "CreateAlias": _row(_E, _D, _FAILED, _I),
    "UpdateAlias": _WRITES,  # of the new target
    "DeleteAlias": _READS,
    "ListAliasesByKeyId": _READS,
    "DescribeKey": _READS,
    "UpdateKeyDescription": _WRITES,
    "ListKeyVersions": _READS,
    "DescribeKeyVersion": _READS,
    "TagResource": _WRITES,
    "UntagResource": _WRITES,
    "TagResources": _WRITES,
    "UntagResources": _WRITES,
    "ListResourceTags": _READS,
    "ListTagResources": _READS,
    "GetKeyPolicy": _READS,
    "SetKeyPolicy": _READS,
}


def advance(operation: str, state: KeyState) -> KeyState:
    """The state a key is in after the operation. Raises KeyStateError where the table refuses."""
    cell = STATE_TABLE[operation][state]
    if isinstance(cell, Rejection):
        raise KeyStateError(cell)
    return cell

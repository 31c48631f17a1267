"""The errors of KMS alone: provider codes, no HTTP.

    ApiError (of the edge)
     +- the key                     not found, wrong state, not for this operation
    StoreError                      outcomes of a conditional write, never shown to a client
     +- StaleWriteError
     +- KeyExistsError
     +- AliasExistsError
    SeedError                       a seed file with a mistake
    UnreadableBlobError             what the blob parser says of bytes that are no ciphertext

Codes and texts follow the public KMS 2016-01-20 "Common error codes" page.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from alibaba_edge.errors import ApiError


class DryRunError(ApiError):
    code = "DryRunOperationError"
    message = "The request would have succeeded, but the DryRun parameter is set."


# The key


class KeyNotFoundError(ApiError):
    code = "Forbidden.KeyNotFound"
    message = "The specified Key is not found."


class KeyVersionNotFoundError(ApiError):
    code = "Forbidden.KeyVersionNotFound"
    message = "The specified Key version is not found."


class AliasNotFoundError(ApiError):
    code = "Forbidden.AliasNotFound"
    message = "The specified Alias is not found."


class AliasAlreadyExistsError(ApiError):
    code = "AliasAlreadyExists"
    message = "AliasName Already Exists."


class AliasUnsupportedError(ApiError):
    code = "Unsupported.Alias"
    message = "Alias is not valid for this api."


class LimitExceededError(ApiError):
    code = "Rejected.LimitExceeded"
    message = "The request was rejected because user create resource limit was exceeded."


class OriginUnsupportedError(ApiError):
    code = "Unsupported.Origin"
    message = "This key origin is not valid for this api."


class OperationUnsupportedError(ApiError):
    """Not for a key of this kind, or not yet."""

    code = "Rejected.UnsupportedOperation"
    message = "Unsupported operation."


class DeletionProtectedError(ApiError):
    code = "Rejected.DeletionProtection"
    message = "The request was rejected because deletion protection of the key is enabled."


class InstanceNotFoundError(ApiError):
    code = "Forbidden.DKMSInstanceNotFound"
    message = "The specified KMS instance is not found."


class KeyMaterialInvalidError(ApiError):
    code = "InvalidKeyMaterial"
    message = "key material is invalid."


class ImportTokenInvalidError(ApiError):
    code = "InvalidImportToken"
    message = "import token is invalid."


class ImportTokenExpiredError(ApiError):
    code = "ExpiredImportToken"
    message = "import token is expired."


class ServiceOpenError(ApiError):
    code = "Forbidden.Opened"
    message = "Your kms service has been opened."


class KeyStateError(ApiError):
    """The state table (`states.STATE_TABLE`) says no to this operation in this state."""

    _TEXTS: ClassVar[dict[str, str]] = {
        "Rejected.StateModifiedFailed": "Keystate modified failed.",
    }

    def __init__(self, code: str) -> None:
        state = code.removeprefix("Rejected.")
        text = f"The request was rejected because the key state is {state}."
        super().__init__(code, self._TEXTS.get(code, text))


# The store


class StoreError(Exception):
    """A conditional write did not happen; the service decides what that means."""


class StaleWriteError(StoreError):
    """The stored value is no longer the one this write was computed from."""


class KeyExistsError(StoreError):
    """The key id is taken in this account and region."""


class AliasExistsError(StoreError):
    """The alias name is taken in this account and region."""


class SeedError(Exception):
    """A seed file that cannot be used; the text says where and why."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")


class UnreadableBlobError(Exception):
    """The bytes are no CiphertextBlob of ours, or not one for this key and context."""

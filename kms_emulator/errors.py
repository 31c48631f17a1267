"""Every error of this package: provider codes, no HTTP.

    ApiError                        anything a client is told, with Alibaba's Code and Message
     +- the call itself             unsigned, unknown, malformed, not permitted, not built
     +- the key                     not found, wrong state, not for this operation
    StoreError                      outcomes of a conditional write, never shown to a client
     +- StaleWriteError
     +- KeyExistsError
     +- AliasExistsError
    NewerSchemaError                a database from the future
    DatabaseBusyError               a database that another program keeps to itself
    SeedError                       a seed file with a mistake
    UnopenableError                 what the cipher says of bytes it did not make
    UnreadableBlobError             what the blob parser says of them
    ClientGoneError                 nobody waits for an answer

Codes and texts follow the public KMS 2016-01-20 "Common error codes" page; HTTP statuses are the
gateway's business (`gateway/rendering.py` and `Product.statuses`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar


class ApiError(Exception):
    """An answer other than success. A subclass fixes `code` and usually `message`."""

    code: str = "InternalFailure"
    message: str = "Internal Failure."

    def __init__(
        self,
        code: str | None = None,
        message: str | None = None,
        *,
        detail: Mapping[str, str] | None = None,
    ) -> None:
        """`detail`: the AccessDeniedDetail of a refused permission, else nothing."""
        self.code = code or self.code
        self.message = message or self.message
        self.detail = detail
        super().__init__(f"{self.code}: {self.message}")


class InternalFailureError(ApiError):
    """Something of ours broke; the log has the story, the client only this."""


# The call itself


class ParametersUnreadableError(ApiError):
    code = "ParseRequestParameterException"

    def __init__(self, reason: str = "Please check your input params.") -> None:
        super().__init__(message=f"Server parse parameters exception. {reason}")


class RequestTooLargeError(ApiError):
    code = "RequestTooLarge"

    def __init__(self, limit: int) -> None:
        super().__init__(message=f"The request is larger than {limit} bytes.")


class MethodUnsupportedError(ApiError):
    code = "UnsupportedHTTPMethod"
    message = "This http method is not supported."


class ActionNotFoundError(ApiError):
    code = "InvalidAction.NotFound"
    message = "Specified api is not found, please check your url and method."


class VersionUnknownError(ApiError):
    code = "InvalidVersion"
    message = "Specified parameter Version is not valid."


class RegionUnknownError(ApiError):
    code = "InvalidRegionId.NotFound"
    message = "The specified RegionId does not exist."


class MissingParameterError(ApiError):
    code = "MissingParameter"

    def __init__(self, name: str) -> None:
        super().__init__(message=f'The parameter "{name}" is needed but not provided.')


class InvalidParameterError(ApiError):
    code = "InvalidParameter"

    def __init__(self, name: str) -> None:
        super().__init__(message=f"The specified parameter {name} is not valid.")


class MalformedKeyPolicyError(ApiError):
    """`fault` says where, such as Statement[0].Effect, and why."""

    code = InvalidParameterError.code

    def __init__(self, fault: str) -> None:
        super().__init__(message=f"The specified parameter Policy is not valid: {fault}.")


class NotBuiltError(ApiError):
    """This emulator knows the feature and does not have it; never what the real service says."""

    code = "UnsupportedOperation.NotBuilt"

    def __init__(self, feature: str) -> None:
        super().__init__(message=f"{feature} is not built in this emulator.")


class DryRunError(ApiError):
    code = "DryRunOperationError"
    message = "The request would have succeeded, but the DryRun parameter is set."


# Who is calling


class IncompleteSignatureError(ApiError):
    code = "IncompleteSignature"

    def __init__(self, reason: str) -> None:
        """`reason`: what to sign, or to send, instead."""
        text = "The request signature does not conform to Alibaba Cloud standards."
        super().__init__(message=f"{text} {reason}")


class SignatureMismatchError(ApiError):
    """python-core splits this at its colon, and compares what follows with its own string."""

    code = "SignatureDoesNotMatch"

    def __init__(self, string_to_sign: str) -> None:
        super().__init__(
            message="Specified signature is not matched with our calculation. "
            f"server string to sign is:{string_to_sign}"
        )


class TimestampMissingError(ApiError):
    code = "IllegalTimestamp"
    message = (
        'The input parameter "Timestamp" that is mandatory for processing this request '
        "is not supplied."
    )


class TimestampExpiredError(ApiError):
    code = "InvalidTimeStamp.Expired"
    message = "Specified time stamp or date value is expired."


class NonceUsedError(ApiError):
    code = "SignatureNonceUsed"
    message = "Specified signature nonce was used already."


class AccessKeyNotFoundError(ApiError):
    code = "InvalidAccessKeyId.NotFound"
    message = "Specified access key is not found."


class AccessKeyInactiveError(ApiError):
    code = "InvalidAccessKeyId.Inactive"
    message = "Specified access key is disabled."


class SecurityTokenMissingError(ApiError):
    code = "MissingSecurityToken"
    message = "SecurityToken is mandatory for this action."


class SecurityTokenMismatchError(ApiError):
    code = "InvalidSecurityToken.MismatchWithAccessKey"
    message = "Specified SecurityToken mismatch with the AccessKey."


class SecurityTokenExpiredError(ApiError):
    code = "InvalidSecurityToken.Expired"
    message = "Specified SecurityToken is expired."


class InDebtOverdueError(ApiError):
    code = "Forbidden.InDebtOverdue"
    message = "Current user is indebted Overdue."


class NoPermissionError(ApiError):
    code = "NoPermission"
    message = "You are not authorized to do this action. You should be authorized by RAM."

    def __init__(self, detail: Mapping[str, str]) -> None:
        super().__init__(detail=detail)


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


class ThrottledError(ApiError):
    code = "Rejected.Throttling"
    message = "QPS Limit Exceeded"


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


class NewerSchemaError(Exception):
    """A later version of the program has used this database; this one would harm it."""

    def __init__(self, found: str, known: str) -> None:
        super().__init__(f"the database has schema {found}, and this program knows {known} at most")


class DatabaseBusyError(Exception):
    """Another program keeps an SQLite file locked; the text says for how long it did."""


# Bytes that are not what they should be, and clients that left


class UnopenableError(Exception):
    """Wrong key, wrong authenticated data or altered ciphertext, alike on purpose."""


class UnreadableBlobError(Exception):
    """The bytes are no CiphertextBlob of ours, or not one for this key and context."""


class ClientGoneError(Exception):
    """The client left before its request was complete."""

"""The errors that every product of the Alibaba edge shares: provider codes, no HTTP.

    ApiError                        anything a client is told, with Alibaba's Code and Message
     +- the call itself             unsigned, unknown, malformed, not built
     +- who is calling              key, signature, token, debts, permission
    NewerSchemaError                a database from the future
    UnopenableError                 what the cipher says of bytes it did not make
    ClientGoneError                 nobody waits for an answer

Codes and texts follow the public "Common error codes" pages; HTTP statuses are the
gateway's business (`gateway/rendering.py` and `Product.statuses`).
"""

from __future__ import annotations

from collections.abc import Mapping


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


class ThrottledError(ApiError):
    code = "Rejected.Throttling"
    message = "QPS Limit Exceeded"


class NewerSchemaError(Exception):
    """A later version of the program has used this database; this one would harm it."""

    def __init__(self, found: str, known: str) -> None:
        super().__init__(f"the database has schema {found}, and this program knows {known} at most")


class DatabaseBusyError(Exception):
    """Another program keeps an SQLite file locked; the text says for how long it did."""


# Bytes that are not what they should be, and clients that left


class UnopenableError(Exception):
    """Wrong key, wrong authenticated data or altered ciphertext, alike on purpose."""


class ClientGoneError(Exception):
    """The client left before its request was complete."""

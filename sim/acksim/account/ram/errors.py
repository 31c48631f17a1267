"""RAM's refusals, with the codes and texts of its "Error messages" page; no HTTP.

ApiError
 +- MalformedPolicyError        says where in the document
 +- InvalidCharsError, TooLongError, IncorrectPolicyTypeError, VersionIdFormatError
 +- EntityNotExistError         EntityNotExist.<what>
 +- EntityAlreadyExistsError    EntityAlreadyExists.<what>
 +- DeleteConflictError         DeleteConflict.<what>
 +- RamLimitError               LimitExceeded.<what>
"""

from alibaba_edge.errors import ApiError


class MalformedPolicyError(ApiError):
    """`place` is a path into the document, such as Statement[0].Effect."""

    code = "MalformedPolicyDocument"

    def __init__(self, place: str, reason: str) -> None:
        where = f"{place}: " if place else ""
        super().__init__(message=f"The policy document is malformed: {where}{reason}.")


class InvalidCharsError(ApiError):
    def __init__(self, parameter: str) -> None:
        super().__init__(
            f"InvalidParameter.{parameter}.InvalidChars",
            f'The parameter - "{parameter}" contains invalid chars.',
        )


class TooLongError(ApiError):
    def __init__(self, parameter: str) -> None:
        super().__init__(
            f"InvalidParameter.{parameter}.Length",
            f'The parameter - "{parameter}" beyond the length limit.',
        )


class IncorrectPolicyTypeError(ApiError):
    code = "InvalidParameter.PolicyType"
    message = 'The parameter - "PolicyType" is incorrect.'


class VersionIdFormatError(ApiError):
    code = "InvalidParameter.VersionId.Format"
    message = 'The format of the parameter - "VersionId" is incorrect.'


class DiagnosticMessageError(ApiError):
    code = "InvalidParameter.EncodedDiagnosticMessage"
    message = 'The parameter - "EncodedDiagnosticMessage" is incorrect.'


class _NamedError(ApiError):
    """One of a family; `what` completes the code and chooses the text."""

    family = ""
    texts: dict[str, str] = {}  # noqa: RUF012 - read only

    def __init__(self, what: str) -> None:
        super().__init__(f"{self.family}.{what}", self.texts[what])

    @classmethod
    def codes(cls) -> list[str]:
        return [f"{cls.family}.{what}" for what in cls.texts]


class EntityNotExistError(_NamedError):
    family = "EntityNotExist"
    texts = {  # noqa: RUF012
        "User": "The user does not exist.",
        "User.AccessKey": "The user access key does not exist.",
        "User.LoginProfile": "The user login profile does not exist.",
        "User.Policy": "The indicate policy of the user does not exist.",
        "User.Group": "The user is not in the group.",
        "Group": "The group does not exist.",
        "Group.Policy": "The indicate policy attached to the group does not exist.",
        "Role.Policy": "The indicate policy attached to the role does not exist.",
        "Policy": "The policy does not exist.",
        "Policy.Version": "The policy version does not exist.",
    }


class RoleNotExistError(ApiError):
    """As the live services say it, with the ARN."""

    code = "EntityNotExist.Role"

    def __init__(self, arn: str) -> None:
        super().__init__(message=f"The role not exists: {arn}")


class RoleNotTrustingError(ApiError):
    """To whom it is told may know the role exists, and no more."""

    code = "NoPermission"

    def __init__(self, arn: str) -> None:
        super().__init__(
            message="You are not authorized to do this action. You should be authorized by RAM. "
            f"The role {arn} does not trust you."
        )


class EntityAlreadyExistsError(_NamedError):
    family = "EntityAlreadyExists"
    texts = {  # noqa: RUF012
        "User": "The user does already EXIST.",
        "User.Policy": "The user has already been attached this policy.",
        "User.Group": "The user has already been in the group.",
        "Group": "The group does already EXIST.",
        "Group.Policy": "The group has already been attached this policy.",
        "Role": "The role does already EXIST.",
        "Role.Policy": "The role has already been attached this policy.",
        "Policy": "The policy does already EXIST.",
    }


class DeleteConflictError(_NamedError):
    family = "DeleteConflict"
    texts = {  # noqa: RUF012
        "User.AccessKey": "The user CAN NOT has any access key while deleting the user.",
        "User.Policy": "The user CAN NOT has any attached policy while deleting the user.",
        "User.Group": "The user CAN NOT be in any group while deleting the user.",
        "Group.User": "The group CAN NOT has any user while deleting the group.",
        "Group.Policy": "The group CAN NOT has any attached policy while deleting the group.",
        "Role.Policy": "The role CAN NOT has any attached policy while deleting the role.",
        "Policy.User": "The policy CAN NOT been attached to any user while deleting the policy.",
        "Policy.Group": "The policy CAN NOT been attached to any group while deleting the policy.",
        "Policy.Role": "The policy CAN NOT been attached to any role while deleting the policy.",
        "Policy.Version": "The policy CAN NOT has any version except the default version.",
        "Policy.Version.Default": "The default policy version CAN NOT been deleted directly.",
    }


class RamLimitError(_NamedError):
    family = "LimitExceeded"
    texts = {  # noqa: RUF012
        "User": "The count of users beyond the current limits.",
        "User.AccessKey": "The count of access keys beyond the current limits.",
        "User.Policy": "The count of policies attached to the user beyond the current limits.",
        "User.Group": "The count of groups of the user beyond the current limits.",
        "Group": "The count of groups beyond the current limits.",
        "Group.Policy": "The count of policies attached to the group beyond the current limits.",
        "Role": "The count of roles beyond the current limits.",
        "Role.Policy": "The count of policies attached to the role beyond the current limits.",
        "Policy": "The count of policies beyond the current limits.",
        "Policy.Version": "The count of policy versions beyond the current limits.",
    }

"""STS's refusals, with the codes and texts of its error pages; no HTTP."""

from datetime import timedelta

from alibaba_edge.errors import ApiError
from alibaba_edge.ports import Caller


class MissingError(ApiError):
    """As the gateway words it for this product: MissingRoleArn."""

    def __init__(self, parameter: str) -> None:
        super().__init__(f"Missing{parameter}", f"{parameter} is mandatory for this action.")


class WronglyFormedError(ApiError):
    def __init__(self, parameter: str) -> None:
        super().__init__(
            f"InvalidParameter.{parameter}", f"The parameter {parameter} is wrongly formed."
        )


class DurationError(ApiError):
    code = "InvalidParameter.DurationSeconds"

    def __init__(self, longest: timedelta) -> None:
        minutes = int(longest.total_seconds()) // 60
        text = f"{minutes // 60}hr" if minutes % 60 == 0 else f"{minutes}min"
        super().__init__(message=f"The Min/Max value of DurationSeconds is 15min/{text}.")


class PolicyGrammarError(ApiError):
    code = "InvalidParameter.PolicyGrammar"
    message = "The parameter Policy has not passed grammar check."


class PolicySizeError(ApiError):
    code = "InvalidParameter.PolicySize"

    def __init__(self, limit: int) -> None:
        super().__init__(message=f"The size of Policy must be smaller than {limit} bytes.")


class RoleUnknownError(ApiError):
    code = "EntityNotExist.Role"
    message = "The specified Role not exists."


class AssumedByRootError(ApiError):
    code = "NoPermission"
    message = "Roles may not be assumed by root accounts."


class NotTrustedError(ApiError):
    """The caller's policies allow it, the role's trust policy does not."""

    code = "NoPermission"
    message = "You are not authorized to do this action. You should be authorized by RAM."

    def __init__(self, caller: Caller) -> None:
        of_user = caller.kind == "ram-user"
        detail = {
            "AuthAction": "sts:AssumeRole",
            "AuthPrincipalType": "SubUser" if of_user else "AssumedRoleUser",
            "AuthPrincipalDisplayName": caller.principal_id if of_user else caller.user_name,
            "AuthPrincipalOwnerId": caller.account_id,
            "NoPermissionType": "ImplicitDeny",
            "PolicyType": "AssumeRolePolicy",
        }
        super().__init__(detail=detail)


class SourceIdentityError(ApiError):
    code = "NoPermission"
    message = (
        "You are not authorized to do this action. The source identity of a session cannot be "
        "changed: send the same one or none."
    )

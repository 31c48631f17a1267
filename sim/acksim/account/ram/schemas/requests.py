"""One model an operation, where the shared ones of `fields` do not do."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from acksim.account.ram.schemas.fields import (
    CallersRequest,
    Comments,
    Description,
    DisplayName,
    Document,
    Email,
    GroupName,
    GroupRequest,
    ListRequest,
    MobilePhone,
    OptionalPolicyType,
    PolicyNameRequest,
    PolicyRequest,
    RoleName,
    RoleRequest,
    SessionDuration,
    TaggedRequest,
    Tags,
    UserName,
    UserRequest,
    VersionNumber,
    WantedTags,
)
from alibaba_edge.fields import Flag, optional


class CreateUserRequest(UserRequest):
    display_name: DisplayName = ""
    comments: Comments = ""
    email: Email = ""
    mobile_phone: MobilePhone = ""


class UpdateUserRequest(UserRequest):
    """What is not named stays as it is."""

    new_user_name: Annotated[UserName | None, BeforeValidator(optional)] = None
    new_display_name: DisplayName | None = None
    new_comments: Comments | None = None
    new_email: Email | None = None
    new_mobile_phone: MobilePhone | None = None


class AccessKeyRequest(CallersRequest):
    user_access_key_id: Annotated[str, Field(min_length=1, max_length=64)]


class UpdateAccessKeyRequest(AccessKeyRequest):
    status: Literal["Active", "Inactive"]


class CreateGroupRequest(GroupRequest):
    comments: Comments = ""


class UpdateGroupRequest(GroupRequest):
    new_group_name: Annotated[GroupName | None, BeforeValidator(optional)] = None
    new_comments: Comments | None = None


class MembershipRequest(GroupRequest):
    user_name: UserName


class ListUsersForGroupRequest(GroupRequest, ListRequest):
    pass


class CreateRoleRequest(RoleRequest, TaggedRequest):
    assume_role_policy_document: Document
    description: Description = ""
    max_session_duration: SessionDuration = 3600
    allow_console_login: Flag = False
    tag: Tags = Field(default_factory=dict)


class UpdateRoleRequest(RoleRequest):
    new_assume_role_policy_document: Annotated[Document | None, BeforeValidator(optional)] = None
    new_description: Description | None = None
    new_max_session_duration: Annotated[SessionDuration | None, BeforeValidator(optional)] = None
    new_allow_console_login: Annotated[bool | None, BeforeValidator(optional)] = None


class ListRolesRequest(ListRequest, TaggedRequest):
    tag: WantedTags = Field(default_factory=dict)


class CreatePolicyRequest(PolicyNameRequest, TaggedRequest):
    policy_document: Document
    description: Description = ""
    tag: Tags = Field(default_factory=dict)


class ListPoliciesRequest(ListRequest, TaggedRequest):
    policy_type: OptionalPolicyType = None
    tag: WantedTags = Field(default_factory=dict)


class DeletePolicyRequest(PolicyNameRequest):
    cascading_delete: Flag = False


class UpdatePolicyDescriptionRequest(PolicyNameRequest):
    new_description: Description


class CreatePolicyVersionRequest(PolicyNameRequest):
    policy_document: Document
    set_as_default: Flag = False
    rotate_strategy: Literal["None", "DeleteOldestNonDefaultVersionWhenLimitExceeded", ""] = "None"


class VersionRequest(PolicyNameRequest):
    version_id: VersionNumber


class GetVersionRequest(PolicyRequest):
    version_id: VersionNumber


class UserPolicyRequest(PolicyRequest):
    user_name: UserName


class GroupPolicyRequest(PolicyRequest):
    group_name: GroupName


class RolePolicyRequest(PolicyRequest):
    role_name: RoleName

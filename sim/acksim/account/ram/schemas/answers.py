"""The parts of RAM's answers. A list is wrapped twice: {"Roles": {"Role": [...]}}."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from acksim.account.ram.access_keys import UserKey
from acksim.account.ram.groups import Group
from acksim.account.ram.held_policies import HeldPolicy
from acksim.account.ram.policy_rows import Policy, PolicyVersion
from acksim.account.ram.roles import Role
from acksim.account.ram.users import User
from alibaba_edge.fields import time_text


def user(item: User) -> dict[str, Any]:
    return {
        "UserId": item.id,
        "UserName": item.name,
        "DisplayName": item.display_name,
        "Comments": item.comments,
        "Email": item.email,
        "MobilePhone": item.mobile_phone,
        "CreateDate": time_text(item.created),
        "UpdateDate": time_text(item.updated),
    }


def user_in_list(item: User) -> dict[str, Any]:
    return _without(user(item), "Email", "MobilePhone")


def user_entity(item: User, since: datetime) -> dict[str, Any]:
    return {
        "UserId": item.id,
        "UserName": item.name,
        "DisplayName": item.display_name,
        "AttachDate": time_text(since),
    }


def member(item: User, since: datetime) -> dict[str, Any]:
    return {
        "UserName": item.name,
        "DisplayName": item.display_name,
        "JoinDate": time_text(since),
    }


def access_key(key: UserKey) -> dict[str, Any]:
    """With its secret only if the key was just made."""
    shown = {
        "AccessKeyId": key.id,
        "Status": "Active" if key.active else "Inactive",
        "CreateDate": time_text(key.created),
    }
    return {**shown, "AccessKeySecret": key.secret} if key.secret else shown


def group(item: Group) -> dict[str, Any]:
    return {
        "GroupId": item.id,
        "GroupName": item.name,
        "Comments": item.comments,
        "CreateDate": time_text(item.created),
        "UpdateDate": time_text(item.updated),
    }


def group_entity(item: Group, since: datetime) -> dict[str, Any]:
    return {
        "GroupName": item.name,
        "Comments": item.comments,
        "AttachDate": time_text(since),
    }


def group_joined(item: Group, since: datetime) -> dict[str, Any]:
    return {
        "GroupId": item.id,
        "GroupName": item.name,
        "Comments": item.comments,
        "JoinDate": time_text(since),
    }


def role(item: Role) -> dict[str, Any]:
    return {
        "RoleId": item.id,
        "RoleName": item.name,
        "Arn": item.arn,
        "Description": item.description,
        "AssumeRolePolicyDocument": item.trust_policy,
        "MaxSessionDuration": item.max_session_duration,
        "AllowConsoleLogin": item.allow_console_login,
        "CreateDate": time_text(item.created),
        "UpdateDate": time_text(item.updated),
    }


def role_alone(item: Role) -> dict[str, Any]:
    """As GetRole answers it."""
    return {
        **role(item),
        "IsServiceLinkedRole": False,
        "RolePrincipalName": f"{item.name}@role.{item.account_id}.onaliyunservice.com",
        "LatestDeletionTask": {},
    }


def role_in_list(item: Role) -> dict[str, Any]:
    return {**_without(role(item), "AssumeRolePolicyDocument"), "Tags": _tags(item.tags)}


def role_entity(item: Role, since: datetime) -> dict[str, Any]:
    return {
        "RoleId": item.id,
        "RoleName": item.name,
        "Arn": item.arn,
        "Description": item.description,
        "AttachDate": time_text(since),
    }


def policy(item: Policy) -> dict[str, Any]:
    return {
        "PolicyName": item.name,
        "PolicyType": item.type,
        "Description": item.description,
        "DefaultVersion": f"v{item.default_version}",
        "CreateDate": time_text(item.created),
        "UpdateDate": time_text(item.updated),
        "AttachmentCount": item.attachments,
    }


def policy_in_list(item: Policy) -> dict[str, Any]:
    return {**policy(item), "Tags": _tags(item.tags)}


def policy_alone(item: Policy, version: PolicyVersion) -> dict[str, Any]:
    """As GetPolicy answers it, beside its default version."""
    return {
        "Policy": {**policy(item), "PolicyDocument": item.document},
        "DefaultPolicyVersion": policy_version(version),
    }


def policy_version(version: PolicyVersion) -> dict[str, Any]:
    return {
        "VersionId": version.id,
        "IsDefaultVersion": version.default,
        "PolicyDocument": version.document,
        "CreateDate": time_text(version.created),
    }


def held_policy(held: HeldPolicy) -> dict[str, Any]:
    return {
        "PolicyName": held.policy.name,
        "PolicyType": held.policy.type,
        "Description": held.policy.description,
        "DefaultVersion": f"v{held.policy.default_version}",
        "AttachDate": time_text(held.attached),
    }


def _tags(tags: Mapping[str, str]) -> dict[str, Any]:
    return {"Tag": [{"TagKey": name, "TagValue": value} for name, value in sorted(tags.items())]}


def _without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}

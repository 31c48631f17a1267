"""Rows about who has which policy: the same five for users, groups and roles."""

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from acksim.account.ram.held_policies import EntityType
from acksim.account.ram.operations.rows import (
    Row,
    group_resource,
    named_policy,
    role_resource,
    row,
    user_resource,
)
from acksim.account.ram.ram import Ram
from acksim.account.ram.schemas import answers
from acksim.account.ram.schemas import requests as asked
from acksim.account.ram.schemas.fields import GroupRequest, PolicyRequest, RoleRequest, UserRequest
from alibaba_edge.gateway.product import Call, Resource

_RESOURCES: dict[EntityType, Callable[[Call, str], Resource]] = {
    "User": user_resource,
    "Group": group_resource,
    "Role": role_resource,
}


def _rows(type_: EntityType, both: type[PolicyRequest], one: type[BaseModel]) -> tuple[Row, ...]:
    """Attach, detach and list, for one kind of entity."""

    def named(request: BaseModel) -> str:
        name: str = getattr(request, f"{type_.lower()}_name")
        return name

    def about_both(call: Call, request: PolicyRequest) -> tuple[Resource, ...]:
        return _RESOURCES[type_](call, named(request)), named_policy(call, request)

    def about_one(call: Call, request: BaseModel) -> tuple[Resource, ...]:
        return (_RESOURCES[type_](call, named(request)),)

    async def attach(ram: Ram, request: PolicyRequest, call: Call) -> dict[str, Any]:
        policy = (request.policy_type, request.policy_name)
        await ram.attachments.attach(call.caller.account_id, (type_, named(request)), policy)
        return {}

    async def detach(ram: Ram, request: PolicyRequest, call: Call) -> dict[str, Any]:
        policy = (request.policy_type, request.policy_name)
        await ram.attachments.detach(call.caller.account_id, (type_, named(request)), policy)
        return {}

    async def list_policies(ram: Ram, request: BaseModel, call: Call) -> dict[str, Any]:
        held = await ram.attachments.policies_of(call.caller.account_id, (type_, named(request)))
        return {"Policies": {"Policy": [answers.held_policy(policy) for policy in held]}}

    return (
        row(both, about_both, attach, name=f"AttachPolicyTo{type_}", access="Write"),
        row(both, about_both, detach, name=f"DetachPolicyFrom{type_}", access="Write"),
        row(one, about_one, list_policies, name=f"ListPoliciesFor{type_}", access="Read"),
    )


def about_policy(call: Call, request: PolicyRequest) -> tuple[Resource, ...]:
    return (named_policy(call, request),)


async def list_entities_for_policy(ram: Ram, request: PolicyRequest, call: Call) -> dict[str, Any]:
    policy = (request.policy_type, request.policy_name)
    found = await ram.attachments.entities_of(call.caller.account_id, policy)
    return {
        "Users": {"User": [answers.user_entity(*user) for user in found.users]},
        "Groups": {"Group": [answers.group_entity(*group) for group in found.groups]},
        "Roles": {"Role": [answers.role_entity(*role) for role in found.roles]},
    }


ROWS: tuple[Row, ...] = (
    *_rows("User", asked.UserPolicyRequest, UserRequest),
    *_rows("Group", asked.GroupPolicyRequest, GroupRequest),
    *_rows("Role", asked.RolePolicyRequest, RoleRequest),
    row(
        PolicyRequest,
        about_policy,
        list_entities_for_policy,
        name="ListEntitiesForPolicy",
        access="Read",
    ),
)

"""Rows about roles."""

from typing import Any

from acksim.account.ram.operations.rows import Row, role_resource, row
from acksim.account.ram.ram import Ram
from acksim.account.ram.roles import Role
from acksim.account.ram.schemas import answers
from acksim.account.ram.schemas import requests as asked
from acksim.account.ram.schemas.fields import RoleRequest, paged, tagged
from alibaba_edge.gateway.product import Call, Resource


def about_role(call: Call, request: RoleRequest) -> tuple[Resource, ...]:
    return (role_resource(call, request.role_name),)


def about_all(call: Call, _request: asked.ListRolesRequest) -> tuple[Resource, ...]:
    return (role_resource(call, "*"),)


async def create_role(ram: Ram, request: asked.CreateRoleRequest, call: Call) -> dict[str, Any]:
    role = Role(
        call.caller.account_id,
        id="",
        name=request.role_name,
        trust_policy=request.assume_role_policy_document,
        description=request.description,
        max_session_duration=request.max_session_duration,
        allow_console_login=request.allow_console_login,
        tags=request.tag,
    )
    return {"Role": answers.role(await ram.roles.create(role))}


async def get_role(ram: Ram, request: RoleRequest, call: Call) -> dict[str, Any]:
    role = await ram.roles.get(call.caller.account_id, request.role_name)
    return {"Role": answers.role_alone(role)}


async def update_role(ram: Ram, request: asked.UpdateRoleRequest, call: Call) -> dict[str, Any]:
    role = await ram.roles.update(
        call.caller.account_id,
        request.role_name,
        trust_policy=request.new_assume_role_policy_document,
        description=request.new_description,
        max_session_duration=request.new_max_session_duration,
        allow_console_login=request.new_allow_console_login,
    )
    return {"Role": answers.role(role)}


async def delete_role(ram: Ram, request: RoleRequest, call: Call) -> dict[str, Any]:
    await ram.roles.delete(call.caller.account_id, request.role_name)
    return {}


async def list_roles(ram: Ram, request: asked.ListRolesRequest, call: Call) -> dict[str, Any]:
    roles = await ram.roles.all(call.caller.account_id)
    wanted = [role for role in roles if tagged(role.tags, request.tag)]
    part, more = paged(wanted, request, lambda role: role.name)
    return {"Roles": {"Role": [answers.role_in_list(role) for role in part]}, **more}


ROWS: tuple[Row, ...] = (
    row(asked.CreateRoleRequest, about_role, create_role, name="CreateRole", access="Write"),
    row(RoleRequest, about_role, get_role, name="GetRole", access="Read"),
    row(asked.UpdateRoleRequest, about_role, update_role, name="UpdateRole", access="Write"),
    row(RoleRequest, about_role, delete_role, name="DeleteRole", access="Write"),
    row(asked.ListRolesRequest, about_all, list_roles, name="ListRoles", access="Read"),
)

"""Rows about groups and who is in them."""

from typing import Any

from acksim.account.ram.groups import Group
from acksim.account.ram.operations.rows import Row, group_resource, row, user_resource
from acksim.account.ram.ram import Ram
from acksim.account.ram.schemas import answers
from acksim.account.ram.schemas import requests as asked
from acksim.account.ram.schemas.fields import GroupRequest, ListRequest, UserRequest, paged
from alibaba_edge.gateway.product import Call, Resource


def about_group(call: Call, request: GroupRequest) -> tuple[Resource, ...]:
    return (group_resource(call, request.group_name),)


def about_membership(call: Call, request: asked.MembershipRequest) -> tuple[Resource, ...]:
    return group_resource(call, request.group_name), user_resource(call, request.user_name)


def about_all(call: Call, _request: ListRequest) -> tuple[Resource, ...]:
    return (group_resource(call, "*"),)


def about_user(call: Call, request: UserRequest) -> tuple[Resource, ...]:
    return (user_resource(call, request.user_name),)


async def create_group(ram: Ram, request: asked.CreateGroupRequest, call: Call) -> dict[str, Any]:
    group = Group(call.caller.account_id, "", request.group_name, request.comments)
    return {"Group": answers.group(await ram.groups.create(group))}


async def get_group(ram: Ram, request: GroupRequest, call: Call) -> dict[str, Any]:
    group = await ram.groups.get(call.caller.account_id, request.group_name)
    return {"Group": answers.group(group)}


async def update_group(ram: Ram, request: asked.UpdateGroupRequest, call: Call) -> dict[str, Any]:
    group = await ram.groups.update(
        call.caller.account_id,
        request.group_name,
        name=request.new_group_name,
        comments=request.new_comments,
    )
    return {"Group": answers.group(group)}


async def delete_group(ram: Ram, request: GroupRequest, call: Call) -> dict[str, Any]:
    await ram.groups.delete(call.caller.account_id, request.group_name)
    return {}


async def list_groups(ram: Ram, request: ListRequest, call: Call) -> dict[str, Any]:
    groups = await ram.groups.all(call.caller.account_id)
    part, more = paged(groups, request, lambda group: group.name)
    return {"Groups": {"Group": [answers.group(group) for group in part]}, **more}


async def add_user_to_group(
    ram: Ram, request: asked.MembershipRequest, call: Call
) -> dict[str, Any]:
    await ram.groups.add_user(call.caller.account_id, request.group_name, request.user_name)
    return {}


async def remove_user_from_group(
    ram: Ram, request: asked.MembershipRequest, call: Call
) -> dict[str, Any]:
    await ram.groups.remove_user(call.caller.account_id, request.group_name, request.user_name)
    return {}


async def list_users_for_group(
    ram: Ram, request: asked.ListUsersForGroupRequest, call: Call
) -> dict[str, Any]:
    members = await ram.groups.users_of(call.caller.account_id, request.group_name)
    part, more = paged(members, request, lambda member: member[0].name)
    return {"Users": {"User": [answers.member(*member) for member in part]}, **more}


async def list_groups_for_user(ram: Ram, request: UserRequest, call: Call) -> dict[str, Any]:
    groups = await ram.groups.groups_of(call.caller.account_id, request.user_name)
    return {"Groups": {"Group": [answers.group_joined(*group) for group in groups]}}


ROWS: tuple[Row, ...] = (
    row(asked.CreateGroupRequest, about_group, create_group, name="CreateGroup", access="Write"),
    row(GroupRequest, about_group, get_group, name="GetGroup", access="Read"),
    row(asked.UpdateGroupRequest, about_group, update_group, name="UpdateGroup", access="Write"),
    row(GroupRequest, about_group, delete_group, name="DeleteGroup", access="Write"),
    row(ListRequest, about_all, list_groups, name="ListGroups", access="Read"),
    row(
        asked.MembershipRequest,
        about_membership,
        add_user_to_group,
        name="AddUserToGroup",
        access="Write",
    ),
    row(
        asked.MembershipRequest,
        about_membership,
        remove_user_from_group,
        name="RemoveUserFromGroup",
        access="Write",
    ),
    row(
        asked.ListUsersForGroupRequest,
        about_group,
        list_users_for_group,
        name="ListUsersForGroup",
        access="Read",
    ),
    row(UserRequest, about_user, list_groups_for_user, name="ListGroupsForUser", access="Read"),
)

"""Rows about users and their access keys."""

from typing import Any

from acksim.account.ram.errors import EntityNotExistError
from acksim.account.ram.operations.rows import Row, callers_name, row, user_resource
from acksim.account.ram.ram import Ram
from acksim.account.ram.schemas import answers
from acksim.account.ram.schemas import requests as asked
from acksim.account.ram.schemas.fields import CallersRequest, ListRequest, UserRequest, paged
from acksim.account.ram.users import User
from alibaba_edge.gateway.product import Call, Resource


def about_user(call: Call, request: UserRequest) -> tuple[Resource, ...]:
    return (user_resource(call, request.user_name),)


def about_caller(call: Call, request: CallersRequest) -> tuple[Resource, ...]:
    return (user_resource(call, callers_name(call, request)),)


def about_all(call: Call, _request: ListRequest) -> tuple[Resource, ...]:
    return (user_resource(call, "*"),)


async def create_user(ram: Ram, request: asked.CreateUserRequest, call: Call) -> dict[str, Any]:
    user = User(
        call.caller.account_id,
        id="",
        name=request.user_name,
        display_name=request.display_name,
        comments=request.comments,
        email=request.email,
        mobile_phone=request.mobile_phone,
    )
    return {"User": answers.user(await ram.users.create(user))}


async def get_user(ram: Ram, request: CallersRequest, call: Call) -> dict[str, Any]:
    user = await ram.users.get(call.caller.account_id, callers_name(call, request))
    return {"User": {**answers.user(user), "LastLoginDate": ""}}


async def update_user(ram: Ram, request: asked.UpdateUserRequest, call: Call) -> dict[str, Any]:
    user = await ram.users.update(
        call.caller.account_id,
        request.user_name,
        name=request.new_user_name,
        display_name=request.new_display_name,
        comments=request.new_comments,
        email=request.new_email,
        mobile_phone=request.new_mobile_phone,
    )
    return {"User": answers.user(user)}


async def delete_user(ram: Ram, request: UserRequest, call: Call) -> dict[str, Any]:
    await ram.users.delete(call.caller.account_id, request.user_name)
    return {}


async def list_users(ram: Ram, request: ListRequest, call: Call) -> dict[str, Any]:
    users = await ram.users.all(call.caller.account_id)
    part, more = paged(users, request, lambda user: user.name)
    return {"Users": {"User": [answers.user_in_list(user) for user in part]}, **more}


async def create_access_key(ram: Ram, request: CallersRequest, call: Call) -> dict[str, Any]:
    key = await ram.keys.create(call.caller.account_id, callers_name(call, request))
    return {"AccessKey": answers.access_key(key)}


async def list_access_keys(ram: Ram, request: CallersRequest, call: Call) -> dict[str, Any]:
    keys = await ram.keys.all(call.caller.account_id, callers_name(call, request))
    return {"AccessKeys": {"AccessKey": [answers.access_key(key) for key in keys]}}


async def update_access_key(
    ram: Ram, request: asked.UpdateAccessKeyRequest, call: Call
) -> dict[str, Any]:
    await ram.keys.set_active(
        call.caller.account_id,
        callers_name(call, request),
        request.user_access_key_id,
        active=request.status == "Active",
    )
    return {}


async def delete_access_key(
    ram: Ram, request: asked.AccessKeyRequest, call: Call
) -> dict[str, Any]:
    name = callers_name(call, request)
    await ram.keys.delete(call.caller.account_id, name, request.user_access_key_id)
    return {}


async def no_login_profile(ram: Ram, request: UserRequest, call: Call) -> dict[str, Any]:
    """There is no console, so no user has one; clients that delete users ask first."""
    await ram.users.get(call.caller.account_id, request.user_name)
    raise EntityNotExistError("User.LoginProfile")


ROWS: tuple[Row, ...] = (
    row(asked.CreateUserRequest, about_user, create_user, name="CreateUser", access="Write"),
    row(CallersRequest, about_caller, get_user, name="GetUser", access="Read"),
    row(asked.UpdateUserRequest, about_user, update_user, name="UpdateUser", access="Write"),
    row(UserRequest, about_user, delete_user, name="DeleteUser", access="Write"),
    row(ListRequest, about_all, list_users, name="ListUsers", access="Read"),
    row(UserRequest, about_user, no_login_profile, name="GetLoginProfile", access="Read"),
    row(UserRequest, about_user, no_login_profile, name="DeleteLoginProfile", access="Write"),
    row(CallersRequest, about_caller, create_access_key, name="CreateAccessKey", access="Write"),
    row(CallersRequest, about_caller, list_access_keys, name="ListAccessKeys", access="Read"),
    row(
        asked.UpdateAccessKeyRequest,
        about_caller,
        update_access_key,
        name="UpdateAccessKey",
        access="Write",
    ),
    row(
        asked.AccessKeyRequest,
        about_caller,
        delete_access_key,
        name="DeleteAccessKey",
        access="Write",
    ),
)

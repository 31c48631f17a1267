"""What every row of the RAM table is made from.

A call is about names. What it names is permitted first and looked up afterwards, so that nobody
learns what is there without being allowed to ask.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pydantic import BaseModel

from acksim.account.ram.ram import Ram
from acksim.account.ram.schemas.fields import CallersRequest, PolicyRequest
from alibaba_edge.errors import MissingParameterError
from alibaba_edge.gateway.product import Call, Found, Operation, Resource
from alibaba_edge.ports import Access

RequestT = TypeVar("RequestT", bound=BaseModel)
Row = Operation[Ram, Any, Any]
Run = Callable[[Ram, RequestT, Call], Awaitable[dict[str, Any]]]
About = Callable[[Call, RequestT], tuple[Resource, ...]]

_OF_THE_SYSTEM = "system"


def row(
    request: type[RequestT],
    about: About[RequestT],
    run: Run[RequestT],
    *,
    name: str,
    access: Access,
) -> Row:
    """A built operation; its RAM action is `ram:` and its name."""

    async def find(_ram: Ram, call: Call, asked: RequestT) -> Found[Call]:
        return Found(call, about(call, asked))

    return Operation(name, request, access, find, run, f"ram:{name}")


def user_resource(call: Call, name: str) -> Resource:
    return _resource(call, "user", name)


def group_resource(call: Call, name: str) -> Resource:
    return _resource(call, "group", name)


def role_resource(call: Call, name: str) -> Resource:
    return _resource(call, "role", name)


def policy_resource(call: Call, name: str) -> Resource:
    """One of the account's own."""
    return _resource(call, "policy", name)


def named_policy(call: Call, request: PolicyRequest) -> Resource:
    own = policy_resource(call, request.policy_name)
    if request.policy_type == "Custom":
        return own
    arn = f"acs:ram::{_OF_THE_SYSTEM}:policy/{request.policy_name}"
    return Resource(arn, own.type, own.name)


def callers_name(call: Call, request: CallersRequest) -> str:
    """The user that is named, or calls. An owner has no keys that RAM's operations know."""
    if request.user_name is not None:
        return request.user_name
    if call.caller.kind != "ram-user":
        raise MissingParameterError("UserName")
    return call.caller.user_name


def _resource(call: Call, kind: str, name: str) -> Resource:
    arn = f"acs:ram::{call.caller.account_id}:{kind}/{name}"
    return Resource(arn, f"ACS::RAM::{kind.capitalize()}", "" if name == "*" else name)

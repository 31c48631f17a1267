"""The product Sts: its table of operations."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from acksim.account.ram.roles import Role, Roles
from acksim.account.sts.errors import (
    AssumedByRootError,
    DurationError,
    NotTrustedError,
    RoleUnknownError,
    SourceIdentityError,
)
from acksim.account.sts.schemas import SHORTEST, AssumeRoleRequest
from acksim.account.sts.sessions import NewSession, Sessions
from alibaba_edge.gateway.product import (
    Call,
    Found,
    NoParameters,
    Operation,
    Product,
    Resource,
    not_built,
)
from alibaba_edge.ports import Caller, PrincipalKind

_VERSION = "2015-04-01"
_STATUSES = {"NoPermission": 403, "EntityNotExist.Role": 404}
_IDENTITY_TYPES: Mapping[PrincipalKind, str] = {
    "root-account": "Account",
    "ram-user": "RAMUser",
    "assumed-role": "AssumedRoleUser",
}


@dataclass(frozen=True, slots=True)
class Sts:
    """What the rows work with."""

    roles: Roles
    sessions: Sessions


@dataclass(frozen=True, slots=True)
class _Assumption:
    """Who wants to be whom, when it is known that both exist."""

    call: Call
    role: Role


async def _find_role(sts: Sts, call: Call, request: AssumeRoleRequest) -> Found[_Assumption]:
    if call.caller.kind == "root-account":
        raise AssumedByRootError
    role = await sts.roles.find(*request.role)
    if role is None:
        raise RoleUnknownError
    resource = Resource(role.arn, "ACS::RAM::Role", role.name)
    return Found(_Assumption(call, role), (resource,))


async def _assume(sts: Sts, request: AssumeRoleRequest, found: _Assumption) -> dict[str, Any]:
    role, caller = found.role, found.call.caller
    inherited = None
    if caller.kind == "assumed-role":
        inherited = await sts.sessions.source_identity(caller.access_key_id)
    identity = request.source_identity or inherited
    if not role.trusts(caller.arn, _conditions(found.call, request, identity)):
        raise NotTrustedError(caller)
    if inherited and identity != inherited:
        raise SourceIdentityError
    if not SHORTEST <= request.duration_seconds <= role.max_session_duration:
        raise DurationError(timedelta(seconds=role.max_session_duration))
    session = await sts.sessions.begin(
        role,
        NewSession(
            request.role_session_name,
            timedelta(seconds=request.duration_seconds),
            policy=request.policy or None,
            source_identity=identity,
        ),
    )
    answer: dict[str, Any] = {
        "AssumedRoleUser": {
            "AssumedRoleId": f"{role.id}:{request.role_session_name}",
            "Arn": f"{role.arn}/{request.role_session_name}",
        },
        "Credentials": {
            "AccessKeyId": session.access_key_id,
            "AccessKeySecret": session.access_key_secret,
            "SecurityToken": session.security_token,
            "Expiration": session.expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
    }
    return answer | ({"SourceIdentity": identity} if identity else {})


def _conditions(call: Call, request: AssumeRoleRequest, identity: str | None) -> dict[str, str]:
    """What a trust policy may ask about."""
    known = {
        **call.conditions,
        "sts:ExternalId": request.external_id,
        "sts:RoleSessionName": request.role_session_name,
        "sts:SourceIdentity": identity,
    }
    return {key: value for key, value in known.items() if value}


async def _find_caller(_sts: Sts, call: Call, _request: NoParameters) -> Found[Caller]:
    return Found(call.caller)


async def _identify(_sts: Sts, _request: NoParameters, caller: Caller) -> dict[str, Any]:
    answer = {
        "IdentityType": _IDENTITY_TYPES[caller.kind],
        "AccountId": caller.account_id,
        "PrincipalId": caller.principal_id,
        "Arn": caller.arn,
    }
    if caller.kind == "assumed-role":
        return answer | {"RoleId": caller.principal_id.partition(":")[0]}
    return answer | {"UserId": caller.principal_id}


OPERATIONS: tuple[Operation[Sts, Any, Any], ...] = (
    Operation(
        "AssumeRole", AssumeRoleRequest, "Write", _find_role, _assume, ram_action="sts:AssumeRole"
    ),
    Operation("GetCallerIdentity", NoParameters, "Read", _find_caller, _identify, ram_action=None),
    not_built("AssumeRoleWithOIDC", "Write"),
    not_built("AssumeRoleWithSAML", "Write"),
)


def sts_product(roles: Roles, sessions: Sessions) -> Product:
    return Product("Sts", _VERSION, OPERATIONS, Sts(roles, sessions), _STATUSES)

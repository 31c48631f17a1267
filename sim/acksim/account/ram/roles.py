"""Roles: identities without keys of their own, which those whom they trust take on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection

from acksim.account.ram.documents import stored_trust, trust_document
from acksim.account.ram.entities import Entities, Entity, Kind, entity_fields
from acksim.account.ram.errors import RoleNotExistError
from acksim.account.ram.held_policies import Holder, attach
from acksim.account.ram.tables import ram_roles

MANAGED_SECURITY_ROLE = "AliyunCSManagedSecurityRole"
CONTAINER_SERVICE = "cs.aliyuncs.com"
_NO_CONTEXT: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Role(Entity):
    """`trust_policy` is a document; `max_session_duration` is in seconds."""

    trust_policy: str
    description: str = ""
    max_session_duration: int = 3600
    allow_console_login: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """As messages and records write it, in lower case."""
        return role_arn(self.account_id, self.name)

    def trusts_service(self, service: str, context: Mapping[str, str] = _NO_CONTEXT) -> bool:
        """Such as cs.aliyuncs.com."""
        return self._trusts("Service", {service.lower()}, context)

    def trusts(self, arn: str, context: Mapping[str, str] = _NO_CONTEXT) -> bool:
        """A user, a role or the session of a role; the trust in an account reaches all of them."""
        account = arn.split(":")[3]
        named = {
            _principal(arn).lower(),
            f"acs:ram::{account}:root",
            f"acs:ram::{account}:*",
        }
        return self._trusts("RAM", named, context)

    def _trusts(self, kind: str, named: set[str], context: Mapping[str, str]) -> bool:
        effects = {
            one.effect
            for one in stored_trust(self.trust_policy).statements
            if one.statement.applies(kind, named, context)
        }
        return effects == {"Allow"}


def role_arn(account_id: str, name: str) -> str:
    return f"acs:ram::{account_id}:role/{name.lower()}"


def _principal(arn: str) -> str:
    """The role of a session: acs:sts::<account>:assumed-role/<role>/<session>."""
    head, separator, rest = arn.partition(":assumed-role/")
    if not separator:
        return arn
    return f"{head.replace('acs:sts:', 'acs:ram:')}:role/{rest.partition('/')[0]}"


def _role_of(row: Any) -> Role:
    return Role(
        **entity_fields(row),
        trust_policy=row.trust_policy,
        description=row.description,
        max_session_duration=row.max_session_duration,
        allow_console_login=row.allow_console_login,
        tags=orjson.loads(row.tags),
    )


def _columns(role: Role) -> dict[str, Any]:
    return {
        "description": role.description,
        "trust_policy": role.trust_policy,
        "max_session_duration": role.max_session_duration,
        "allow_console_login": role.allow_console_login,
        "tags": json.dumps(dict(role.tags), ensure_ascii=False),
    }


ROLES = Kind(
    "Role",
    ram_roles,
    first_digit="3",
    limit=100,
    of_row=_role_of,
    columns=_columns,
    missing=lambda account_id, name: RoleNotExistError(role_arn(account_id, name)),
)


class Roles(Entities[Role]):
    """The roles of every account. Sessions of a deleted one live on and may do nothing."""

    kind = ROLES

    async def create(self, entity: Role) -> Role:
        """As others, and raises MalformedPolicyError or TooLongError before anything else."""
        trust_document(entity.trust_policy)
        return await super().create(entity)

    async def update(self, account_id: str, name: str, /, **changes: Any) -> Role:
        """Likewise."""
        if changes.get("trust_policy") is not None:
            trust_document(changes["trust_policy"])
        return await super().update(account_id, name, **changes)


def authorize_container_service(connection: Connection, account_id: str, now: datetime) -> None:
    """What an account's owner confirms on Container Service's authorization page."""
    role = Role(
        account_id,
        id="",
        name=MANAGED_SECURITY_ROLE,
        trust_policy=_CONTAINER_SERVICE_TRUST,
        description="CS will use this role to access your resources in other services.",
    )
    made = ROLES.insert(connection, role, now)
    holder = Holder(account_id, "Role", made.id)
    attach(connection, holder, "System", f"{MANAGED_SECURITY_ROLE}Policy", now)


_CONTAINER_SERVICE_TRUST = (
    '{"Statement":[{"Action":"sts:AssumeRole","Effect":"Allow",'
    f'"Principal":{{"Service":["{CONTAINER_SERVICE}"]}}}}],"Version":"1"}}'
)

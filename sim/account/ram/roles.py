"""Roles: identities without keys of their own, which those whom they trust take on."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, delete, func, select, update

from kms_emulator.conditions import holds
from sim.account.database import Database
from sim.account.ram.documents import listed, trust_document
from sim.account.ram.errors import (
    DeleteConflictError,
    EntityAlreadyExistsError,
    RamLimitError,
    RoleNotExistError,
)
from sim.account.ram.generations import Generations
from sim.account.ram.held_policies import Holder, attach, held_policies
from sim.account.ram.identifiers import new_id
from sim.account.ram.tables import ram_roles

MANAGED_SECURITY_ROLE = "AliyunCSManagedSecurityRole"
CONTAINER_SERVICE = "cs.aliyuncs.com"
_LIMIT = 100
_LONG_AGO = datetime.fromtimestamp(0, UTC)
_NO_CONTEXT: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Role:
    """`trust_policy` is a document; `max_session_duration` is in seconds."""

    account_id: str
    id: str
    name: str
    trust_policy: str
    description: str = ""
    max_session_duration: int = 3600
    allow_console_login: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    created: datetime = _LONG_AGO
    updated: datetime = _LONG_AGO

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
            statement["Effect"]
            for statement in orjson.loads(self.trust_policy)["Statement"]
            if any(action.lower() in _ASSUMING for action in listed(statement["Action"]))
            and any(name.lower() in named for name in listed(statement["Principal"].get(kind, [])))
            and holds(statement.get("Condition", {}), context)
        }
        return effects == {"Allow"}


_ASSUMING = frozenset({"sts:assumerole", "sts:*"})


def role_arn(account_id: str, name: str) -> str:
    return f"acs:ram::{account_id}:role/{name.lower()}"


def _principal(arn: str) -> str:
    """The role of a session: acs:sts::<account>:assumed-role/<role>/<session>."""
    head, separator, rest = arn.partition(":assumed-role/")
    if not separator:
        return arn
    return f"{head.replace('acs:sts:', 'acs:ram:')}:role/{rest.partition('/')[0]}"


class Roles:
    """The roles of every account."""

    def __init__(
        self, database: Database, generations: Generations, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._generations = generations
        self._now = now

    async def find(self, account_id: str, name: str) -> Role | None:
        """By its name, in any case."""
        return await self._database.read(lambda connection: find_role(connection, account_id, name))

    async def get(self, account_id: str, name: str) -> Role:
        """Raises RoleNotExistError."""
        return await self._database.read(lambda connection: get_role(connection, account_id, name))

    async def all(self, account_id: str) -> list[Role]:
        """In the order of names."""
        query = select(ram_roles).where(ram_roles.c.account_id == account_id)
        return await self._database.read(
            lambda connection: [
                role_of(row) for row in connection.execute(query.order_by(ram_roles.c.name_key))
            ]
        )

    async def create(self, role: Role) -> Role:
        """With the id and the times it gets. Raises EntityAlreadyExistsError, RamLimitError."""
        trust_document(role.trust_policy)
        made = _new(role, self._now())

        def work(connection: Connection) -> Role:
            if find_role(connection, role.account_id, role.name) is not None:
                raise EntityAlreadyExistsError("Role")
            count = select(func.count()).where(ram_roles.c.account_id == role.account_id)
            if (connection.scalar(count) or 0) >= _LIMIT:
                raise RamLimitError("Role")
            connection.execute(ram_roles.insert().values(_row(made)))
            return made

        return await self._generations.change(role.account_id, work)

    async def update(self, account_id: str, name: str, /, **changes: Any) -> Role:
        """Fields of Role by name; None leaves one as it is."""
        chosen = {field: value for field, value in changes.items() if value is not None}
        if "trust_policy" in chosen:
            trust_document(chosen["trust_policy"])

        def work(connection: Connection) -> Role:
            role = replace(get_role(connection, account_id, name), **chosen, updated=self._now())
            connection.execute(
                update(ram_roles).where(ram_roles.c.id == role.id).values(_row(role))
            )
            return role

        return await self._generations.change(account_id, work)

    async def delete(self, account_id: str, name: str) -> None:
        """Its sessions live on and may do nothing. Raises DeleteConflictError."""

        def work(connection: Connection) -> None:
            role = get_role(connection, account_id, name)
            if held_policies(connection, Holder(account_id, "Role", role.id)):
                raise DeleteConflictError("Role.Policy")
            connection.execute(delete(ram_roles).where(ram_roles.c.id == role.id))

        await self._generations.change(account_id, work)


def find_role(connection: Connection, account_id: str, name: str) -> Role | None:
    query = select(ram_roles).where(
        ram_roles.c.account_id == account_id, ram_roles.c.name_key == name.lower()
    )
    row = connection.execute(query).first()
    return None if row is None else role_of(row)


def get_role(connection: Connection, account_id: str, name: str) -> Role:
    """Raises RoleNotExistError."""
    role = find_role(connection, account_id, name)
    if role is None:
        raise RoleNotExistError(role_arn(account_id, name))
    return role


def authorize_container_service(connection: Connection, account_id: str, now: datetime) -> None:
    """What an account's owner confirms on Container Service's authorization page."""
    role = _new(
        Role(
            account_id,
            id="",
            name=MANAGED_SECURITY_ROLE,
            trust_policy=_CONTAINER_SERVICE_TRUST,
            description="CS will use this role to access your resources in other services.",
        ),
        now,
    )
    connection.execute(ram_roles.insert().values(_row(role)))
    holder = Holder(account_id, "Role", role.id)
    attach(connection, holder, "System", f"{MANAGED_SECURITY_ROLE}Policy", now)


_CONTAINER_SERVICE_TRUST = (
    '{"Statement":[{"Action":"sts:AssumeRole","Effect":"Allow",'
    f'"Principal":{{"Service":["{CONTAINER_SERVICE}"]}}}}],"Version":"1"}}'
)


def _new(role: Role, now: datetime) -> Role:
    return replace(role, id=new_id("3"), created=now, updated=now)


def _row(role: Role) -> dict[str, Any]:
    return {
        "id": role.id,
        "account_id": role.account_id,
        "name_key": role.name.lower(),
        "name": role.name,
        "description": role.description,
        "trust_policy": role.trust_policy,
        "max_session_duration": role.max_session_duration,
        "allow_console_login": role.allow_console_login,
        "tags": json.dumps(dict(role.tags), ensure_ascii=False),
        "created": role.created.timestamp(),
        "updated": role.updated.timestamp(),
    }


def role_of(row: Any) -> Role:
    return Role(
        account_id=row.account_id,
        id=row.id,
        name=row.name,
        trust_policy=row.trust_policy,
        description=row.description,
        max_session_duration=row.max_session_duration,
        allow_console_login=row.allow_console_login,
        tags=orjson.loads(row.tags),
        created=datetime.fromtimestamp(row.created, UTC),
        updated=datetime.fromtimestamp(row.updated, UTC),
    )

"""Attaching policies to users, groups and roles, and asking who has which."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from acksim.account.database import Database
from acksim.account.ram.generations import Generations
from acksim.account.ram.groups import GROUPS, Group
from acksim.account.ram.held_policies import (
    EntityType,
    HeldPolicy,
    Holder,
    attach,
    detach,
    held_policies,
    holders,
)
from acksim.account.ram.policy_rows import PolicyType, get_policy
from acksim.account.ram.roles import ROLES, Role
from acksim.account.ram.tables import ram_groups, ram_roles, ram_users
from acksim.account.ram.users import USERS, User


@dataclass(frozen=True, slots=True)
class Entities:
    """Who holds a policy, and since when."""

    users: list[tuple[User, datetime]]
    groups: list[tuple[Group, datetime]]
    roles: list[tuple[Role, datetime]]


class Attachments:
    """Between the policies and the users, groups and roles of every account."""

    def __init__(
        self, database: Database, generations: Generations, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._generations = generations
        self._now = now

    async def attach(
        self, account_id: str, entity: tuple[EntityType, str], policy: tuple[PolicyType, str]
    ) -> None:
        """Both by kind and name. Raises EntityNotExistError, EntityAlreadyExistsError."""

        def work(connection: Connection) -> None:
            attach(connection, _holder(connection, account_id, entity), *policy, self._now())

        await self._generations.change(account_id, work)

    async def detach(
        self, account_id: str, entity: tuple[EntityType, str], policy: tuple[PolicyType, str]
    ) -> None:
        """Raises EntityNotExistError."""

        def work(connection: Connection) -> None:
            detach(connection, _holder(connection, account_id, entity), *policy)

        await self._generations.change(account_id, work)

    async def policies_of(
        self, account_id: str, entity: tuple[EntityType, str]
    ) -> list[HeldPolicy]:
        """In the order of names."""
        return await self._database.read(
            lambda connection: held_policies(connection, _holder(connection, account_id, entity))
        )

    async def entities_of(self, account_id: str, policy: tuple[PolicyType, str]) -> Entities:
        """Raises EntityNotExistError."""

        def work(connection: Connection) -> Entities:
            get_policy(connection, account_id, *policy)
            found = Entities([], [], [])
            for holder, since in holders(connection, account_id, *policy):
                if holder.type == "User":
                    found.users.append((USERS.of_row(_row(connection, holder)), since))
                elif holder.type == "Group":
                    found.groups.append((GROUPS.of_row(_row(connection, holder)), since))
                else:
                    found.roles.append((ROLES.of_row(_row(connection, holder)), since))
            return found

        return await self._database.read(work)


_TABLES = {"User": ram_users, "Group": ram_groups, "Role": ram_roles}


def _row(connection: Connection, holder: Holder) -> object:
    table = _TABLES[holder.type]
    return connection.execute(select(table).where(table.c.id == holder.id)).one()


def _holder(connection: Connection, account_id: str, entity: tuple[EntityType, str]) -> Holder:
    type_, name = entity
    found: User | Group | Role
    if type_ == "User":
        found = USERS.get(connection, account_id, name)
    elif type_ == "Group":
        found = GROUPS.get(connection, account_id, name)
    else:
        found = ROLES.get(connection, account_id, name)
    return Holder(account_id, type_, found.id)

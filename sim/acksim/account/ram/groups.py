"""Groups: users that hold the same policies."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select

from acksim.account.ram.entities import Entities, Entity, Kind, entity_fields
from acksim.account.ram.errors import (
    DeleteConflictError,
    EntityAlreadyExistsError,
    EntityNotExistError,
    RamLimitError,
)
from acksim.account.ram.tables import ram_groups, ram_memberships, ram_users
from acksim.account.ram.users import USERS, User

_GROUPS_OF_A_USER = 50


@dataclass(frozen=True, slots=True)
class Group(Entity):
    """A group of users."""

    comments: str = ""


GROUPS = Kind(
    "Group",
    ram_groups,
    first_digit="4",
    limit=50,
    of_row=lambda row: Group(**entity_fields(row), comments=row.comments),
    columns=lambda group: {"comments": group.comments},
    missing=lambda _account_id, _name: EntityNotExistError("Group"),
)


class Groups(Entities[Group]):
    """The groups of every account, and who is in them."""

    kind = GROUPS

    async def add_user(self, account_id: str, group_name: str, user_name: str) -> None:
        """Raises EntityAlreadyExistsError, RamLimitError."""

        def work(connection: Connection) -> None:
            group = GROUPS.get(connection, account_id, group_name)
            user = USERS.get(connection, account_id, user_name)
            if connection.scalar(select(func.count()).where(_membership(group, user))):
                raise EntityAlreadyExistsError("User.Group")
            mine = select(func.count()).where(ram_memberships.c.user_id == user.id)
            if (connection.scalar(mine) or 0) >= _GROUPS_OF_A_USER:
                raise RamLimitError("User.Group")
            connection.execute(
                ram_memberships.insert().values(
                    group_id=group.id, user_id=user.id, joined=self._now().timestamp()
                )
            )

        await self._generations.change(account_id, work)

    async def remove_user(self, account_id: str, group_name: str, user_name: str) -> None:
        """Raises EntityNotExistError."""

        def work(connection: Connection) -> None:
            group = GROUPS.get(connection, account_id, group_name)
            user = USERS.get(connection, account_id, user_name)
            gone = delete(ram_memberships).where(_membership(group, user))
            if connection.execute(gone).rowcount != 1:
                raise EntityNotExistError("User.Group")

        await self._generations.change(account_id, work)

    async def users_of(self, account_id: str, name: str) -> list[tuple[User, datetime]]:
        """Who is in it and since when, in the order of names."""

        def work(connection: Connection) -> list[tuple[User, datetime]]:
            group = GROUPS.get(connection, account_id, name)
            query = (
                select(ram_users, ram_memberships.c.joined)
                .join(ram_memberships, ram_memberships.c.user_id == ram_users.c.id)
                .where(ram_memberships.c.group_id == group.id)
                .order_by(ram_users.c.name_key)
            )
            return [(USERS.of_row(row), _moment(row.joined)) for row in connection.execute(query)]

        return await self._database.read(work)

    async def groups_of(self, account_id: str, user_name: str) -> list[tuple[Group, datetime]]:
        """What a user is in and since when, in the order of names."""

        def work(connection: Connection) -> list[tuple[Group, datetime]]:
            user = USERS.get(connection, account_id, user_name)
            return groups_of_user(connection, user.id)

        return await self._database.read(work)

    def _require_empty(self, connection: Connection, entity: Group) -> None:
        inside = select(func.count()).where(ram_memberships.c.group_id == entity.id)
        if connection.scalar(inside):
            raise DeleteConflictError("Group.User")


def groups_of_user(connection: Connection, user_id: str) -> list[tuple[Group, datetime]]:
    query = (
        select(ram_groups, ram_memberships.c.joined)
        .join(ram_memberships, ram_memberships.c.group_id == ram_groups.c.id)
        .where(ram_memberships.c.user_id == user_id)
        .order_by(ram_groups.c.name_key)
    )
    return [(GROUPS.of_row(row), _moment(row.joined)) for row in connection.execute(query)]


def _membership(group: Group, user: User) -> ColumnElement[bool]:
    return and_(ram_memberships.c.group_id == group.id, ram_memberships.c.user_id == user.id)


def _moment(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)

"""Groups: users that hold the same policies."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, update

from sim.account.database import Database
from sim.account.ram.errors import (
    DeleteConflictError,
    EntityAlreadyExistsError,
    EntityNotExistError,
    RamLimitError,
)
from sim.account.ram.generations import Generations
from sim.account.ram.held_policies import Holder, held_policies
from sim.account.ram.identifiers import new_id
from sim.account.ram.tables import ram_groups, ram_memberships, ram_users
from sim.account.ram.users import User, get_user, user_of

_LIMIT = 50
_GROUPS_OF_A_USER = 50
_LONG_AGO = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Group:
    """A group of users."""

    account_id: str
    id: str
    name: str
    comments: str = ""
    created: datetime = _LONG_AGO
    updated: datetime = _LONG_AGO


class Groups:
    """The groups of every account, and who is in them."""

    def __init__(
        self, database: Database, generations: Generations, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._generations = generations
        self._now = now

    async def get(self, account_id: str, name: str) -> Group:
        """Raises EntityNotExistError."""
        return await self._database.read(lambda connection: get_group(connection, account_id, name))

    async def all(self, account_id: str) -> list[Group]:
        """In the order of names."""
        query = select(ram_groups).where(ram_groups.c.account_id == account_id)
        return await self._database.read(
            lambda connection: [
                group_of(row) for row in connection.execute(query.order_by(ram_groups.c.name_key))
            ]
        )

    async def create(self, group: Group) -> Group:
        """With the id and the times it gets. Raises EntityAlreadyExistsError, RamLimitError."""
        now = self._now()
        made = replace(group, id=new_id("4"), created=now, updated=now)

        def work(connection: Connection) -> Group:
            if find_group(connection, group.account_id, group.name) is not None:
                raise EntityAlreadyExistsError("Group")
            count = select(func.count()).where(ram_groups.c.account_id == group.account_id)
            if (connection.scalar(count) or 0) >= _LIMIT:
                raise RamLimitError("Group")
            connection.execute(ram_groups.insert().values(_row(made)))
            return made

        return await self._generations.change(group.account_id, work)

    async def update(self, account_id: str, name: str, /, **changes: str | None) -> Group:
        """Fields of Group by name; None leaves one as it is."""
        chosen: dict[str, Any] = {
            field: value for field, value in changes.items() if value is not None
        }

        def work(connection: Connection) -> Group:
            group = get_group(connection, account_id, name)
            changed = replace(group, **chosen, updated=self._now())
            other = find_group(connection, account_id, changed.name)
            if other is not None and other.id != group.id:
                raise EntityAlreadyExistsError("Group")
            statement = update(ram_groups).where(ram_groups.c.id == group.id)
            connection.execute(statement.values(_row(changed)))
            return changed

        return await self._generations.change(account_id, work)

    async def delete(self, account_id: str, name: str) -> None:
        """Of an empty group without policies. Raises DeleteConflictError."""

        def work(connection: Connection) -> None:
            group = get_group(connection, account_id, name)
            inside = select(func.count()).where(ram_memberships.c.group_id == group.id)
            if connection.scalar(inside):
                raise DeleteConflictError("Group.User")
            if held_policies(connection, Holder(account_id, "Group", group.id)):
                raise DeleteConflictError("Group.Policy")
            connection.execute(delete(ram_groups).where(ram_groups.c.id == group.id))

        await self._generations.change(account_id, work)

    async def add_user(self, account_id: str, group_name: str, user_name: str) -> None:
        """Raises EntityAlreadyExistsError, RamLimitError."""

        def work(connection: Connection) -> None:
            group = get_group(connection, account_id, group_name)
            user = get_user(connection, account_id, user_name)
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
            group = get_group(connection, account_id, group_name)
            user = get_user(connection, account_id, user_name)
            gone = delete(ram_memberships).where(_membership(group, user))
            if connection.execute(gone).rowcount != 1:
                raise EntityNotExistError("User.Group")

        await self._generations.change(account_id, work)

    async def users_of(self, account_id: str, name: str) -> list[tuple[User, datetime]]:
        """Who is in it and since when, in the order of names."""

        def work(connection: Connection) -> list[tuple[User, datetime]]:
            group = get_group(connection, account_id, name)
            query = (
                select(ram_users, ram_memberships.c.joined)
                .join(ram_memberships, ram_memberships.c.user_id == ram_users.c.id)
                .where(ram_memberships.c.group_id == group.id)
                .order_by(ram_users.c.name_key)
            )
            return [(user_of(row), _moment(row.joined)) for row in connection.execute(query)]

        return await self._database.read(work)

    async def groups_of(self, account_id: str, user_name: str) -> list[tuple[Group, datetime]]:
        """What a user is in and since when, in the order of names."""

        def work(connection: Connection) -> list[tuple[Group, datetime]]:
            user = get_user(connection, account_id, user_name)
            return groups_of_user(connection, user.id)

        return await self._database.read(work)


def find_group(connection: Connection, account_id: str, name: str) -> Group | None:
    query = select(ram_groups).where(
        ram_groups.c.account_id == account_id, ram_groups.c.name_key == name.lower()
    )
    row = connection.execute(query).first()
    return None if row is None else group_of(row)


def get_group(connection: Connection, account_id: str, name: str) -> Group:
    """Raises EntityNotExistError."""
    group = find_group(connection, account_id, name)
    if group is None:
        raise EntityNotExistError("Group")
    return group


def groups_of_user(connection: Connection, user_id: str) -> list[tuple[Group, datetime]]:
    query = (
        select(ram_groups, ram_memberships.c.joined)
        .join(ram_memberships, ram_memberships.c.group_id == ram_groups.c.id)
        .where(ram_memberships.c.user_id == user_id)
        .order_by(ram_groups.c.name_key)
    )
    return [(group_of(row), _moment(row.joined)) for row in connection.execute(query)]


def group_of(row: Any) -> Group:
    return Group(
        account_id=row.account_id,
        id=row.id,
        name=row.name,
        comments=row.comments,
        created=_moment(row.created),
        updated=_moment(row.updated),
    )


def _membership(group: Group, user: User) -> ColumnElement[bool]:
    return and_(ram_memberships.c.group_id == group.id, ram_memberships.c.user_id == user.id)


def _moment(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)


def _row(group: Group) -> dict[str, Any]:
    return {
        "id": group.id,
        "account_id": group.account_id,
        "name_key": group.name.lower(),
        "name": group.name,
        "comments": group.comments,
        "created": group.created.timestamp(),
        "updated": group.updated.timestamp(),
    }

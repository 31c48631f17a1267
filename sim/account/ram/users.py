"""Users: the people and programs of an account, other than its owner."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

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
from sim.account.ram.tables import ram_memberships, ram_users
from sim.account.tables import access_keys

_LIMIT = 1000
_LONG_AGO = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class User:
    """A RAM user."""

    account_id: str
    id: str
    name: str
    display_name: str = ""
    comments: str = ""
    email: str = ""
    mobile_phone: str = ""
    created: datetime = _LONG_AGO
    updated: datetime = _LONG_AGO

    @property
    def arn(self) -> str:
        return f"acs:ram::{self.account_id}:user/{self.name}"


class Users:
    """The users of every account."""

    def __init__(
        self, database: Database, generations: Generations, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._generations = generations
        self._now = now

    async def find(self, account_id: str, name: str) -> User | None:
        """By its name, in any case."""
        return await self._database.read(lambda connection: find_user(connection, account_id, name))

    async def get(self, account_id: str, name: str) -> User:
        """Raises EntityNotExistError."""
        return await self._database.read(lambda connection: get_user(connection, account_id, name))

    async def all(self, account_id: str) -> list[User]:
        """In the order of names."""
        query = select(ram_users).where(ram_users.c.account_id == account_id)
        return await self._database.read(
            lambda connection: [
                user_of(row) for row in connection.execute(query.order_by(ram_users.c.name_key))
            ]
        )

    async def create(self, user: User) -> User:
        """With the id and the times it gets. Raises EntityAlreadyExistsError, RamLimitError."""
        now = self._now()
        made = replace(user, id=new_id("2"), created=now, updated=now)

        def work(connection: Connection) -> User:
            if find_user(connection, user.account_id, user.name) is not None:
                raise EntityAlreadyExistsError("User")
            count = select(func.count()).where(ram_users.c.account_id == user.account_id)
            if (connection.scalar(count) or 0) >= _LIMIT:
                raise RamLimitError("User")
            connection.execute(ram_users.insert().values(_row(made)))
            return made

        return await self._generations.change(user.account_id, work)

    async def update(self, account_id: str, name: str, /, **changes: str | None) -> User:
        """Fields of User by name; None leaves one as it is."""
        chosen: dict[str, Any] = {
            field: value for field, value in changes.items() if value is not None
        }

        def work(connection: Connection) -> User:
            user = get_user(connection, account_id, name)
            changed = replace(user, **chosen, updated=self._now())
            other = find_user(connection, account_id, changed.name)
            if other is not None and other.id != user.id:
                raise EntityAlreadyExistsError("User")
            statement = update(ram_users).where(ram_users.c.id == user.id)
            connection.execute(statement.values(_row(changed)))
            return changed

        return await self._generations.change(account_id, work)

    async def delete(self, account_id: str, name: str) -> None:
        """Of a user that has nothing any more. Raises DeleteConflictError."""

        def work(connection: Connection) -> None:
            user = get_user(connection, account_id, name)
            if held_policies(connection, Holder(account_id, "User", user.id)):
                raise DeleteConflictError("User.Policy")
            for table, what in ((access_keys, "AccessKey"), (ram_memberships, "Group")):
                if connection.scalar(select(func.count()).where(table.c.user_id == user.id)):
                    raise DeleteConflictError(f"User.{what}")
            connection.execute(delete(ram_users).where(ram_users.c.id == user.id))

        await self._generations.change(account_id, work)


def find_user(connection: Connection, account_id: str, name: str) -> User | None:
    query = select(ram_users).where(
        ram_users.c.account_id == account_id, ram_users.c.name_key == name.lower()
    )
    row = connection.execute(query).first()
    return None if row is None else user_of(row)


def get_user(connection: Connection, account_id: str, name: str) -> User:
    """Raises EntityNotExistError."""
    user = find_user(connection, account_id, name)
    if user is None:
        raise EntityNotExistError("User")
    return user


def user_of(row: Any) -> User:
    return User(
        account_id=row.account_id,
        id=row.id,
        name=row.name,
        display_name=row.display_name,
        comments=row.comments,
        email=row.email,
        mobile_phone=row.mobile_phone,
        created=datetime.fromtimestamp(row.created, UTC),
        updated=datetime.fromtimestamp(row.updated, UTC),
    )


def _row(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "account_id": user.account_id,
        "name_key": user.name.lower(),
        "name": user.name,
        "display_name": user.display_name,
        "comments": user.comments,
        "email": user.email,
        "mobile_phone": user.mobile_phone,
        "created": user.created.timestamp(),
        "updated": user.updated.timestamp(),
    }

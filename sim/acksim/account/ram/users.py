"""Users: the people and programs of an account, other than its owner."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from acksim.account.ram.entities import Entities, Entity, Kind, entity_fields
from acksim.account.ram.errors import DeleteConflictError, EntityNotExistError
from acksim.account.ram.tables import ram_memberships, ram_users
from acksim.account.tables import access_keys


@dataclass(frozen=True, slots=True)
class User(Entity):
    """A RAM user."""

    display_name: str = ""
    comments: str = ""
    email: str = ""
    mobile_phone: str = ""

    @property
    def arn(self) -> str:
        return f"acs:ram::{self.account_id}:user/{self.name}"


def _user_of(row: Any) -> User:
    return User(
        **entity_fields(row),
        display_name=row.display_name,
        comments=row.comments,
        email=row.email,
        mobile_phone=row.mobile_phone,
    )


def _columns(user: User) -> dict[str, Any]:
    return {
        "display_name": user.display_name,
        "comments": user.comments,
        "email": user.email,
        "mobile_phone": user.mobile_phone,
    }


USERS = Kind(
    "User",
    ram_users,
    first_digit="2",
    limit=1000,
    of_row=_user_of,
    columns=_columns,
    missing=lambda _account_id, _name: EntityNotExistError("User"),
)


class Users(Entities[User]):
    """The users of every account."""

    kind = USERS

    def _require_empty(self, connection: Connection, entity: User) -> None:
        for table, what in ((access_keys, "AccessKey"), (ram_memberships, "Group")):
            if connection.scalar(select(func.count()).where(table.c.user_id == entity.id)):
                raise DeleteConflictError(f"User.{what}")

"""The access keys of users: at most two each, so that one can take over from the other."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, update

from acksim.account.database import Database
from acksim.account.ram.errors import EntityNotExistError, RamLimitError
from acksim.account.ram.generations import Generations
from acksim.account.ram.identifiers import new_access_key
from acksim.account.ram.users import USERS
from acksim.account.tables import access_keys

_LIMIT = 2


@dataclass(frozen=True, slots=True)
class UserKey:
    """`secret` is there only when the key was just made."""

    id: str
    active: bool
    created: datetime
    secret: str = field(default="", repr=False)


class UserKeys:
    """The keys of every account's users. What changes here counts at the key's next call."""

    def __init__(
        self, database: Database, generations: Generations, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._generations = generations
        self._now = now

    async def create(self, account_id: str, user_name: str) -> UserKey:
        """Raises EntityNotExistError, RamLimitError."""
        key_id, secret = new_access_key()
        return await self.add(account_id, user_name, key_id, secret)

    async def add(self, account_id: str, user_name: str, key_id: str, secret: str) -> UserKey:
        """One that was chosen elsewhere, in a seed."""
        key = UserKey(key_id, True, self._now(), secret)

        def work(connection: Connection) -> UserKey:
            user = USERS.get(connection, account_id, user_name)
            count = select(func.count()).where(access_keys.c.user_id == user.id)
            if (connection.scalar(count) or 0) >= _LIMIT:
                raise RamLimitError("User.AccessKey")
            connection.execute(
                access_keys.insert().values(
                    id=key.id,
                    account_id=account_id,
                    secret=key.secret,
                    active=True,
                    created=key.created.timestamp(),
                    user_id=user.id,
                )
            )
            return key

        return await self._generations.change(account_id, work)

    async def all(self, account_id: str, user_name: str) -> list[UserKey]:
        """Oldest first."""

        def work(connection: Connection) -> list[UserKey]:
            user = USERS.get(connection, account_id, user_name)
            query = select(access_keys).where(access_keys.c.user_id == user.id)
            return [
                UserKey(row.id, row.active, datetime.fromtimestamp(row.created, UTC))
                for row in connection.execute(
                    query.order_by(access_keys.c.created, access_keys.c.id)
                )
            ]

        return await self._database.read(work)

    async def set_active(
        self, account_id: str, user_name: str, key_id: str, *, active: bool
    ) -> None:
        """Raises EntityNotExistError."""

        def work(connection: Connection) -> None:
            which = _which(connection, account_id, user_name, key_id)
            connection.execute(update(access_keys).where(which).values(active=active))

        await self._generations.change(account_id, work)

    async def delete(self, account_id: str, user_name: str, key_id: str) -> None:
        """Raises EntityNotExistError."""

        def work(connection: Connection) -> None:
            which = _which(connection, account_id, user_name, key_id)
            connection.execute(delete(access_keys).where(which))

        await self._generations.change(account_id, work)


def _which(
    connection: Connection, account_id: str, user_name: str, key_id: str
) -> ColumnElement[bool]:
    user = USERS.get(connection, account_id, user_name)
    which = and_(access_keys.c.id == key_id, access_keys.c.user_id == user.id)
    if not connection.scalar(select(func.count()).where(which)):
        raise EntityNotExistError("User.AccessKey")
    return which

"""What users, groups and roles have in common: an id, a name, a row, and how many there may be.

A name is found in any case, and nothing else of its kind and account may have it in another.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Table, delete, func, select, update

from acksim.account.database import Database
from acksim.account.ram.errors import DeleteConflictError, EntityAlreadyExistsError, RamLimitError
from acksim.account.ram.generations import Generations
from acksim.account.ram.held_policies import EntityType, Holder, held_policies
from acksim.account.ram.identifiers import new_id

_LONG_AGO = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Entity:
    """Somebody whom an account knows by name."""

    account_id: str
    id: str
    name: str
    created: datetime = field(default=_LONG_AGO, kw_only=True)
    updated: datetime = field(default=_LONG_AGO, kw_only=True)


E = TypeVar("E", bound=Entity)


@dataclass(frozen=True, slots=True)
class Kind(Generic[E]):
    """How one kind is kept: its table, the rest of its columns, and when an account has enough.

    `missing` makes the error for an account id and a name; ids begin with `first_digit`.
    """

    name: EntityType
    table: Table
    first_digit: str
    limit: int
    of_row: Callable[[Any], E]
    columns: Callable[[E], Mapping[str, Any]]
    missing: Callable[[str, str], Exception]

    def find(self, connection: Connection, account_id: str, name: str) -> E | None:
        columns = self.table.c
        query = select(self.table).where(
            columns.account_id == account_id, columns.name_key == name.lower()
        )
        row = connection.execute(query).first()
        return None if row is None else self.of_row(row)

    def get(self, connection: Connection, account_id: str, name: str) -> E:
        """Raises what `missing` makes."""
        found = self.find(connection, account_id, name)
        if found is None:
            raise self.missing(account_id, name)
        return found

    def insert(self, connection: Connection, entity: E, now: datetime) -> E:
        """With the id and the times it gets. Raises EntityAlreadyExistsError, RamLimitError."""
        if self.find(connection, entity.account_id, entity.name) is not None:
            raise EntityAlreadyExistsError(self.name)
        mine = self.table.c.account_id == entity.account_id
        if (connection.scalar(select(func.count()).where(mine)) or 0) >= self.limit:
            raise RamLimitError(self.name)
        made = replace(entity, id=new_id(self.first_digit), created=now, updated=now)
        connection.execute(self.table.insert().values(self._row(made)))
        return made

    def replace(self, connection: Connection, entity: E) -> None:
        """Raises EntityAlreadyExistsError when it takes another one's name."""
        other = self.find(connection, entity.account_id, entity.name)
        if other is not None and other.id != entity.id:
            raise EntityAlreadyExistsError(self.name)
        changed = update(self.table).where(self.table.c.id == entity.id)
        connection.execute(changed.values(self._row(entity)))

    def _row(self, entity: E) -> dict[str, Any]:
        return {
            "id": entity.id,
            "account_id": entity.account_id,
            "name_key": entity.name.lower(),
            "name": entity.name,
            "created": entity.created.timestamp(),
            "updated": entity.updated.timestamp(),
            **self.columns(entity),
        }


class Entities(Generic[E]):
    """All of one kind, of every account."""

    kind: Kind[E]

    def __init__(
        self, database: Database, generations: Generations, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._generations = generations
        self._now = now

    async def find(self, account_id: str, name: str) -> E | None:
        kind = self.kind
        return await self._database.read(lambda connection: kind.find(connection, account_id, name))

    async def get(self, account_id: str, name: str) -> E:
        """Raises the kind's error for a name that nobody has."""
        kind = self.kind
        return await self._database.read(lambda connection: kind.get(connection, account_id, name))

    async def all(self, account_id: str) -> list[E]:
        """In the order of names."""
        table, of_row = self.kind.table, self.kind.of_row
        query = select(table).where(table.c.account_id == account_id).order_by(table.c.name_key)
        return await self._database.read(
            lambda connection: [of_row(row) for row in connection.execute(query)]
        )

    async def create(self, entity: E) -> E:
        """With the id and the times it gets. Raises EntityAlreadyExistsError, RamLimitError."""
        now = self._now()
        return await self._generations.change(
            entity.account_id, lambda connection: self.kind.insert(connection, entity, now)
        )

    async def update(self, account_id: str, name: str, /, **changes: Any) -> E:
        """Fields by name; None leaves one as it is. Raises EntityAlreadyExistsError."""
        chosen = {field: value for field, value in changes.items() if value is not None}

        def work(connection: Connection) -> E:
            known = self.kind.get(connection, account_id, name)
            changed = replace(known, **chosen, updated=self._now())
            self.kind.replace(connection, changed)
            return changed

        return await self._generations.change(account_id, work)

    async def delete(self, account_id: str, name: str) -> None:
        """Of one that has nothing any more. Raises DeleteConflictError."""
        kind = self.kind

        def work(connection: Connection) -> None:
            entity = kind.get(connection, account_id, name)
            if held_policies(connection, Holder(account_id, kind.name, entity.id)):
                raise DeleteConflictError(f"{kind.name}.Policy")
            self._require_empty(connection, entity)
            connection.execute(delete(kind.table).where(kind.table.c.id == entity.id))

        await self._generations.change(account_id, work)

    def _require_empty(self, connection: Connection, entity: E) -> None:
        """Raises DeleteConflictError for what an entity of this kind has besides policies."""


def entity_fields(row: Any) -> dict[str, Any]:
    """The fields of every Entity, from its row."""
    return {
        "account_id": row.account_id,
        "id": row.id,
        "name": row.name,
        "created": datetime.fromtimestamp(row.created, UTC),
        "updated": datetime.fromtimestamp(row.updated, UTC),
    }

"""Policies: those of the system, which nobody changes, and an account's own with their versions."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import orjson
from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, update

from sim.account.database import Database
from sim.account.ram.documents import policy_document
from sim.account.ram.errors import (
    DeleteConflictError,
    EntityAlreadyExistsError,
    EntityNotExistError,
    RamLimitError,
)
from sim.account.ram.generations import Generations
from sim.account.ram.system_policies import SystemPolicy, system_policies, system_policy
from sim.account.ram.tables import ram_attachments, ram_policies, ram_policy_versions

PolicyType = Literal["System", "Custom"]
POLICY_TYPES: tuple[PolicyType, ...] = get_args(PolicyType)
_LIMIT = 200
_VERSIONS = 5
_LONG_AGO = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Policy:
    """`document` is that of the default version. `attachments` counts those in this account."""

    type: PolicyType
    name: str
    document: str
    description: str = ""
    default_version: int = 1
    last_version: int = 1
    tags: Mapping[str, str] = field(default_factory=dict)
    created: datetime = _LONG_AGO
    updated: datetime = _LONG_AGO
    attachments: int = 0


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """What a policy said or says."""

    number: int
    document: str
    created: datetime
    default: bool

    @property
    def id(self) -> str:
        return f"v{self.number}"


class Policies:
    """The policies that each account can see: its own and the system's."""

    def __init__(
        self, database: Database, generations: Generations, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._generations = generations
        self._now = now

    async def get(self, account_id: str, type_: PolicyType, name: str) -> Policy:
        """Raises EntityNotExistError."""
        return await self._database.run(
            lambda connection: get_policy(connection, account_id, type_, name)
        )

    async def all(self, account_id: str, types: tuple[PolicyType, ...]) -> list[Policy]:
        """In the order of names."""

        def work(connection: Connection) -> list[Policy]:
            found: list[Policy] = []
            if "System" in types:
                found += [_of_system(policy) for policy in system_policies().values()]
            if "Custom" in types:
                query = _query(ram_policies.c.account_id == account_id)
                found += [_policy(row) for row in connection.execute(query)]
            counts = _attachment_counts(connection, account_id)
            return [
                replace(policy, attachments=counts.get((policy.type, policy.name.lower()), 0))
                for policy in sorted(found, key=lambda policy: policy.name.lower())
            ]

        return await self._database.run(work)

    async def create(self, account_id: str, policy: Policy) -> Policy:
        """Raises MalformedPolicyError, EntityAlreadyExistsError, RamLimitError."""
        policy_document(policy.document)
        now = self._now()
        made = replace(policy, created=now, updated=now)

        def work(connection: Connection) -> Policy:
            if find_policy(connection, account_id, "Custom", made.name) is not None:
                raise EntityAlreadyExistsError("Policy")
            count = select(func.count()).where(ram_policies.c.account_id == account_id)
            if (connection.scalar(count) or 0) >= _LIMIT:
                raise RamLimitError("Policy")
            connection.execute(
                ram_policies.insert().values(
                    account_id=account_id,
                    name_key=made.name.lower(),
                    name=made.name,
                    description=made.description,
                    default_version=1,
                    last_version=1,
                    tags=json.dumps(dict(made.tags), ensure_ascii=False),
                    created=now.timestamp(),
                    updated=now.timestamp(),
                )
            )
            _add_version(
                connection, account_id, made.name, PolicyVersion(1, made.document, now, True)
            )
            return made

        return await self._generations.change(account_id, work)

    async def describe_as(self, account_id: str, name: str, description: str) -> Policy:
        def work(connection: Connection) -> Policy:
            policy = get_policy(connection, account_id, "Custom", name)
            _write(connection, account_id, name, description=description, now=self._now())
            return replace(policy, description=description, updated=self._now())

        return await self._generations.change(account_id, work)

    async def delete(self, account_id: str, name: str, *, cascading: bool) -> None:
        """With its versions, if `cascading` or it has only one. Raises DeleteConflictError."""

        def work(connection: Connection) -> None:
            get_policy(connection, account_id, "Custom", name)
            query = select(ram_attachments.c.entity_type).where(_attached(account_id, name))
            holder = connection.scalar(query.order_by(ram_attachments.c.entity_type).limit(1))
            if holder is not None:
                raise DeleteConflictError(f"Policy.{holder}")
            if not cascading and len(_versions(connection, account_id, name)) > 1:
                raise DeleteConflictError("Policy.Version")
            for table in (ram_policy_versions, ram_policies):
                connection.execute(
                    delete(table).where(
                        table.c.account_id == account_id, table.c.name_key == name.lower()
                    )
                )

        await self._generations.change(account_id, work)

    async def versions(self, account_id: str, type_: PolicyType, name: str) -> list[PolicyVersion]:
        """Oldest first. Of a system policy there is the current one alone."""

        def work(connection: Connection) -> list[PolicyVersion]:
            policy = get_policy(connection, account_id, type_, name)
            if type_ == "System":
                return [
                    PolicyVersion(policy.default_version, policy.document, policy.created, True)
                ]
            return _versions(connection, account_id, name)

        return await self._database.run(work)

    async def create_version(
        self, account_id: str, name: str, document: str, *, default: bool, rotate: bool
    ) -> PolicyVersion:
        """With `rotate`, a full history makes room. Raises RamLimitError, MalformedPolicyError."""
        policy_document(document)

        def work(connection: Connection) -> PolicyVersion:
            policy = get_policy(connection, account_id, "Custom", name)
            versions = _versions(connection, account_id, name)
            if len(versions) >= _VERSIONS:
                if not rotate:
                    raise RamLimitError("Policy.Version")
                oldest = next(version for version in versions if not version.default)
                _delete_version(connection, account_id, name, oldest.number)
            now, number = self._now(), policy.last_version + 1
            made = PolicyVersion(number, document, now, default)
            _add_version(connection, account_id, name, made)
            chosen = {"default_version": number} if default else {}
            _write(connection, account_id, name, now=now, last_version=number, **chosen)
            return made

        return await self._generations.change(account_id, work)

    async def set_default_version(self, account_id: str, name: str, number: int) -> None:
        def work(connection: Connection) -> None:
            _get_version(connection, account_id, name, number)
            _write(connection, account_id, name, now=self._now(), default_version=number)

        await self._generations.change(account_id, work)

    async def delete_version(self, account_id: str, name: str, number: int) -> None:
        """Raises DeleteConflictError for the default version."""

        def work(connection: Connection) -> None:
            if _get_version(connection, account_id, name, number).default:
                raise DeleteConflictError("Policy.Version.Default")
            _delete_version(connection, account_id, name, number)

        await self._generations.change(account_id, work)


def find_policy(
    connection: Connection, account_id: str, type_: PolicyType, name: str
) -> Policy | None:
    if type_ == "System":
        known = system_policy(name)
        policy = None if known is None else _of_system(known)
    else:
        query = _query(_named(account_id, name))
        row = connection.execute(query).first()
        policy = None if row is None else _policy(row)
    if policy is None:
        return None
    count = select(func.count()).where(_attached(account_id, name, type_))
    return replace(policy, attachments=connection.scalar(count) or 0)


def get_policy(connection: Connection, account_id: str, type_: PolicyType, name: str) -> Policy:
    """Raises EntityNotExistError."""
    policy = find_policy(connection, account_id, type_, name)
    if policy is None:
        raise EntityNotExistError("Policy")
    return policy


def _query(which: ColumnElement[bool]) -> Any:
    """Rows of policies with their default documents."""
    default = and_(
        ram_policy_versions.c.account_id == ram_policies.c.account_id,
        ram_policy_versions.c.name_key == ram_policies.c.name_key,
        ram_policy_versions.c.number == ram_policies.c.default_version,
    )
    joined = ram_policies.join(ram_policy_versions, default)
    return select(ram_policies, ram_policy_versions.c.document).select_from(joined).where(which)


def _named(account_id: str, name: str) -> ColumnElement[bool]:
    return and_(ram_policies.c.account_id == account_id, ram_policies.c.name_key == name.lower())


def _attached(account_id: str, name: str, type_: PolicyType = "Custom") -> ColumnElement[bool]:
    return and_(
        ram_attachments.c.account_id == account_id,
        ram_attachments.c.policy_type == type_,
        ram_attachments.c.policy_key == name.lower(),
    )


def _attachment_counts(connection: Connection, account_id: str) -> dict[tuple[str, str], int]:
    columns = (ram_attachments.c.policy_type, ram_attachments.c.policy_key)
    query = (
        select(*columns, func.count())
        .where(ram_attachments.c.account_id == account_id)
        .group_by(*columns)
    )
    return {(type_, key): count for type_, key, count in connection.execute(query)}


def _write(
    connection: Connection, account_id: str, name: str, *, now: datetime, **values: Any
) -> None:
    statement = update(ram_policies).where(_named(account_id, name))
    connection.execute(statement.values(updated=now.timestamp(), **values))


def _version_named(account_id: str, name: str) -> ColumnElement[bool]:
    table = ram_policy_versions
    return and_(table.c.account_id == account_id, table.c.name_key == name.lower())


def _versions(connection: Connection, account_id: str, name: str) -> list[PolicyVersion]:
    current = select(ram_policies.c.default_version).where(_named(account_id, name))
    default = connection.scalar(current)
    query = select(ram_policy_versions).where(_version_named(account_id, name))
    return [
        PolicyVersion(
            row.number,
            row.document,
            datetime.fromtimestamp(row.created, UTC),
            row.number == default,
        )
        for row in connection.execute(query.order_by(ram_policy_versions.c.number))
    ]


def _get_version(connection: Connection, account_id: str, name: str, number: int) -> PolicyVersion:
    get_policy(connection, account_id, "Custom", name)
    for version in _versions(connection, account_id, name):
        if version.number == number:
            return version
    raise EntityNotExistError("Policy.Version")


def _add_version(
    connection: Connection, account_id: str, name: str, version: PolicyVersion
) -> None:
    connection.execute(
        ram_policy_versions.insert().values(
            account_id=account_id,
            name_key=name.lower(),
            number=version.number,
            document=version.document,
            created=version.created.timestamp(),
        )
    )


def _delete_version(connection: Connection, account_id: str, name: str, number: int) -> None:
    which = and_(_version_named(account_id, name), ram_policy_versions.c.number == number)
    connection.execute(delete(ram_policy_versions).where(which))


def _policy(row: Any) -> Policy:
    return Policy(
        type="Custom",
        name=row.name,
        document=row.document,
        description=row.description,
        default_version=row.default_version,
        last_version=row.last_version,
        tags=orjson.loads(row.tags),
        created=datetime.fromtimestamp(row.created, UTC),
        updated=datetime.fromtimestamp(row.updated, UTC),
    )


def _of_system(policy: SystemPolicy) -> Policy:
    return Policy(
        type="System",
        name=policy.name,
        document=policy.document,
        description=policy.description,
        default_version=policy.version,
        last_version=policy.version,
        created=policy.created,
        updated=policy.created,
    )

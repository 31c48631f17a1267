"""Policies in their tables: an account's own and their versions, beside those of the system."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import orjson
from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, update

from acksim.account.ram.errors import EntityNotExistError
from acksim.account.ram.system_policies import SystemPolicy, system_policies, system_policy
from acksim.account.ram.tables import ram_attachments, ram_policies, ram_policy_versions

PolicyType = Literal["System", "Custom"]
POLICY_TYPES: tuple[PolicyType, ...] = get_args(PolicyType)
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


def all_policies(
    connection: Connection, account_id: str, types: tuple[PolicyType, ...]
) -> list[Policy]:
    """In the order of names."""
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


def count_policies(connection: Connection, account_id: str) -> int:
    """Of the account's own."""
    query = select(func.count()).where(ram_policies.c.account_id == account_id)
    return connection.scalar(query) or 0


def kind_of_holder(connection: Connection, account_id: str, name: str) -> str | None:
    """Of anyone that has the account's policy: User, Group or Role."""
    column = ram_attachments.c.entity_type
    query = select(column).where(_attached(account_id, name)).order_by(column).limit(1)
    found: str | None = connection.scalar(query)
    return found


def insert_policy(connection: Connection, account_id: str, policy: Policy) -> None:
    """With its document as its first version."""
    connection.execute(
        ram_policies.insert().values(
            account_id=account_id,
            name_key=policy.name.lower(),
            name=policy.name,
            description=policy.description,
            default_version=1,
            last_version=1,
            tags=json.dumps(dict(policy.tags), ensure_ascii=False),
            created=policy.created.timestamp(),
            updated=policy.updated.timestamp(),
        )
    )
    first = PolicyVersion(1, policy.document, policy.created, True)
    add_version(connection, account_id, policy.name, first)


def delete_policy(connection: Connection, account_id: str, name: str) -> None:
    """With all its versions."""
    connection.execute(delete(ram_policy_versions).where(_version_named(account_id, name)))
    connection.execute(delete(ram_policies).where(_named(account_id, name)))


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


def write_policy(
    connection: Connection, account_id: str, name: str, *, now: datetime, **values: Any
) -> None:
    statement = update(ram_policies).where(_named(account_id, name))
    connection.execute(statement.values(updated=now.timestamp(), **values))


def _version_named(account_id: str, name: str) -> ColumnElement[bool]:
    table = ram_policy_versions
    return and_(table.c.account_id == account_id, table.c.name_key == name.lower())


def versions_of(connection: Connection, account_id: str, name: str) -> list[PolicyVersion]:
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


def get_version(connection: Connection, account_id: str, name: str, number: int) -> PolicyVersion:
    get_policy(connection, account_id, "Custom", name)
    for version in versions_of(connection, account_id, name):
        if version.number == number:
            return version
    raise EntityNotExistError("Policy.Version")


def add_version(connection: Connection, account_id: str, name: str, version: PolicyVersion) -> None:
    connection.execute(
        ram_policy_versions.insert().values(
            account_id=account_id,
            name_key=name.lower(),
            number=version.number,
            document=version.document,
            created=version.created.timestamp(),
        )
    )


def delete_version(connection: Connection, account_id: str, name: str, number: int) -> None:
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

"""Which policies a user, a group or a role holds: the table of attachments."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select

from acksim.account.ram.errors import EntityAlreadyExistsError, EntityNotExistError, RamLimitError
from acksim.account.ram.policy_rows import Policy, PolicyType, find_policy, get_policy
from acksim.account.ram.tables import ram_attachments

EntityType = Literal["User", "Group", "Role"]
_LIMITS: dict[PolicyType, int] = {"System": 20, "Custom": 5}


@dataclass(frozen=True, slots=True)
class Holder:
    """A user, group or role, by its id."""

    account_id: str
    type: EntityType
    id: str


@dataclass(frozen=True, slots=True)
class HeldPolicy:
    """A policy, and since when."""

    policy: Policy
    attached: datetime


def held_policies(connection: Connection, holder: Holder) -> list[HeldPolicy]:
    """In the order of names."""
    query = select(ram_attachments).where(_of(holder)).order_by(ram_attachments.c.policy_key)
    found = [
        (find_policy(connection, holder.account_id, row.policy_type, row.policy_key), row.attached)
        for row in connection.execute(query).all()
    ]
    return [
        HeldPolicy(policy, datetime.fromtimestamp(attached, UTC))
        for policy, attached in found
        if policy is not None
    ]


def attach(
    connection: Connection, holder: Holder, type_: PolicyType, name: str, now: datetime
) -> None:
    """Raises EntityNotExistError, EntityAlreadyExistsError, RamLimitError."""
    get_policy(connection, holder.account_id, type_, name)
    if connection.scalar(select(func.count()).where(_which(holder, type_, name))):
        raise EntityAlreadyExistsError(f"{holder.type}.Policy")
    same_type = and_(_of(holder), ram_attachments.c.policy_type == type_)
    if (connection.scalar(select(func.count()).where(same_type)) or 0) >= _LIMITS[type_]:
        raise RamLimitError(f"{holder.type}.Policy")
    connection.execute(
        ram_attachments.insert().values(
            account_id=holder.account_id,
            entity_type=holder.type,
            entity_id=holder.id,
            policy_type=type_,
            policy_key=name.lower(),
            attached=now.timestamp(),
        )
    )


def detach(connection: Connection, holder: Holder, type_: PolicyType, name: str) -> None:
    """Raises EntityNotExistError."""
    get_policy(connection, holder.account_id, type_, name)
    if connection.execute(delete(ram_attachments).where(_which(holder, type_, name))).rowcount != 1:
        raise EntityNotExistError(f"{holder.type}.Policy")


def holders(
    connection: Connection, account_id: str, type_: PolicyType, name: str
) -> list[tuple[Holder, datetime]]:
    """Who holds the policy, and since when."""
    query = select(ram_attachments).where(
        ram_attachments.c.account_id == account_id,
        ram_attachments.c.policy_type == type_,
        ram_attachments.c.policy_key == name.lower(),
    )
    return [
        (
            Holder(account_id, row.entity_type, row.entity_id),
            datetime.fromtimestamp(row.attached, UTC),
        )
        for row in connection.execute(query.order_by(ram_attachments.c.entity_id))
    ]


def _of(holder: Holder) -> ColumnElement[bool]:
    return and_(
        ram_attachments.c.account_id == holder.account_id,
        ram_attachments.c.entity_type == holder.type,
        ram_attachments.c.entity_id == holder.id,
    )


def _which(holder: Holder, type_: PolicyType, name: str) -> ColumnElement[bool]:
    return and_(
        _of(holder),
        ram_attachments.c.policy_type == type_,
        ram_attachments.c.policy_key == name.lower(),
    )

"""Policies: those of the system, which nobody changes, and an account's own with their versions."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from acksim.account.database import Database
from acksim.account.ram.documents import policy_document
from acksim.account.ram.errors import DeleteConflictError, EntityAlreadyExistsError, RamLimitError
from acksim.account.ram.generations import Generations
from acksim.account.ram.policy_rows import (
    Policy,
    PolicyType,
    PolicyVersion,
    add_version,
    all_policies,
    count_policies,
    delete_policy,
    delete_version,
    find_policy,
    get_policy,
    get_version,
    insert_policy,
    kind_of_holder,
    versions_of,
    write_policy,
)

_LIMIT = 200
_VERSIONS = 5


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
        return await self._database.read(
            lambda connection: get_policy(connection, account_id, type_, name)
        )

    async def all(self, account_id: str, types: tuple[PolicyType, ...]) -> list[Policy]:
        """In the order of names."""

        return await self._database.read(
            lambda connection: all_policies(connection, account_id, types)
        )

    async def create(self, account_id: str, policy: Policy) -> Policy:
        """Raises MalformedPolicyError, EntityAlreadyExistsError, RamLimitError."""
        policy_document(policy.document)
        now = self._now()
        made = replace(policy, created=now, updated=now)

        def work(connection: Connection) -> Policy:
            if find_policy(connection, account_id, "Custom", made.name) is not None:
                raise EntityAlreadyExistsError("Policy")
            if count_policies(connection, account_id) >= _LIMIT:
                raise RamLimitError("Policy")
            insert_policy(connection, account_id, made)
            return made

        return await self._generations.change(account_id, work)

    async def describe_as(self, account_id: str, name: str, description: str) -> Policy:
        def work(connection: Connection) -> Policy:
            policy = get_policy(connection, account_id, "Custom", name)
            write_policy(connection, account_id, name, description=description, now=self._now())
            return replace(policy, description=description, updated=self._now())

        return await self._generations.change(account_id, work)

    async def delete(self, account_id: str, name: str, *, cascading: bool) -> None:
        """With its versions, if `cascading` or it has only one. Raises DeleteConflictError."""

        def work(connection: Connection) -> None:
            get_policy(connection, account_id, "Custom", name)
            holder = kind_of_holder(connection, account_id, name)
            if holder is not None:
                raise DeleteConflictError(f"Policy.{holder}")
            if not cascading and len(versions_of(connection, account_id, name)) > 1:
                raise DeleteConflictError("Policy.Version")
            delete_policy(connection, account_id, name)

        await self._generations.change(account_id, work)

    async def versions(self, account_id: str, type_: PolicyType, name: str) -> list[PolicyVersion]:
        """Oldest first. Of a system policy there is the current one alone."""

        def work(connection: Connection) -> list[PolicyVersion]:
            policy = get_policy(connection, account_id, type_, name)
            if type_ == "System":
                return [
                    PolicyVersion(policy.default_version, policy.document, policy.created, True)
                ]
            return versions_of(connection, account_id, name)

        return await self._database.read(work)

    async def create_version(
        self, account_id: str, name: str, document: str, *, default: bool, rotate: bool
    ) -> PolicyVersion:
        """With `rotate`, a full history makes room. Raises RamLimitError, MalformedPolicyError."""
        policy_document(document)

        def work(connection: Connection) -> PolicyVersion:
            policy = get_policy(connection, account_id, "Custom", name)
            versions = versions_of(connection, account_id, name)
            if len(versions) >= _VERSIONS:
                if not rotate:
                    raise RamLimitError("Policy.Version")
                oldest = next(version for version in versions if not version.default)
                delete_version(connection, account_id, name, oldest.number)
            now, number = self._now(), policy.last_version + 1
            made = PolicyVersion(number, document, now, default)
            add_version(connection, account_id, name, made)
            chosen = {"default_version": number} if default else {}
            write_policy(connection, account_id, name, now=now, last_version=number, **chosen)
            return made

        return await self._generations.change(account_id, work)

    async def set_default_version(self, account_id: str, name: str, number: int) -> None:
        def work(connection: Connection) -> None:
            get_version(connection, account_id, name, number)
            write_policy(connection, account_id, name, now=self._now(), default_version=number)

        await self._generations.change(account_id, work)

    async def delete_version(self, account_id: str, name: str, number: int) -> None:
        """Raises DeleteConflictError for the default version."""

        def work(connection: Connection) -> None:
            if get_version(connection, account_id, name, number).default:
                raise DeleteConflictError("Policy.Version.Default")
            delete_version(connection, account_id, name, number)

        await self._generations.change(account_id, work)

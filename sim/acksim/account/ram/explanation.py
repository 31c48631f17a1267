"""Why somebody may or may not: for the account's owner, never for whom a policy stops."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection

from acksim.account.database import Database
from acksim.account.ram.authorizer import policies_of
from acksim.account.ram.evaluation import NamedDocument, PolicySet, Verdict
from acksim.account.ram.held_policies import Holder
from acksim.account.ram.roles import ROLES
from acksim.account.ram.users import USERS

_ROLE = "role/"
_USER = "user/"


@dataclass(frozen=True, slots=True)
class Explanation:
    """`held` are all policies that were asked; `statement` is the one that decided."""

    principal: str
    verdict: Verdict
    held: tuple[NamedDocument, ...]
    statement: Mapping[str, Any] | None

    def as_json(self) -> dict[str, Any]:
        match = self.verdict.match
        return {
            "principal": self.principal,
            "decision": self.verdict.decision.value,
            "reason": str(self.verdict),
            "policy": match
            and {
                "type": match.policy_type,
                "name": match.policy_name,
                "version": match.version,
                "statement": match.statement,
                "attached_to": match.attached_to,
            },
            "statement": self.statement,
            "held": [f"{one.policy_type} {one.name} ({one.attached_to})" for one in self.held],
        }


async def explain(
    database: Database,
    account_id: str,
    principal: str,
    question: tuple[str, str],
    context: Mapping[str, str],
) -> Explanation:
    """`principal`: a user's name, or role/<name>; `question`: an action and a resource.

    Raises EntityNotExistError, RoleNotExistError.
    """

    def work(connection: Connection) -> tuple[str, list[NamedDocument]]:
        if principal.startswith(_ROLE):
            role = ROLES.get(connection, account_id, principal.removeprefix(_ROLE))
            return role.arn, policies_of(connection, Holder(account_id, "Role", role.id))
        user = USERS.get(connection, account_id, principal.removeprefix(_USER))
        return user.arn, policies_of(connection, Holder(account_id, "User", user.id))

    arn, held = await database.read(work)
    verdict = PolicySet(held).decide(*question, context)
    return Explanation(arn, verdict, tuple(held), _statement(verdict, held))


def _statement(verdict: Verdict, held: list[NamedDocument]) -> Mapping[str, Any] | None:
    match = verdict.match
    if match is None:
        return None
    for one in held:
        if (one.policy_type, one.name, one.attached_to) == (
            match.policy_type,
            match.policy_name,
            match.attached_to,
        ):
            return _as_written(one.document, match.statement)
    return None


def _as_written(document: str, number: int) -> Mapping[str, Any] | None:
    """None for a stored document that denies because it cannot be read."""
    try:
        statement = orjson.loads(document)["Statement"][number]
    except (ValueError, LookupError, TypeError):
        return None
    return statement if isinstance(statement, dict) else None

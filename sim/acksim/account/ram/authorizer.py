"""The gateway's Authorizer: what an account's users and roles may, by their policies."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from acksim.account.database import Database
from acksim.account.ram.diagnostics import Diagnostics
from acksim.account.ram.evaluation import NamedDocument, PolicySet, Rights, Verdict
from acksim.account.ram.generations import Generations
from acksim.account.ram.groups import groups_of_user
from acksim.account.ram.held_policies import EntityType, Holder, held_policies
from acksim.account.ram.tables import ram_roles, ram_users
from acksim.account.tables import sts_sessions
from alibaba_edge.ports import Caller, Decision

logger = logging.getLogger(__name__)

_OWNER = Verdict(Decision.ALLOW)
_NO_RIGHTS = Rights(PolicySet(()))
_MOST_KEPT = 4096


@dataclass(frozen=True, slots=True)
class _Kept:
    generation: int
    rights: Rights


class RamAuthorizer:
    """Rights are kept, ready to be asked, for as long as the account's generation is the same."""

    def __init__(self, database: Database, generations: Generations) -> None:
        self._database = database
        self._generations = generations
        self._diagnostics = Diagnostics(database)
        self._kept: dict[str, _Kept] = {}

    async def decide(
        self, caller: Caller, action: str, /, *, resource: str, context: Mapping[str, str]
    ) -> Decision:
        verdict = await self.verdict(caller, action, resource=resource, context=context)
        if verdict.decision is not Decision.ALLOW:
            logger.info("%s may not %s on %s: %s", caller.arn, action, resource, verdict)
        return verdict.decision

    async def verdict(
        self, caller: Caller, action: str, *, resource: str, context: Mapping[str, str]
    ) -> Verdict:
        """The decision with the statement that made it. An account's owner may do everything."""
        if caller.kind == "root-account":
            return _OWNER
        generation = await self._generations.current(caller.account_id)
        kept = self._kept.get(caller.access_key_id)
        if kept is None or kept.generation != generation:
            kept = _Kept(generation, await self._load(caller))
            self._keep(caller.access_key_id, kept)
        return kept.rights.decide(action, resource, context)

    async def diagnose(
        self, caller: Caller, action: str, /, *, resource: str, context: Mapping[str, str]
    ) -> str:
        """The verdict, sealed for whoever may decode it."""
        verdict = await self.verdict(caller, action, resource=resource, context=context)
        return await self._diagnostics.encode(caller, verdict, (action, resource), context)

    def _keep(self, access_key_id: str, kept: _Kept) -> None:
        if len(self._kept) >= _MOST_KEPT and access_key_id not in self._kept:
            del self._kept[next(iter(self._kept))]  # the oldest: sessions come and go
        self._kept[access_key_id] = kept

    async def _load(self, caller: Caller) -> Rights:
        entity: EntityType = "User" if caller.kind == "ram-user" else "Role"
        entity_id, _, _ = caller.principal_id.partition(":")
        holder = Holder(caller.account_id, entity, entity_id)
        policy = select(sts_sessions.c.policy).where(
            sts_sessions.c.access_key_id == caller.access_key_id
        )

        def work(connection: Connection) -> Rights:
            identity = PolicySet(policies_of(connection, holder))
            if entity == "User":
                return Rights(identity)
            row = connection.execute(policy).first()
            if row is None:  # whatever narrowed the session is gone, and so are its rights
                return _NO_RIGHTS
            if not row.policy:
                return Rights(identity)
            session = f"session {caller.user_name}"
            limit = NamedDocument("Session", "policy", "v1", row.policy, session)
            return Rights(identity, PolicySet((limit,)))

        return await self._database.read(work)


def policies_of(connection: Connection, holder: Holder) -> list[NamedDocument]:
    """Its own, and for a user those of its groups. Nothing for one that is gone."""
    table = ram_users if holder.type == "User" else ram_roles
    name = connection.scalar(
        select(table.c.name).where(table.c.id == holder.id, table.c.account_id == holder.account_id)
    )
    if name is None:
        return []
    found = _documents(connection, holder, name)
    if holder.type == "User":
        for group, _ in groups_of_user(connection, holder.id):
            inside = Holder(holder.account_id, "Group", group.id)
            found += _documents(connection, inside, group.name)
    return found


def _documents(connection: Connection, holder: Holder, name: str) -> list[NamedDocument]:
    return [
        NamedDocument(
            held.policy.type,
            held.policy.name,
            f"v{held.policy.default_version}",
            held.policy.document,
            f"{holder.type.lower()} {name}",
        )
        for held in held_policies(connection, holder)
    ]

"""The gateway's Authorizer: sessions with a policy, what it logs, what it remembers."""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, event

from acksim.account.ram import authorizer as authorizer_module
from acksim.account.ram.policy_rows import Policy
from acksim.account.ram.roles import MANAGED_SECURITY_ROLE
from acksim.account.sts.sessions import NewSession, Sessions
from acksim.account.tables import sts_sessions
from alibaba_edge.ports import Caller, Decision
from tests.unit.acksim.ram.conftest import NOW, Room

ALLOW, IMPLICIT, EXPLICIT = Decision


def document(effect: str, action: str) -> str:
    statement = {"Effect": effect, "Action": action, "Resource": "*"}
    return json.dumps({"Version": "1", "Statement": [statement]})


async def decide(room: Room, caller: Caller, action: str) -> Decision:
    resource = f"acs:kms:cn-hangzhou:{room.account}:key/k"
    return await room.authorizer.decide(caller, action, resource=resource, context={})


async def session(room: Room, policy: str | None) -> Caller:
    """Of the managed role, with a policy of its own."""
    role = await room.ram.roles.get(room.account, MANAGED_SECURITY_ROLE)
    new = NewSession("s1", timedelta(hours=1), policy=policy)
    made = await Sessions(room.database, lambda: NOW).begin(role, new)
    key = await room.credentials.access_key(made.access_key_id)
    assert key is not None
    return key.caller


async def test_the_policy_of_a_session_narrows_its_role(room: Room) -> None:
    caller = await session(room, document("Allow", "kms:De*"))
    assert await decide(room, caller, "kms:Decrypt") is ALLOW
    assert await decide(room, caller, "kms:Encrypt") is IMPLICIT
    assert await decide(room, caller, "kms:DeleteAlias") is IMPLICIT  # the role may not
    other = await session(room, None)
    assert await decide(room, other, "kms:Encrypt") is ALLOW


async def test_a_session_that_is_forgotten_may_do_nothing(room: Room) -> None:
    caller = await session(room, document("Allow", "kms:De*"))
    forget = delete(sts_sessions).where(sts_sessions.c.access_key_id == caller.access_key_id)
    await room.database.run(lambda connection: connection.execute(forget))
    assert await decide(room, caller, "kms:Decrypt") is IMPLICIT


async def test_sessions_of_a_role_that_is_gone_may_do_nothing(room: Room) -> None:
    caller = await session(room, None)
    assert await decide(room, caller, "kms:Decrypt") is ALLOW
    role, policy = ("Role", MANAGED_SECURITY_ROLE), f"{MANAGED_SECURITY_ROLE}Policy"
    await room.ram.attachments.detach(room.account, ("Role", role[1]), ("System", policy))
    assert await decide(room, caller, "kms:Decrypt") is IMPLICIT
    found = await room.ram.roles.get(room.account, MANAGED_SECURITY_ROLE)
    await room.ram.roles.delete(room.account, MANAGED_SECURITY_ROLE)
    await room.ram.roles.create(found)  # the same name, and yet another role
    await room.ram.attachments.attach(room.account, ("Role", role[1]), ("System", policy))
    assert await decide(room, caller, "kms:Decrypt") is IMPLICIT


async def test_a_refusal_is_logged_with_its_statement(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    alice = await room.user("alice")
    await room.ram.policies.create(
        room.account, Policy("Custom", "no-keys", document("Deny", "kms:*"))
    )
    caplog.set_level(logging.INFO, logger=authorizer_module.__name__)
    await decide(room, alice, "kms:CreateKey")
    await room.ram.attachments.attach(room.account, ("User", "alice"), ("Custom", "no-keys"))
    await decide(room, alice, "kms:CreateKey")
    implicit, explicit = (record.getMessage() for record in caplog.records)
    assert "user/alice may not kms:CreateKey on acs:kms:" in implicit
    assert "no statement allows it" in implicit
    assert "Deny by statement 0 of Custom policy no-keys v1 (user alice)" in explicit


def count_statements(room: Room) -> tuple[list[str], Callable[[], None]]:
    """The SQL that is executed from now on."""
    seen: list[str] = []
    engine = room.database._reading_engine

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    return seen, lambda: event.remove(engine, "before_cursor_execute", note)


async def test_decisions_ask_the_database_only_after_a_change(room: Room) -> None:
    alice = await room.user("alice")
    await decide(room, alice, "kms:Encrypt")
    seen, stop = count_statements(room)
    for _ in range(10):
        await decide(room, alice, "kms:Encrypt")
    assert seen == []
    await room.user("bob")
    await decide(room, alice, "kms:Encrypt")
    assert seen
    stop()


async def test_a_change_during_a_decision_is_not_forgotten(room: Room) -> None:
    """Decisions and changes at once: after the last change, every decision knows it."""
    alice = await room.user("alice")
    policies = room.ram.policies
    await policies.create(room.account, Policy("Custom", "kms", document("Allow", "kms:*")))
    held = (room.account, ("User", "alice"), ("Custom", "kms"))
    busy = True

    async def ask() -> None:
        while busy:
            await decide(room, alice, "kms:Encrypt")
            await asyncio.sleep(0)

    asking = [asyncio.create_task(ask()) for _ in range(4)]
    for _ in range(25):
        await room.ram.attachments.attach(*held)  # type: ignore[arg-type]
        assert await decide(room, alice, "kms:Encrypt") is ALLOW
        await room.ram.attachments.detach(*held)  # type: ignore[arg-type]
        assert await decide(room, alice, "kms:Encrypt") is IMPLICIT
    busy = False
    await asyncio.gather(*asking)


async def test_what_is_remembered_is_bounded(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorizer_module, "_MOST_KEPT", 3)
    for number in range(5):
        await decide(room, await room.user(f"user-{number}"), "kms:Encrypt")
    assert len(room.authorizer._kept) == 3

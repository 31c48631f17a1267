"""How much an account may have, and what must go before what."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from acksim.account.ram.groups import Group
from acksim.account.ram.policy_rows import Policy
from acksim.account.ram.roles import Role
from acksim.account.ram.users import USERS, User, Users
from alibaba_edge.errors import ApiError
from tests.unit.acksim.ram.conftest import Room

ALLOWED = '{"Version":"1","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}'
TRUST = (
    '{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",'
    '"Principal":{"Service":"ecs.aliyuncs.com"}}]}'
)


async def code(work: Awaitable[object]) -> str:
    try:
        await work
    except ApiError as error:
        return error.code
    return ""


@pytest.mark.parametrize(
    ("kind", "most"), [("User", 7), ("Group", 50), ("Role", 99), ("Policy", 200)]
)
async def test_an_account_is_bounded(
    room: Room, kind: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Users, "kind", replace(USERS, limit=7))  # a thousand take too long
    make: dict[str, Callable[[str], Awaitable[object]]] = {
        "User": lambda name: room.ram.users.create(User(room.account, "", name)),
        "Group": lambda name: room.ram.groups.create(Group(room.account, "", name)),
        "Role": lambda name: room.ram.roles.create(Role(room.account, "", name, TRUST)),
        "Policy": lambda name: room.ram.policies.create(
            room.account, Policy("Custom", name, ALLOWED)
        ),
    }
    for number in range(most):  # of roles, each account has one from the first
        assert await code(make[kind](f"n-{number}")) == ""
    assert await code(make[kind]("one-more")) == f"LimitExceeded.{kind}"
    assert await code(make[kind]("n-1")) == f"EntityAlreadyExists.{kind}"


async def test_what_is_attached_cannot_be_deleted(room: Room) -> None:
    account, ram = room.account, room.ram
    await ram.policies.create(account, Policy("Custom", "kms", ALLOWED))
    await ram.users.create(User(account, "", "alice"))
    await ram.groups.create(Group(account, "", "devs"))
    await ram.roles.create(Role(account, "", "ops", TRUST))
    entities = (("User", "alice"), ("Group", "devs"), ("Role", "ops"))
    deletions: dict[str, Callable[[str, str], Awaitable[None]]] = {
        "User": ram.users.delete,
        "Group": ram.groups.delete,
        "Role": ram.roles.delete,
    }
    for type_, name in entities:
        await ram.attachments.attach(account, (type_, name), ("Custom", "kms"))  # type: ignore[arg-type]
        gone = await code(ram.policies.delete(account, "kms", cascading=True))
        assert gone == f"DeleteConflict.Policy.{type_}"
        again = ram.attachments.attach(account, (type_, name), ("Custom", "KMS"))  # type: ignore[arg-type]
        assert await code(again) == f"EntityAlreadyExists.{type_}.Policy"
        delete = deletions[type_]
        assert await code(delete(account, name)) == f"DeleteConflict.{type_}.Policy"
        await ram.attachments.detach(account, (type_, name), ("Custom", "kms"))  # type: ignore[arg-type]
        missing = ram.attachments.detach(account, (type_, name), ("Custom", "kms"))  # type: ignore[arg-type]
        assert await code(missing) == f"EntityNotExist.{type_}.Policy"
        assert await code(delete(account, name)) == ""
        assert await code(delete(account, name)) == f"EntityNotExist.{type_}"
    await ram.policies.create_version(account, "kms", ALLOWED, default=False, rotate=False)
    deleted = ram.policies.delete(account, "kms", cascading=False)
    assert await code(deleted) == "DeleteConflict.Policy.Version"
    assert await code(ram.policies.delete(account, "kms", cascading=True)) == ""


async def test_names_differ_by_more_than_case(room: Room) -> None:
    await room.ram.users.create(User(room.account, "", "Alice"))
    await room.ram.users.create(User(room.account, "", "bob"))
    taken = room.ram.users.update(room.account, "bob", name="ALICE")
    assert await code(taken) == "EntityAlreadyExists.User"
    renamed = await room.ram.users.update(room.account, "alice", name="ALICE")
    assert renamed.name == "ALICE"
    assert [user.name for user in await room.ram.users.all(room.account)] == ["ALICE", "bob"]

"""What every row of the KMS table is made from: the service behind it and the usual lookups."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

from kms_emulator import schemas
from kms_emulator.gateway.product import Call, Found, Operation, Resource
from kms_emulator.keys import Alias, Key, Scope
from kms_emulator.ports import Access
from kms_emulator.service.aliases import Aliases
from kms_emulator.service.crypto_operations import CryptoOperations
from kms_emulator.service.keys import Keys

RequestT = TypeVar("RequestT", bound=BaseModel)
SubjectT = TypeVar("SubjectT")

KEY_TYPE = "ACS::KMS::Key"
ALIAS_TYPE = "ACS::KMS::Alias"


@dataclass(frozen=True, slots=True)
class Kms:
    """The domain, as the rows see it."""

    keys: Keys
    crypto: CryptoOperations
    aliases: Aliases


Row = Operation[Kms, Any, Any]
Find = Callable[[Kms, Call, RequestT], Awaitable[Found[SubjectT]]]
Run = Callable[[Kms, RequestT, SubjectT], Awaitable[dict[str, Any]]]


def row(
    request: type[RequestT],
    find: Find[RequestT, SubjectT],
    run: Run[RequestT, SubjectT],
    *,
    name: str,
    access: Access,
    billable: str | None = None,
) -> Row:
    """A built operation; its RAM action is `kms:` and its name."""
    return Operation(name, request, access, find, run, f"kms:{name}", billable)


def scope_of(call: Call) -> Scope:
    return Scope(call.caller.account_id, call.region)


def found_key(key: Key) -> Found[Key]:
    return Found(key, (key_resource(key),), key.id)


def key_resource(key: Key) -> Resource:
    return Resource(key.arn, KEY_TYPE, key.id)


def alias_resource(alias: Alias) -> Resource:
    return Resource(alias.arn, ALIAS_TYPE, alias.name)


async def find_scope_of_keys(_kms: Kms, call: Call, _request: BaseModel) -> Found[Scope]:
    """For operations on all keys, or on none yet."""
    scope = scope_of(call)
    arn = f"acs:kms:{scope.region}:{scope.account_id}:key"
    return Found(scope, (Resource(arn, KEY_TYPE, ""),))


async def find_key(kms: Kms, call: Call, request: schemas.KeyRequest) -> Found[Key]:
    """By key id, ARN or alias."""
    return found_key(await kms.keys.find(scope_of(call), request.key_id))


async def find_key_by_id(kms: Kms, call: Call, request: schemas.KeyRequest) -> Found[Key]:
    """For operations documented to take no alias."""
    return found_key(await kms.keys.find(scope_of(call), request.key_id, alias=False))

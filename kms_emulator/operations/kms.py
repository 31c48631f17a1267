"""What every row of the KMS table is made from: the service behind it and the usual lookups."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pydantic import BaseModel

from alibaba_edge.errors import NotBuiltError
from alibaba_edge.gateway.product import Call, Found, Operation, Resource
from alibaba_edge.ports import Access, Standing
from kms_emulator.errors import DryRunError
from kms_emulator.keys import Alias, Key, Scope
from kms_emulator.price_class import call_class
from kms_emulator.schemas.fields import KeyPageRequest, KeyRequest
from kms_emulator.schemas.policies import key_policy
from kms_emulator.service.aliases import Aliases
from kms_emulator.service.asymmetric_operations import AsymmetricOperations
from kms_emulator.service.crypto_operations import CryptoOperations
from kms_emulator.service.imports import Imports
from kms_emulator.service.keys import Keys
from kms_emulator.service.rotation import Rotation
from kms_emulator.service.tags import Tags

RequestT = TypeVar("RequestT", bound=BaseModel)
SubjectT = TypeVar("SubjectT")

KEY_TYPE = "ACS::KMS::Key"
ALIAS_TYPE = "ACS::KMS::Alias"
CRYPTO_CALLS = "CryptographicCalls"
"""The billing item of every operation that uses key material."""


@dataclass(frozen=True, slots=True)
class Kms:
    """The domain, as the rows see it."""

    keys: Keys
    rotation: Rotation
    imports: Imports
    tags: Tags
    crypto: CryptoOperations
    asymmetric: AsymmetricOperations
    aliases: Aliases
    standing: Standing


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
    return Found(key, (key_resource(key),), key.id, call_class(key))


def key_resource(key: Key, *, action: str | None = None) -> Resource:
    """`action`: as in Resource."""
    resource = Resource(key.arn, KEY_TYPE, key.id)
    if not (action or key.tags or key.instance_id):
        return resource
    tags = {f"kms:tag/{name}": value for name, value in key.tags.items()}
    return replace(resource, action=action, conditions=tags, policy=key_policy(key))


def alias_resource(alias: Alias) -> Resource:
    return Resource(alias.arn, ALIAS_TYPE, alias.name)


async def find_scope_of_keys(_kms: Kms, call: Call, _request: BaseModel) -> Found[Scope]:
    """For operations on all keys, or on none yet."""
    scope = scope_of(call)
    arn = f"acs:kms:{scope.region}:{scope.account_id}:key"
    return Found(scope, (Resource(arn, KEY_TYPE, ""),))


async def find_key(kms: Kms, call: Call, request: KeyRequest | KeyPageRequest) -> Found[Key]:
    """By key id, ARN or alias."""
    return found_key(await kms.keys.find(scope_of(call), request.key_id))


async def find_key_by_id(kms: Kms, call: Call, request: KeyRequest | KeyPageRequest) -> Found[Key]:
    """For operations documented to take no alias."""
    return found_key(await kms.keys.find(scope_of(call), request.key_id, alias=False))


def stop_dry_run(dry_run: bool) -> None:
    """A dry run goes all the way and then answers an error, as documented."""
    if dry_run:
        raise DryRunError


def refuse_recipient(recipient: str) -> None:
    if recipient:
        raise NotBuiltError("Recipient (enclave attestation)")

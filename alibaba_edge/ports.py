"""What the emulator asks of the world around it, with permissive defaults.

Who calls (Identify), have they paid (Standing), may they (Authorizer), who writes it down
(CallLog), what time is it (Clock). Alone, the emulator has one root AccessKey, allows everything
and keeps no log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal, Protocol

Clock = Callable[[], datetime]
"""Timezone-aware UTC now."""

PrincipalKind = Literal["root-account", "ram-user", "assumed-role"]
"""ActionTrail's words for `userIdentity.type`."""

Access = Literal["Read", "Write"]
"""ActionTrail's words for `eventRW`."""

ROOT_ACCOUNT_ID = "1000000000000001"
ROOT_ACCESS_KEY_ID = "LTAI5tAcksimRootKey0001"
ROOT_ACCESS_KEY_SECRET = "acksim-root-secret-0001"  # noqa: S105 - documented, guards nothing
"""With the id: the credential that works out of the box."""


class Decision(StrEnum):
    """What a set of policies says. The refusals are AccessDeniedDetail's NoPermissionType."""

    ALLOW = "Allow"
    IMPLICIT_DENY = "ImplicitDeny"
    EXPLICIT_DENY = "ExplicitDeny"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling. `session_created` is set for an assumed role only."""

    account_id: str
    access_key_id: str
    kind: PrincipalKind
    principal_id: str
    user_name: str
    arn: str
    session_created: datetime | None = None


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A long-lived AccessKey, or an STS one (then with its token and its end)."""

    access_key_id: str
    secret: str = field(repr=False)
    caller: Caller
    security_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    active: bool = True


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call that could be attributed to an account: audit and metering in one value.

    `parameters` holds what the operation knows and does not call secret, as sent, so never a
    Plaintext, a CiphertextBlob, key material, a signature or a token. `billable` names the billing
    item, and is set only for a call that succeeded; `price_class` says what it is priced as.
    `product` is empty when no such version exists.
    """

    request_id: str
    time: datetime
    product: str
    version: str
    action: str
    access: Access
    caller: Caller
    region: str
    source_ip: str
    user_agent: str
    host: str
    parameters: Mapping[str, str]
    http_status: int
    secure: bool = False
    resource_type: str | None = None
    resource_name: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    billable: str | None = None
    price_class: str = ""
    key_id: str | None = None


class Identify(Protocol):
    """Finds the owner of an AccessKey id."""

    async def access_key(self, access_key_id: str, /) -> AccessKey | None: ...


class Authorizer(Protocol):
    """What the caller's own policies say of one action on one resource.

    `context`: condition keys such as acs:SourceIp. A policy of the resource itself is not its
    business; the gateway weighs that against this answer.
    """

    async def decide(
        self, caller: Caller, action: str, /, *, resource: str, context: Mapping[str, str]
    ) -> Decision: ...


class Diagnose(Protocol):
    """Why the Authorizer refused, in a form that the refused caller cannot read but hand on."""

    async def __call__(
        self, caller: Caller, action: str, /, *, resource: str, context: Mapping[str, str]
    ) -> str: ...


class Standing(Protocol):
    """Whether an account's debts let it use a product. Raises ApiError if they do not."""

    async def check(self, account_id: str, product: str, action: str, /) -> None: ...

    async def overdue(self, account_id: str, /) -> bool:
        """Whether a bill is not paid, be there consequences yet or not."""


class CallLog(Protocol):
    """Keeps a call. Returns only when the record would survive a killed process."""

    async def record(self, call: CallRecord, /) -> None: ...


def root_caller(account_id: str, access_key_id: str) -> Caller:
    """The owner of an account."""
    return Caller(
        account_id=account_id,
        access_key_id=access_key_id,
        kind="root-account",
        principal_id=account_id,
        user_name="root",
        arn=f"acs:ram::{account_id}:root",
    )


ROOT_CALLER = root_caller(ROOT_ACCOUNT_ID, ROOT_ACCESS_KEY_ID)
ROOT_ACCESS_KEY = AccessKey(ROOT_ACCESS_KEY_ID, ROOT_ACCESS_KEY_SECRET, ROOT_CALLER)


class KnownAccessKeys:
    """Identify over a fixed set; by default the root AccessKey alone."""

    def __init__(self, *keys: AccessKey) -> None:
        self._keys = {key.access_key_id: key for key in keys or (ROOT_ACCESS_KEY,)}

    async def access_key(self, access_key_id: str, /) -> AccessKey | None:
        return self._keys.get(access_key_id)


class AllowEverything:
    """Authorizer for an emulator without RAM."""

    async def decide(
        self,
        caller: Caller,  # noqa: ARG002 - the protocol's shape
        action: str,  # noqa: ARG002
        /,
        *,
        resource: str,  # noqa: ARG002
        context: Mapping[str, str],  # noqa: ARG002
    ) -> Decision:
        return Decision.ALLOW


class GoodStanding:
    """Standing for an emulator that sends no bills."""

    async def check(self, account_id: str, product: str, action: str, /) -> None:
        """Nobody owes anything."""

    async def overdue(self, account_id: str, /) -> bool:  # noqa: ARG002 - the protocol's shape
        return False


class NullCallLog:
    """CallLog for an emulator without a trail."""

    async def record(self, call: CallRecord, /) -> None:
        """Forget it."""


def wall_clock() -> datetime:
    return datetime.now(UTC)

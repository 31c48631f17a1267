"""Why a call was refused, sealed: the refused caller passes it on, and learns nothing from it.

EncodedDiagnosticMessage is authenticated encryption under a key of the caller's account; only
DecodeDiagnosticMessage in the same account opens it, for whom RAM lets call that.
"""

import secrets
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import select

from acksim.account.database import Database
from acksim.account.ram.errors import DiagnosticMessageError
from acksim.account.ram.evaluation import Verdict
from acksim.account.ram.tables import ram_accounts
from alibaba_edge.aead import NONCE_BYTES, TAG_BYTES, aead_open, aead_seal
from alibaba_edge.errors import UnopenableError
from alibaba_edge.ports import Caller, Decision

_PURPOSE = b"EncodedDiagnosticMessage"
_LONGEST = 16 * 1024
_PRINCIPALS = {"ram-user": "SubUser", "assumed-role": "AssumedRoleUser", "root-account": "Account"}


class Diagnostics:
    """Seals and opens, each account's under its own key."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._keys: dict[str, bytes] = {}

    async def encode(
        self,
        caller: Caller,
        verdict: Verdict,
        question: tuple[str, str],
        context: Mapping[str, str],
    ) -> str:
        """`question`: the action and the resource."""
        content = orjson.dumps(_content(caller, verdict, question, context))
        nonce = secrets.token_bytes(NONCE_BYTES)
        key = await self._key(caller.account_id)
        return b64encode(nonce + aead_seal(key, nonce, content, authenticated=_PURPOSE)).decode()

    async def decode(self, account_id: str, text: str) -> dict[str, Any]:
        """DecodedDiagnosticMessage. Raises DiagnosticMessageError."""
        try:
            sealed = b64decode(text, validate=True) if len(text) <= _LONGEST else b""
            if len(sealed) <= NONCE_BYTES + TAG_BYTES:
                raise DiagnosticMessageError
            nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
            key = await self._key(account_id)
            content: dict[str, Any] = orjson.loads(
                aead_open(key, nonce, rest, authenticated=_PURPOSE)
            )
            return content
        except (Base64Error, ValueError, UnopenableError):
            raise DiagnosticMessageError from None

    async def _key(self, account_id: str) -> bytes:
        if account_id not in self._keys:
            query = select(ram_accounts.c.diagnostic_key).where(
                ram_accounts.c.account_id == account_id
            )
            found = await self._database.read(
                lambda connection: connection.execute(query).scalar_one()
            )
            self._keys[account_id] = bytes(found)
        return self._keys[account_id]


def _content(
    caller: Caller, verdict: Verdict, question: tuple[str, str], context: Mapping[str, str]
) -> dict[str, Any]:
    match, (action, resource) = verdict.match, question
    policies = []
    if match is not None:
        policies.append(
            {
                "PolicyType": match.policy_type,
                "PolicyIdentifier": match.policy_name,
                "PolicyVersion": match.version,
                "Effect": match.effect,
                "AttachedScope": "Account",
                "AttachedEntityType": match.attached_to.partition(" ")[0].capitalize(),
            }
        )
    of_user = caller.kind == "ram-user"
    return {
        "AuthAction": action,
        "AuthResource": resource,
        "AuthPrincipal": {
            "AuthPrincipalType": _PRINCIPALS[caller.kind],
            "AuthPrincipalDisplayName": caller.principal_id if of_user else caller.user_name,
            "AuthPrincipalOwnerId": caller.account_id,
        },
        "AuthConditions": [
            {"ConditionKey": name, "ConditionValues": [value]}
            for name, value in sorted(context.items())
        ],
        "ExplicitDeny": verdict.decision is Decision.EXPLICIT_DENY,
        "MatchedPolicies": policies,
        "NoPermissionPolicyType": verdict.policy_type,
    }

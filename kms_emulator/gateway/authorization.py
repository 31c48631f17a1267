"""Whether the caller may: one question per resource, asked as strictly as authentication is."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from kms_emulator.errors import NoPermissionError
from kms_emulator.gateway.authentication import AuthMode
from kms_emulator.gateway.product import Call, Resource
from kms_emulator.ports import Authorizer, Caller, PrincipalKind

logger = logging.getLogger(__name__)

_PRINCIPAL_TYPES: Final[Mapping[PrincipalKind, str]] = {
    "root-account": "Account",
    "ram-user": "SubUser",
    "assumed-role": "AssumedRoleUser",
}


class Permissions:
    """Asks the Authorizer; in soft mode a refusal is logged and passed over, in off never asked."""

    def __init__(self, authorizer: Authorizer, *, mode: AuthMode) -> None:
        self._authorizer = authorizer
        self._mode = mode

    async def require(self, call: Call, action: str, resources: tuple[Resource, ...]) -> None:
        """Raises NoPermissionError unless every resource is permitted."""
        if self._mode == "off":
            return
        context = {
            "acs:SourceIp": call.source_ip,
            "acs:CurrentTime": f"{call.time.isoformat()[:19]}Z",
        }
        for resource in resources:
            allowed = await self._authorizer.allows(
                call.caller, action, resource=resource.arn, context=context
            )
            if allowed:
                continue
            if self._mode == "strict":
                raise NoPermissionError(_detail(call.caller, action))
            logger.warning("%s on %s accepted although refused", action, resource.arn)


def _detail(caller: Caller, action: str) -> dict[str, str]:
    """AccessDeniedDetail, as RAM's access-denied pages show it."""
    of_user = caller.kind == "ram-user"
    return {
        "AuthAction": action,
        "AuthPrincipalType": _PRINCIPAL_TYPES[caller.kind],
        "AuthPrincipalDisplayName": caller.principal_id if of_user else caller.user_name,
        "AuthPrincipalOwnerId": caller.account_id,
        "NoPermissionType": "ImplicitDeny",
        "PolicyType": "AccountLevelIdentityBasedPolicy",
    }

"""Whether the caller may: one question per resource, asked as strictly as authentication is."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from alibaba_edge.errors import NoPermissionError
from alibaba_edge.gateway.authentication import AuthMode
from alibaba_edge.gateway.product import Call, Resource
from alibaba_edge.ports import Authorizer, Caller, Decision, Diagnose, PrincipalKind

logger = logging.getLogger(__name__)

_PRINCIPAL_TYPES: Final[Mapping[PrincipalKind, str]] = {
    "root-account": "Account",
    "ram-user": "SubUser",
    "assumed-role": "AssumedRoleUser",
}


class Permissions:
    """Asks the Authorizer; in soft mode a refusal is logged and passed over, in off never asked."""

    def __init__(
        self, authorizer: Authorizer, *, mode: AuthMode, diagnose: Diagnose | None = None
    ) -> None:
        self._authorizer = authorizer
        self._diagnose = diagnose
        self._mode = mode

    async def require(self, call: Call, action: str, resources: tuple[Resource, ...]) -> None:
        """Raises NoPermissionError unless every resource is permitted."""
        if self._mode == "off":
            return
        context = call.conditions
        for resource in resources:
            refusal = await self._refusal(call.caller, resource, resource.action or action, context)
            if refusal is None:
                continue
            if self._mode == "strict":
                raise NoPermissionError(refusal)
            logger.warning("%s on %s accepted although refused", action, resource.arn)

    async def _refusal(
        self, caller: Caller, resource: Resource, action: str, context: Mapping[str, str]
    ) -> dict[str, str] | None:
        """AccessDeniedDetail, or None for a permitted action.

        Of the caller's policies and the resource's own, one has to allow and neither may deny
        explicitly; a caller from another account needs both.
        """
        context = {**context, **resource.conditions}
        by_identity = await self._authorizer.decide(
            caller, action, resource=resource.arn, context=context
        )
        policy = resource.policy
        if policy is None:
            allowed, by_resource = by_identity is Decision.ALLOW, Decision.IMPLICIT_DENY
        else:
            by_resource = policy.decide(caller, action, context=context)
            allows = [decision is Decision.ALLOW for decision in (by_identity, by_resource)]
            allowed = any(allows) if policy.owner == caller.account_id else all(allows)
        if by_resource is Decision.EXPLICIT_DENY:
            return _detail(caller, action, Decision.EXPLICIT_DENY, policy_type="KeyPolicy")
        denied = by_identity is Decision.EXPLICIT_DENY
        if allowed and not denied:
            return None
        decision = Decision.EXPLICIT_DENY if denied else Decision.IMPLICIT_DENY
        detail = _detail(caller, action, decision)
        if self._diagnose is not None:
            detail["EncodedDiagnosticMessage"] = await self._diagnose(
                caller, action, resource=resource.arn, context=context
            )
        return detail


def _detail(
    caller: Caller,
    action: str,
    decision: Decision,
    *,
    policy_type: str = "AccountLevelIdentityBasedPolicy",
) -> dict[str, str]:
    """AccessDeniedDetail, as RAM's access-denied pages show it."""
    of_user = caller.kind == "ram-user"
    return {
        "AuthAction": action,
        "AuthPrincipalType": _PRINCIPAL_TYPES[caller.kind],
        "AuthPrincipalDisplayName": caller.principal_id if of_user else caller.user_name,
        "AuthPrincipalOwnerId": caller.account_id,
        "NoPermissionType": decision.value,
        "PolicyType": policy_type,
    }

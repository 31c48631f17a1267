"""From a signed request to a Caller, as strictly as the operator asked for.

strict   every check below is enforced
soft     every check runs, a failure is logged, and the call goes on as the AccessKey's owner
off      no check; the AccessKey id, if known, still says who calls

In the last two, a call with no key that is known is the root account's. Checks run from what costs
nothing to let a stranger learn to what only the owner should: age, key, signature, token, nonce.
"""

from __future__ import annotations

import hmac
import logging
from datetime import timedelta
from typing import Literal

from kms_emulator.errors import (
    AccessKeyInactiveError,
    AccessKeyNotFoundError,
    ApiError,
    NonceUsedError,
    SecurityTokenExpiredError,
    SecurityTokenMismatchError,
    SecurityTokenMissingError,
    SignatureMismatchError,
    TimestampExpiredError,
)
from kms_emulator.gateway.nonces import NonceMemory
from kms_emulator.gateway.request import Request
from kms_emulator.gateway.signature import Claim, claimed_access_key_id, read_claim
from kms_emulator.ports import ROOT_CALLER, AccessKey, Caller, Clock, Identify, wall_clock

logger = logging.getLogger(__name__)

AuthMode = Literal["off", "soft", "strict"]

_LONGEST_LIFETIME = timedelta(minutes=31)


class Authenticator:
    """Knows who calls. `now` is the simulated clock, `wall` the one our clients live by."""

    def __init__(
        self,
        identify: Identify,
        *,
        mode: AuthMode,
        now: Clock,
        wall: Clock = wall_clock,
    ) -> None:
        self._identify = identify
        self._mode = mode
        self._now = now
        self._wall = wall
        self._nonces = NonceMemory(keep=_LONGEST_LIFETIME)

    async def caller(self, request: Request) -> Caller:
        """Raises the errors of "Who is calling" (errors.py), in strict mode only."""
        if self._mode == "off":
            return await self._presumed(request)
        try:
            return await self._proven(request)
        except ApiError as error:
            if self._mode == "strict":
                raise
            logger.warning("accepted although %s (auth is soft)", error.code)
            return await self._presumed(request)

    async def _presumed(self, request: Request) -> Caller:
        access_key_id = claimed_access_key_id(request)
        key = await self._identify.access_key(access_key_id) if access_key_id else None
        return key.caller if key else ROOT_CALLER

    async def _proven(self, request: Request) -> Caller:
        claim = read_claim(request)
        # Signatures age by the wall clock: clients do not travel in time with the simulation.
        wall = self._wall()
        if abs(wall - claim.timestamp) > claim.lifetime:
            raise TimestampExpiredError
        key = await self._identify.access_key(claim.access_key_id)
        if key is None:
            raise AccessKeyNotFoundError
        if not key.active:
            raise AccessKeyInactiveError
        if not claim.proven_by(key.secret):
            raise SignatureMismatchError(claim.string_to_sign)
        self._check_token(key, claim)
        if claim.nonce is not None and not self._nonces.use(
            claim.access_key_id, claim.nonce, signed_at=claim.timestamp, now=wall
        ):
            raise NonceUsedError
        return key.caller

    def _check_token(self, key: AccessKey, claim: Claim) -> None:
        expected, given = key.security_token, claim.security_token
        if expected and not given:
            raise SecurityTokenMissingError
        if not hmac.compare_digest((expected or "").encode(), (given or "").encode()):
            raise SecurityTokenMismatchError
        if key.expires_at is not None and key.expires_at <= self._now():
            raise SecurityTokenExpiredError

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
from typing import Literal

from alibaba_edge.errors import (
    AccessKeyInactiveError,
    AccessKeyNotFoundError,
    ApiError,
    IncompleteSignatureError,
    NonceUsedError,
    SecurityTokenExpiredError,
    SecurityTokenMismatchError,
    SecurityTokenMissingError,
    SignatureMismatchError,
    TimestampExpiredError,
)
from alibaba_edge.gateway.claim import LONGEST_LIFETIME, Claim, Proof
from alibaba_edge.gateway.nonces import NonceMemory
from alibaba_edge.gateway.product import Product
from alibaba_edge.ports import ROOT_CALLER, AccessKey, Caller, Clock, Identify, wall_clock

logger = logging.getLogger(__name__)

AuthMode = Literal["off", "soft", "strict"]


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
        self._nonces = NonceMemory(keep=LONGEST_LIFETIME)

    async def caller(self, claim: Claim, product: Product | None, region: str | None) -> Caller:
        """Of a call of that product in that region, None where there is no such one.

        Raises the errors of "Who is calling" (errors.py), in strict mode only.
        """
        if self._mode == "off":
            return await self._presumed(claim)
        try:
            return await self._proven(claim, product, region)
        except ApiError as error:
            if self._mode == "strict":
                raise
            logger.warning("accepted although %s (auth is soft)", error.code)
            return await self._presumed(claim)

    async def _presumed(self, claim: Claim) -> Caller:
        key = await self._identify.access_key(claim.access_key_id) if claim.access_key_id else None
        return key.caller if key else ROOT_CALLER

    async def _proven(self, claim: Claim, product: Product | None, region: str | None) -> Caller:
        proof = claim.proof
        if isinstance(proof, ApiError):
            raise proof
        _check_fit(claim, proof, product, region)
        # Signatures age by the wall clock: clients do not travel in time with the simulation.
        wall = self._wall()
        if abs(wall - proof.timestamp) > proof.lifetime:
            raise TimestampExpiredError
        key = await self._identify.access_key(claim.access_key_id)
        if key is None:
            raise AccessKeyNotFoundError
        if not key.active:
            raise AccessKeyInactiveError
        if not proof.given_by(key.secret):
            raise SignatureMismatchError(proof.string_to_sign)
        self._check_token(key, proof)
        if proof.nonce is not None and not self._nonces.use(
            claim.access_key_id, proof.nonce, signed_at=proof.timestamp, now=wall
        ):
            raise NonceUsedError
        return key.caller

    def _check_token(self, key: AccessKey, proof: Proof) -> None:
        expected, given = key.security_token, proof.security_token
        if expected and not given:
            raise SecurityTokenMissingError
        if not hmac.compare_digest((expected or "").encode(), (given or "").encode()):
            raise SecurityTokenMismatchError
        if key.expires_at is not None and key.expires_at <= self._now():
            raise SecurityTokenExpiredError


def _check_fit(claim: Claim, proof: Proof, product: Product | None, region: str | None) -> None:
    """A signature is for what it covers, and an ACS4 one for one product in one region."""
    if product is None:
        return
    if not claim.covers(product.style):
        raise IncompleteSignatureError(
            f"A signature of the kind {claim.family} does not cover a request to {product.name}, "
            f"which is of the style {product.style}; use ACS3-HMAC-SHA256."
        )
    scope = proof.scope
    if scope is None:
        return
    if scope.product.lower() != product.name.lower():
        raise IncompleteSignatureError(
            f"The Credential is for another product than {product.name}."
        )
    if scope.region not in {None, region}:
        raise IncompleteSignatureError("The Credential is for another region than the request.")

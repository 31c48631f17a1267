"""What each auth mode lets through, and the order of refusals."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alibaba_edge.errors import (
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
from alibaba_edge.gateway.authentication import Authenticator, AuthMode
from alibaba_edge.gateway.claim import read_claim
from alibaba_edge.ports import ROOT_ACCESS_KEY, ROOT_CALLER, AccessKey, KnownAccessKeys
from alibaba_edge.request import Request

WALL = datetime(2026, 5, 1, 12, tzinfo=UTC)
SIMULATED = WALL + timedelta(days=400)
OWNER = replace(ROOT_CALLER, user_name="alice", kind="ram-user")
ALICE = AccessKey("LTAIalice", "alice-secret", OWNER)
SESSION = replace(
    ALICE, access_key_id="STS.1", security_token="token-1", expires_at=SIMULATED + timedelta(1)
)
KEYS = KnownAccessKeys(ALICE, replace(ALICE, access_key_id="LTAIoff", active=False), SESSION)


def signed(
    key: AccessKey = ALICE,
    *,
    at: datetime = WALL,
    nonce: str = "n1",
    secret: str | None = None,
    token: str | None = None,
) -> Request:
    empty = hashlib.sha256(b"").hexdigest()
    headers = {
        "host": "h",
        "x-acs-action": "ListKeys",
        "x-acs-content-sha256": empty,
        "x-acs-date": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": nonce,
        "x-acs-version": "2016-01-20",
    }
    if token is not None:
        headers["x-acs-security-token"] = token
    names = ";".join(sorted(headers))
    lines = ["POST", "/", "", *(f"{n}:{headers[n]}" for n in sorted(headers)), "", names, empty]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    signature = hmac.new(
        (secret or key.secret).encode(), f"ACS3-HMAC-SHA256\n{digest}".encode(), "sha256"
    ).hexdigest()
    headers["authorization"] = (
        f"ACS3-HMAC-SHA256 Credential={key.access_key_id},"
        f"SignedHeaders={names},Signature={signature}"
    )
    return Request("POST", "/", headers)


def authenticator(mode: AuthMode = "strict") -> Authenticator:
    return Authenticator(KEYS, mode=mode, now=lambda: SIMULATED, wall=lambda: WALL)


async def test_an_honest_request_is_its_owners() -> None:
    assert await authenticator().caller(read_claim(signed()), None, None) is OWNER
    assert (
        await authenticator().caller(read_claim(signed(SESSION, token="token-1")), None, None)
        is OWNER
    )


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (signed(at=WALL - timedelta(minutes=15, seconds=1)), TimestampExpiredError),
        (signed(at=WALL + timedelta(minutes=15, seconds=1)), TimestampExpiredError),
        (signed(ROOT_ACCESS_KEY), AccessKeyNotFoundError),
        (signed(replace(ALICE, access_key_id="LTAIoff")), AccessKeyInactiveError),
        (signed(secret="guess"), SignatureMismatchError),
        (signed(SESSION), SecurityTokenMissingError),
        (signed(SESSION, token=""), SecurityTokenMissingError),
        (signed(SESSION, token="token-2"), SecurityTokenMismatchError),
        (signed(token="token-1"), SecurityTokenMismatchError),
        (signed(SESSION, token="tök"), SecurityTokenMismatchError),
    ],
)
async def test_strict_refuses(request_: Request, error: type[ApiError]) -> None:
    with pytest.raises(error):
        await authenticator().caller(read_claim(request_), None, None)
    assert await authenticator("soft").caller(read_claim(request_), None, None) in {
        OWNER,
        ROOT_CALLER,
    }
    assert await authenticator("off").caller(read_claim(request_), None, None) in {
        OWNER,
        ROOT_CALLER,
    }


async def test_signatures_age_by_the_wall_and_sessions_by_the_simulation() -> None:
    """The simulated clock is more than a year ahead, and only the session cares."""
    keys = KnownAccessKeys(replace(SESSION, expires_at=SIMULATED))
    late = Authenticator(keys, mode="strict", now=lambda: SIMULATED, wall=lambda: WALL)
    with pytest.raises(SecurityTokenExpiredError):
        await late.caller(read_claim(signed(SESSION, token="token-1")), None, None)
    early = Authenticator(
        keys, mode="strict", now=lambda: SIMULATED - timedelta(seconds=1), wall=lambda: WALL
    )
    assert await early.caller(read_claim(signed(SESSION, token="token-1")), None, None) is OWNER


async def test_a_nonce_works_once_for_each_access_key() -> None:
    strict = authenticator()
    await strict.caller(read_claim(signed(nonce="n1")), None, None)
    with pytest.raises(NonceUsedError):
        await strict.caller(read_claim(signed(nonce="n1")), None, None)
    await strict.caller(read_claim(signed(SESSION, nonce="n1", token="token-1")), None, None)
    await strict.caller(read_claim(signed(nonce="n2")), None, None)


async def test_a_refused_request_does_not_spend_its_nonce() -> None:
    strict = authenticator()
    with pytest.raises(SignatureMismatchError):
        await strict.caller(read_claim(signed(secret="guess")), None, None)
    await strict.caller(read_claim(signed()), None, None)


async def test_without_any_credential_the_lenient_modes_presume_the_root() -> None:
    bare = Request("POST", "/", {"host": "h"})
    assert await authenticator("off").caller(read_claim(bare), None, None) is ROOT_CALLER
    assert await authenticator("soft").caller(read_claim(bare), None, None) is ROOT_CALLER
    with pytest.raises(ApiError):
        await authenticator("strict").caller(read_claim(bare), None, None)


async def test_soft_says_what_it_let_through(caplog: pytest.LogCaptureFixture) -> None:
    await authenticator("soft").caller(read_claim(signed(secret="guess")), None, None)
    assert "SignatureDoesNotMatch" in caplog.text
    assert "guess" not in caplog.text

"""Session credentials are fetched once, renewed early, and kept while renewal fails."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from alibaba_edge.client.credentials import Credentials, StaticCredentials, UriCredentials
from alibaba_edge.client.errors import KmsError, KmsUnreachableError
from alibaba_edge.client.http import HttpClient

URI = "http://127.0.0.1:1/credentials"


class Endpoint:
    """Answers the credentials URI with numbered sessions of an hour."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)
        self.lifetime = 3600
        self.calls = 0
        self.answer: httpx.Response | Exception | None = None

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        await asyncio.sleep(0)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer or httpx.Response(200, json=self.document())

    def document(self) -> dict[str, str]:
        expires = self.moment + timedelta(seconds=self.lifetime)
        return {
            "Code": "Success",
            "AccessKeyId": f"STS.{self.calls}",
            "AccessKeySecret": "secret",
            "SecurityToken": "token",
            "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def source(self) -> UriCredentials:
        http = HttpClient(httpx.MockTransport(self))
        return UriCredentials(URI, http, now=lambda: self.moment)

    def advance(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


async def test_concurrent_callers_share_one_fetch(endpoint: Endpoint) -> None:
    source = endpoint.source()
    found = await asyncio.gather(*(source.get() for _ in range(10)))
    assert set(found) == {Credentials("STS.1", "secret", "token")}
    assert endpoint.calls == 1


@pytest.mark.parametrize(("lifetime", "kept"), [(3600, 3299), (900, 719)])
async def test_sessions_are_renewed_before_their_end(
    endpoint: Endpoint, lifetime: int, kept: int
) -> None:
    endpoint.lifetime = lifetime
    source = endpoint.source()
    await source.get()
    endpoint.advance(kept)
    assert (await source.get()).access_key_id == "STS.1"
    endpoint.advance(1)
    assert (await source.get()).access_key_id == "STS.2"


async def test_old_credentials_serve_to_their_end_while_renewal_fails(endpoint: Endpoint) -> None:
    source = endpoint.source()
    await source.get()
    endpoint.answer = httpx.ConnectError("refused")
    endpoint.advance(3599)
    assert (await source.get()).access_key_id == "STS.1"
    endpoint.advance(1)
    with pytest.raises(KmsUnreachableError, match="refused"):
        await source.get()


async def test_a_session_that_the_kms_refused_is_forgotten(endpoint: Endpoint) -> None:
    source = endpoint.source()
    first = await source.get()
    assert source.discard(first)
    second = await source.get()
    assert second.access_key_id == "STS.2"
    # Somebody else's late complaint about the first does not end the second.
    source.discard(first)
    assert await source.get() is second


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        (
            httpx.Response(403, json={"Code": "NoPermission", "Message": "role is gone"}),
            "NoPermission",
            "HTTP 403 role is gone",
        ),
        (httpx.Response(200, json={}), "CredentialsRefused", "HTTP 200"),
        (httpx.Response(200, json={"Code": "Success"}), "", "is missing"),
        (httpx.Response(200, json=[]), "", "no object"),
        (httpx.Response(200, text="<html>"), "", "JSONDecodeError"),
    ],
)
async def test_answers_that_are_no_credentials(
    endpoint: Endpoint, answer: httpx.Response, code: str, message: str
) -> None:
    endpoint.answer = answer
    with pytest.raises(KmsError, match=message) as caught:
        await endpoint.source().get()
    assert caught.value.code == code


async def test_given_credentials_stay() -> None:
    credentials = Credentials("id", "secret")
    source = StaticCredentials(credentials)
    assert await source.get() is credentials
    assert not source.discard(credentials)


def test_secrets_are_not_printed() -> None:
    assert "secret" not in repr(Credentials("id", "secret", "secret token"))

"""Credentials for the KMS: given once, or fetched from a credentials URI and renewed in time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import httpx
import orjson

from alibaba_edge.client.errors import KmsError, KmsUnreachableError
from alibaba_edge.client.http import HttpClient

_EARLY = timedelta(minutes=5)  # renew this long before the end, or in the last fifth if shorter
_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key, with the token of its session if it has one."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str = field(default="", repr=False)


class CredentialsSource(Protocol):
    """Where the client's credentials come from."""

    async def get(self) -> Credentials:
        """Return credentials that are valid now; raises KmsError."""

    def discard(self, credentials: Credentials) -> bool:
        """Learn that the KMS refused these; tell whether others may be had."""


class StaticCredentials:
    """Credentials that never change."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def get(self) -> Credentials:
        return self._credentials

    def discard(self, credentials: Credentials) -> bool:  # noqa: ARG002 - there are no others
        return False


@dataclass(frozen=True, slots=True)
class _Session:
    credentials: Credentials
    renew_at: datetime
    expires: datetime


class UriCredentials:
    """Session credentials by GET from ``uri``, as ALIBABA_CLOUD_CREDENTIALS_URI names it.

    Renewed before they expire by ``now``; while renewal fails the old ones serve to their end.
    """

    def __init__(self, uri: str, http: HttpClient, *, now: Callable[[], datetime]) -> None:
        self._uri = uri
        self._http = http
        self._now = now
        self._session: _Session | None = None
        self._fetching = asyncio.Lock()

    async def get(self) -> Credentials:
        """Return valid credentials, fetching at most once however many wait; raises KmsError."""
        session = self._session
        if session is not None and self._now() < session.renew_at:
            return session.credentials
        async with self._fetching:
            session = self._session
            now = self._now()
            if session is not None and now < session.renew_at:
                return session.credentials
            try:
                session = await self._fetch()
            except KmsError:
                if session is None or now >= session.expires:
                    raise
                return session.credentials
            self._session = session
            return session.credentials

    def discard(self, credentials: Credentials) -> bool:
        """Forget a session that the KMS does not know any more."""
        if self._session is not None and self._session.credentials is credentials:
            self._session = None
        return True

    async def _fetch(self) -> _Session:
        try:
            async with asyncio.timeout(_TIMEOUT):
                answer = await self._http.send("GET", self._uri)
            document = orjson.loads(answer.content)
        except (httpx.HTTPError, TimeoutError, orjson.JSONDecodeError) as error:
            raise KmsUnreachableError(
                "", f"credentials URI: {type(error).__name__}: {error}"
            ) from None
        if not isinstance(document, dict):
            raise KmsError("", "credentials URI: the answer is no object")
        code = str(document.get("Code", ""))
        if answer.status != httpx.codes.OK or code != "Success":
            raise KmsError(
                code or "CredentialsRefused",
                f"credentials URI: HTTP {answer.status} {document.get('Message', '')}",
                status=answer.status,
            )
        return self._session_of(document)

    def _session_of(self, document: dict[str, object]) -> _Session:
        texts = [
            document.get(name)
            for name in ("AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration")
        ]
        try:
            key_id, secret, token, expiration = (_text(text) for text in texts)
            expires = datetime.fromisoformat(expiration)
            now = self._now()
            renew_at = expires - min(_EARLY, (expires - now) / 5)
        except (TypeError, ValueError) as error:
            raise KmsError("", f"credentials URI: {error}") from None
        return _Session(Credentials(key_id, secret, token), renew_at, expires)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("AccessKeyId, AccessKeySecret, SecurityToken or Expiration is missing")
    return value

"""The three KMS operations that a plugin needs, over signed HTTP (Alibaba Cloud KMS 2016-01-20)."""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson

from alibaba_edge.client.credentials import Credentials, CredentialsSource
from alibaba_edge.client.errors import KmsError, KmsUnreachableError
from alibaba_edge.client.http import Answer, HttpClient
from alibaba_edge.signing.client import canonical_query, signed_headers

# Refusals of the credentials themselves: a session that ended early, or an emulator started anew.
_UNKNOWN_CREDENTIALS = ("InvalidSecurityToken.", "InvalidAccessKeyId.")

_LONGEST_QUERY = 60_000  # a whole URL may have 64 KiB; a KMS seals 6 KiB at once


@dataclass(frozen=True, slots=True)
class Encrypted:
    """A CiphertextBlob as sent (base64 text), and the key version that made it."""

    blob: str
    key_id: str
    key_version_id: str


@dataclass(frozen=True, slots=True)
class KeyDescription:
    """What DescribeKey tells of a key."""

    key_id: str
    state: str
    primary_version: str
    spec: str = ""
    usage: str = ""
    creator: str = ""


def wall_clock() -> datetime:
    """Return the real time: the freshness of a signature does not follow a simulated clock."""
    return datetime.now(UTC)


class KmsClient:
    """Calls one KMS endpoint, such as ``https://kms.cn-hangzhou.aliyuncs.com``."""

    def __init__(
        self,
        endpoint: str,
        http: HttpClient,
        credentials: CredentialsSource,
        *,
        region: str | None = None,
        signed_at: Callable[[], datetime] = wall_clock,
    ) -> None:
        """``region``: the one meant, for an endpoint whose host names none."""
        url = httpx.URL(endpoint)
        self._base = str(url.copy_with(raw_path=b"/", query=None))
        self._host = url.netloc.decode("ascii")
        self._http = http
        self._credentials = credentials
        self._everywhere = {"RegionId": region} if region else {}
        self._signed_at = signed_at

    async def encrypt(self, key_id: str, plaintext: bytes) -> Encrypted:
        """Encrypt under a key; raises KmsError."""
        text = base64.b64encode(plaintext).decode("ascii")
        answer = await self._call("Encrypt", {"KeyId": key_id, "Plaintext": text})
        return Encrypted(
            _text(answer, "CiphertextBlob"), _text(answer, "KeyId"), _text(answer, "KeyVersionId")
        )

    async def decrypt(self, blob: str) -> bytes:
        """Decrypt a CiphertextBlob, which names its key itself; raises KmsError."""
        answer = await self._call("Decrypt", {"CiphertextBlob": blob})
        try:
            return base64.b64decode(_text(answer, "Plaintext"), validate=True)
        except binascii.Error:
            raise KmsError("", "the KMS answered a Plaintext that is not base64") from None

    async def describe_key(self, key_id: str) -> KeyDescription:
        """Read a key's state and primary version; raises KmsError."""
        answer = await self._call("DescribeKey", {"KeyId": key_id})
        metadata = answer.get("KeyMetadata")
        if not isinstance(metadata, dict):
            raise KmsError("", "the KMS answered no KeyMetadata")
        return KeyDescription(
            _text(metadata, "KeyId"),
            _text(metadata, "KeyState"),
            # A key that waits for its material has no version yet.
            str(metadata.get("PrimaryKeyVersion") or ""),
            spec=str(metadata.get("KeySpec") or ""),
            usage=str(metadata.get("KeyUsage") or ""),
            creator=str(metadata.get("Creator") or ""),
        )

    async def _call(self, action: str, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        credentials = await self._credentials.get()
        try:
            return await self._send(action, parameters, credentials)
        except KmsError as error:
            refused = error.code.startswith(_UNKNOWN_CREDENTIALS)
            if not refused or not self._credentials.discard(credentials):
                raise
        return await self._send(action, parameters, await self._credentials.get())

    async def _send(
        self, action: str, parameters: Mapping[str, str], credentials: Credentials
    ) -> Mapping[str, Any]:
        query = canonical_query({**parameters, **self._everywhere})
        headers = signed_headers(
            action, query, host=self._host, signed_at=self._signed_at(), key=credentials
        )
        if len(query) > _LONGEST_QUERY:
            raise KmsError("", "longer than any request that a KMS takes", status=400)
        try:
            # Whoever calls the plugin sets the time limit, for the whole of its call.
            answer = await self._http.send("POST", f"{self._base}?{query}", headers=headers)
        except httpx.HTTPError as error:
            cause = str(error) or type(error).__name__
            raise KmsUnreachableError("", f"no answer from {self._host}: {cause}") from None
        return _document(answer)


def _document(answer: Answer) -> Mapping[str, Any]:
    try:
        document = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        document = None
    if answer.is_success and isinstance(document, dict):
        return document
    fields = document if isinstance(document, dict) else {}
    code = str(fields.get("Code") or f"HTTP{answer.status}")
    message = str(fields.get("Message") or "the KMS answered no JSON object")
    raise KmsError(code, message, status=answer.status)


def _text(answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise KmsError("", f"the KMS answered no {name}")
    return value

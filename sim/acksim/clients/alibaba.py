"""A small synchronous client of the Alibaba Cloud APIs for commands and tests: signed RPC calls."""

import http.client
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from alibaba_edge.ports import ROOT_ACCESS_KEY_ID, ROOT_ACCESS_KEY_SECRET
from alibaba_edge.signing.client import canonical_query, signed_headers

KMS_VERSION = "2016-01-20"

_TIMEOUT_SECONDS = 15.0


class ApiRefusedError(Exception):
    """The API answered an error; `code` is Alibaba Cloud's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A query string and headers for `POST /`."""

    query: str
    headers: dict[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs calls with one access key (ACS3-HMAC-SHA256)."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str = field(default="", repr=False)

    @classmethod
    def of_root(cls) -> "Signer":
        return cls(ROOT_ACCESS_KEY_ID, ROOT_ACCESS_KEY_SECRET)

    def sign(
        self, host: str, action: str, parameters: dict[str, str], *, version: str = KMS_VERSION
    ) -> SignedRequest:
        query = canonical_query(parameters)
        headers = signed_headers(
            action, query, version=version, host=host, signed_at=datetime.now(UTC), key=self
        )
        return SignedRequest(query, headers)


class ApiClient:
    """One product's `version` at `endpoint`, such as http://127.0.0.1:8700."""

    def __init__(self, endpoint: str, signer: Signer, *, version: str) -> None:
        self._host = urlsplit(endpoint).netloc
        self._signer = signer
        self._version = version

    def call(self, action: str, **parameters: object) -> dict[str, Any]:
        """Any action by its parameters; raises ApiRefusedError."""
        texts = {name: str(value) for name, value in parameters.items()}
        signed = self._signer.sign(self._host, action, texts, version=self._version)
        connection = http.client.HTTPConnection(self._host, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request("POST", f"/?{signed.query}", headers=signed.headers)
            answer = connection.getresponse()
            body: dict[str, Any] = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ApiRefusedError("Unreachable", f"no API at {self._host}: {error}") from None
        finally:
            connection.close()
        if answer.status >= 300:
            raise ApiRefusedError(body.get("Code", ""), body.get("Message", ""))
        return body

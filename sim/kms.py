"""A small synchronous KMS client for commands and tests: signed calls, as any client's."""

import http.client
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from apiserver_shim.kms_plugin.signature import canonical_query, signed_headers
from kms_emulator.ports import ROOT_ACCESS_KEY_ID, ROOT_ACCESS_KEY_SECRET

_TIMEOUT_SECONDS = 15.0
_PAGE_SIZE = 100


class KmsRefusedError(Exception):
    """The KMS answered an error; `code` is Alibaba Cloud's."""

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
    """Signs KMS calls with one access key (ACS3-HMAC-SHA256)."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str = field(default="", repr=False)

    @classmethod
    def of_root(cls) -> "Signer":
        return cls(ROOT_ACCESS_KEY_ID, ROOT_ACCESS_KEY_SECRET)

    def sign(self, host: str, action: str, parameters: dict[str, str]) -> SignedRequest:
        query = canonical_query(parameters)
        headers = signed_headers(action, query, host=host, signed_at=datetime.now(UTC), key=self)
        return SignedRequest(query, headers)


class Kms:
    """One account's KMS at `endpoint`, such as http://127.0.0.1:8700."""

    def __init__(self, endpoint: str, access_key_id: str, access_key_secret: str) -> None:
        self._host = urlsplit(endpoint).netloc
        self._signer = Signer(access_key_id, access_key_secret)

    @classmethod
    def of_root(cls, endpoint: str) -> "Kms":
        """With the documented root credential."""
        return cls(endpoint, ROOT_ACCESS_KEY_ID, ROOT_ACCESS_KEY_SECRET)

    def call(self, action: str, **parameters: object) -> dict[str, Any]:
        """Any action by its parameters; raises KmsRefusedError."""
        texts = {name: str(value) for name, value in parameters.items()}
        signed = self._signer.sign(self._host, action, texts)
        connection = http.client.HTTPConnection(self._host, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request("POST", f"/?{signed.query}", headers=signed.headers)
            answer = connection.getresponse()
            body: dict[str, Any] = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise KmsRefusedError("Unreachable", f"no KMS at {self._host}: {error}") from None
        finally:
            connection.close()
        if answer.status >= 300:
            raise KmsRefusedError(body.get("Code", ""), body.get("Message", ""))
        return body

    def create_key(self, *, description: str = "") -> dict[str, Any]:
        """The new key's KeyMetadata."""
        metadata: dict[str, Any] = self.call("CreateKey", Description=description)["KeyMetadata"]
        return metadata

    def describe_key(self, key_id: str) -> dict[str, Any]:
        """KeyMetadata by id, alias or ARN."""
        metadata: dict[str, Any] = self.call("DescribeKey", KeyId=key_id)["KeyMetadata"]
        return metadata

    def key_ids(self) -> list[str]:
        """Every key of the account in the region."""
        found: list[str] = []
        while True:
            page = self.call(
                "ListKeys", PageNumber=len(found) // _PAGE_SIZE + 1, PageSize=_PAGE_SIZE
            )
            rows = page["Keys"]["Key"]
            found += [row["KeyId"] for row in rows]
            if len(rows) < _PAGE_SIZE:
                return found

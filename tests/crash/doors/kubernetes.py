"""Secrets of one cluster, through its API server."""

import base64
import secrets
from typing import Any

import httpx

from acksim.clients.kubernetes import kubernetes_access
from tests.crash.doors.door import Door, Receipt, RefusedError, UnansweredError
from tests.crash.ledger import Value

_PATH = "/api/v1/namespaces/default/secrets"
_TIMEOUT_SECONDS = 15.0


class Secrets(Door):
    changes = 2
    probed = True

    def __init__(self, kms: str, kubeconfig: str) -> None:
        self.kind = f"Secret, KMS {kms}"
        # With v1 every write seals a DEK of its own; its account pays.
        self._sealed = Receipt("Encrypt", billed=True) if kms == "v1" else Receipt()
        access = kubernetes_access(kubeconfig)
        self._http = httpx.Client(
            base_url=access.server,
            verify=access.context,
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
        )

    def value(self, number: int) -> str:
        return secrets.token_hex(16)

    def create(self, name: str, value: str) -> Receipt:
        self._request("POST", _PATH, _secret(name, value))
        return self._sealed

    def change(self, name: str, value: str) -> Receipt:
        self._request("PUT", f"{_PATH}/{name}", _secret(name, value))
        return self._sealed

    def remove(self, name: str) -> Receipt:
        self._request("DELETE", f"{_PATH}/{name}")
        return Receipt()

    def read(self, name: str) -> Value:
        try:
            return _token(self._request("GET", f"{_PATH}/{name}").json())
        except RefusedError as error:
            if str(error).startswith("404 "):
                return None
            raise

    def read_all(self) -> dict[str, str]:
        found: dict[str, str] = {}
        position = ""
        while True:
            page = self._request("GET", f"{_PATH}?limit=500&continue={position}").json()
            found |= {item["metadata"]["name"]: _token(item) for item in page["items"]}
            position = page["metadata"].get("continue", "")
            if not position:
                return found

    def close(self) -> None:
        self._http.close()

    def _request(self, method: str, path: str, body: object = None) -> httpx.Response:
        try:
            answer = self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise UnansweredError(repr(error)) from None
        text = f"{answer.status_code} {answer.text}"
        if answer.status_code >= 500 or answer.status_code == 429:
            raise UnansweredError(text)
        if not answer.is_success:
            raise RefusedError(text)
        return answer


def _secret(name: str, value: str) -> dict[str, object]:
    return {"metadata": {"name": name}, "stringData": {"token": value}}


def _token(secret: dict[str, Any]) -> str:
    return base64.b64decode(secret["data"]["token"]).decode()

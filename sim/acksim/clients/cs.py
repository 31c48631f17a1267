"""One account's CS 2015-12-15, for commands and tests: signed ROA calls."""

import http.client
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

from acksim.clients.alibaba import ApiRefusedError, Signer
from alibaba_edge.signing.client import canonical_query, signed_headers

_VERSION = "2015-12-15"
_TIMEOUT_SECONDS = 30.0


class CsClient:
    """The control plane of one region at `endpoint`, such as http://127.0.0.1:8700."""

    def __init__(self, endpoint: str, signer: Signer, *, region: str) -> None:
        self._host = urlsplit(endpoint).netloc
        self._signer = signer
        self._region = region

    def cluster(self, cluster_id: str) -> dict[str, Any]:
        """DescribeClusterDetail; every method raises ApiRefusedError."""
        detail: dict[str, Any] = self._call("DescribeClusterDetail", "GET", _of(cluster_id))
        return detail

    def update_kms_encryption(self, cluster_id: str, key_id: str | None) -> str:
        """The id of the task that switches to a key, by id or alias, or off."""
        body = {"kms_key_id": key_id or "", "disable_encryption": key_id is None}
        path = f"{_of(cluster_id)}/kms"
        task_id: str = self._call("UpdateKMSEncryption", "PUT", path, body=body)["task_id"]
        return task_id

    def task(self, task_id: str) -> dict[str, Any]:
        path = f"/tasks/{quote(task_id, safe='')}"
        task: dict[str, Any] = self._call("DescribeTaskInfo", "GET", path)
        return task

    def cluster_events(self, cluster_id: str, *, limit: int) -> list[dict[str, Any]]:
        """Newest first."""
        path, query = f"{_of(cluster_id)}/events", {"page_size": str(limit)}
        answer = self._call("DescribeClusterEvents", "GET", path, query=query)
        events: list[dict[str, Any]] = answer["events"]
        return events

    def _call(
        self,
        action: str,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        content = b"" if body is None else json.dumps(body).encode()
        parameters = canonical_query({"RegionId": self._region, **(query or {})})
        headers = signed_headers(
            action,
            parameters,
            version=_VERSION,
            host=self._host,
            signed_at=datetime.now(UTC),
            key=self._signer,
            method=method,
            path=path,
            body=content,
        )
        connection = http.client.HTTPConnection(self._host, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request(method, f"{path}?{parameters}", body=content, headers=headers)
            answer = connection.getresponse()
            document = json.loads(answer.read() or b"null")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ApiRefusedError("Unreachable", f"no API at {self._host}: {error}") from None
        finally:
            connection.close()
        if answer.status >= 300:
            raise ApiRefusedError(document.get("code", ""), document.get("message", ""))
        return document


def _of(cluster_id: str) -> str:
    return f"/clusters/{quote(cluster_id, safe='')}"

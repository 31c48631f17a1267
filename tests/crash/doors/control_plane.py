"""Clusters, through Container Service and its official SDK."""

import time
from typing import Any

from alibabacloud_cs20151215 import models

from tests.contract.ack.conftest import Account
from tests.crash.doors.door import Door, Receipt, RefusedError, UnansweredError
from tests.crash.ledger import Value

_TASK_SECONDS = 60.0
_UNDER_WAY = frozenset({"initial", "updating", "deleting"})


class Clusters(Door):
    """A cluster is `running` or gone; what was answered for comes to its end by itself.

    But for a deletion that meets an outage of etcd: that ends as `delete_failed`, which the cloud
    has too, and asking again must do.
    """

    kind = "cluster"
    server_named = True
    pause = 1.0
    most_kept = 20

    def __init__(self, account: Account, key_id: str) -> None:
        self._client = account.client()
        self._key_id = key_id

    def value(self, number: int) -> str:
        return "running"

    def create(self, name: str, value: str) -> Receipt:
        request = models.CreateClusterRequest(
            name=name, cluster_spec="ack.pro.small", encryption_provider_key=self._key_id
        )
        body = self._call("create_cluster", request)
        return Receipt("CreateCluster", body.request_id, body.cluster_id)

    def remove(self, name: str) -> Receipt:
        body = self._call("delete_cluster", name, models.DeleteClusterRequest())
        return Receipt("DeleteCluster", body.request_id)

    def ready(self, name: str) -> bool:
        try:
            return self._state(name) == "running"
        except UnansweredError:
            return False

    def read(self, name: str) -> Value:
        deadline = time.monotonic() + _TASK_SECONDS
        while (state := self._state(name)) in _UNDER_WAY and time.monotonic() < deadline:
            time.sleep(0.1)
        if state == "delete_failed" and time.monotonic() < deadline:
            self.remove(name)
            return self.read(name)
        return state

    def _state(self, name: str) -> Value:
        try:
            state: str = self._call("describe_cluster_detail", name).state
        except RefusedError as error:
            if str(error).startswith("ErrorClusterNotFound"):
                return None
            raise
        return state

    def _call(self, method: str, *arguments: object) -> Any:
        try:
            return getattr(self._client, method)(*arguments).body
        except Exception as error:  # noqa: BLE001 - the SDK's, which may have a status and a code
            status = getattr(error, "statusCode", None) or getattr(error, "status_code", None)
            text = f"{getattr(error, 'code', '')}: {error}"
            if isinstance(status, int) and 400 <= status < 500:
                raise RefusedError(text) from None
            raise UnansweredError(text) from None

"""The unmodified older SDK, aliyun-python-sdk-core: ROA signatures with HMAC-SHA1."""

import json
from typing import Any

import pytest
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest

from tests.contract.ack.conftest import Account
from tests.contract.ack.waiting import wait_until


class Legacy:
    """Calls by method and path."""

    def __init__(self, account: Account, region: str = "cn-hangzhou") -> None:
        self._endpoint = account.world.facts.endpoint.removeprefix("http://")
        self._client = AcsClient(account.access_key_id, account.access_key_secret, region)

    def wait_for(self, cluster_id: str, state: str) -> Any:
        """The cluster's detail once it is in that state."""

        def reached() -> Any:
            detail = self.send("GET", f"/clusters/{cluster_id}")
            return detail if detail["state"] == state else None

        return wait_until(reached, f"cluster {cluster_id} is not {state}")

    def send(self, method: str, path: str, body: Any = None) -> Any:
        request = CommonRequest(uri_pattern=path)
        request.set_method(method)
        request.set_endpoint(self._endpoint)
        request.set_protocol_type("http")
        request.set_version("2015-12-15")
        request.set_accept_format("json")
        if body is not None:
            request.set_content_type("application/json")
            request.set_content(json.dumps(body).encode())
        return json.loads(self._client.do_action_with_exception(request))


def test_a_legacy_client_switches_encryption(account: Account) -> None:
    legacy, key_id = Legacy(account), account.new_key()
    cluster_id = account.new_cluster()
    body = {"kms_key_id": key_id, "disable_encryption": False}
    begun = legacy.send("PUT", f"/clusters/{cluster_id}/kms", body)
    assert begun["cluster_id"] == cluster_id
    assert legacy.send("GET", f"/clusters/{cluster_id}")["state"] == "updating"
    account.wait_for(cluster_id, "running")
    assert legacy.send("GET", f"/tasks/{begun['task_id']}")["state"] == "success"


def test_a_legacy_client_reads_the_error(account: Account) -> None:
    with pytest.raises(ServerException) as raised:
        Legacy(account).send("GET", f"/clusters/c{'0' * 32}")
    assert raised.value.get_error_code() == "ErrorClusterNotFound"
    assert raised.value.get_http_status() == 404
    assert raised.value.get_request_id()

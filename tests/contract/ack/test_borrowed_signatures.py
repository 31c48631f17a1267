"""On the real port: a signature for one call is borrowed for another, of more worth."""

import http.client
from dataclasses import replace

import pytest

from alibaba_edge.ports import AccessKey, root_caller
from tests.contract.ack.conftest import Account
from tests.unit.acksim.honest_client import Ask, Family, Wire, encoded, signed

CS = {"x_acs_version": "2015-12-15", "x_acs_action": "DescribeClusterUserKubeconfig"}


def send(account: Account, wire: Wire) -> tuple[int, str]:
    place = account.world.facts.endpoint.removeprefix("http://")
    connection = http.client.HTTPConnection(place, timeout=20)
    connection.putrequest(wire.method, f"{wire.path}?{encoded(wire.query)}", skip_host=True)
    for name, value in wire.headers:
        connection.putheader(name, value)
    if wire.body:
        connection.putheader("content-length", str(len(wire.body)))
    connection.endheaders(wire.body or None)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def key_of(account: Account) -> AccessKey:
    return AccessKey(
        account.access_key_id,
        account.access_key_secret,
        root_caller(account.id, account.access_key_id),
    )


@pytest.mark.parametrize("authorization", ["", "acs", "ACS3-HMAC-SHA256"])
def test_list_keys_is_no_kubeconfig(account: Account, authorization: str) -> None:
    cluster_id = account.new_cluster()
    ask = Ask("Kms", "2016-01-20", "ListKeys", "GET", region="cn-hangzhou", key=key_of(account))
    assert send(account, signed(ask, "RPC"))[0] == 200
    stolen = replace(signed(ask, "RPC"), path=f"/k8s/{cluster_id}/user_config")
    status, text = send(account, stolen.with_headers(authorization=authorization, **CS))
    assert status == 400
    assert "IncompleteSignature" in text


def test_one_cluster_is_not_another(account: Account) -> None:
    first, second = account.new_cluster(), account.new_cluster(name="till")
    deletion = Ask(
        "CS", "2015-12-15", "DeleteCluster", "DELETE", f"/clusters/{first}", key=key_of(account)
    )
    families: tuple[Family, ...] = ("RPC", "ROA", "ACS3")
    for family in families:
        wire = replace(signed(deletion, family), path=f"/clusters/{second}")
        assert send(account, wire)[0] == 400
    for family in families[:2]:
        wire = signed(replace(deletion, method="PUT", path=f"/api/v2/clusters/{first}"), family)
        renamed = replace(wire, body=b'{"cluster_name":"evil"}')
        assert send(account, renamed.with_headers(content_type="application/json"))[0] == 400
    names = {cluster: account.wait_for(cluster, "running").name for cluster in (first, second)}
    assert names == {first: "shop", second: "till"}


@pytest.mark.parametrize("family", ["ROA", "ACS3", "RPC"])
def test_no_key_is_named_in_an_unsigned_form(account: Account, family: Family) -> None:
    key_id = account.new_key()
    ask = Ask("Kms", "2016-01-20", "DisableKey", region="cn-hangzhou", key=key_of(account))
    form = replace(signed(ask, family), body=encoded((("KeyId", key_id),)).encode())
    form = form.with_headers(content_type="application/x-www-form-urlencoded")
    assert send(account, form)[0] == 400
    described = account.kms.call("DescribeKey", KeyId=key_id)
    assert described["KeyMetadata"]["KeyState"] == "Enabled"


def test_a_key_is_made_where_its_signer_said(account: Account) -> None:
    ask = Ask("Kms", "2016-01-20", "CreateKey", region="cn-hangzhou", key=key_of(account))
    wire = signed(ask, "RPC").with_headers(host="kms.cn-beijing.aliyuncs.com")
    status, text = send(account, wire)
    assert status == 200
    assert ":cn-hangzhou:" in text

"""HTTPS on the second port, for clients that insist: trusted through the world's own authority."""

import json

import httpx
import pytest
from alibabacloud_kms20160120 import models
from alibabacloud_kms20160120.client import Client
from alibabacloud_tea_openapi.models import Config

from acksim.clients.alibaba import Signer
from acksim.clients.trail import TrailClient, TrailQuery
from acksim.clients.world import World
from alibaba_edge.ports import ROOT_ACCESS_KEY_ID, ROOT_ACCESS_KEY_SECRET
from tests.contract.ram.conftest import KMS_ADMIN, new_account, refusal


def test_the_official_sdk_over_https(acksim: World) -> None:
    client = Client(
        Config(
            access_key_id=ROOT_ACCESS_KEY_ID,
            access_key_secret=ROOT_ACCESS_KEY_SECRET,
            endpoint=acksim.facts.tls_endpoint.removeprefix("https://"),
            protocol="HTTPS",
            ca=acksim.facts.ca,
        )
    )
    answer = client.describe_key(models.DescribeKeyRequest(key_id="alias/acksim"))
    assert answer.body.key_metadata.key_state == "Enabled"


def test_a_policy_may_ask_for_tls_and_the_trail_tells(acksim: World) -> None:
    account = new_account(acksim)
    insecure = {
        "Effect": "Deny",
        "Action": "*",
        "Resource": "*",
        "Condition": {"Bool": {"acs:SecureTransport": ["false"]}},
    }
    policy = account.policy("tls", json.dumps({"Version": "1", "Statement": [insecure]}))
    alice = account.user("alice", KMS_ADMIN, policy)
    key_id = account.owner.kms().create_key(models.CreateKeyRequest()).body.key_metadata.key_id
    request = models.DescribeKeyRequest(key_id=key_id)
    assert refusal(lambda: alice.kms().describe_key(request)).code == "Forbidden.NoPermission"
    secure = Client(
        Config(
            access_key_id=alice.id,
            access_key_secret=alice.secret,
            endpoint=acksim.facts.tls_endpoint.removeprefix("https://"),
            protocol="HTTPS",
            ca=acksim.facts.ca,
        )
    )
    assert secure.describe_key(request).body.key_metadata.key_id == key_id
    trail = TrailClient(acksim.facts.endpoint, Signer(account.owner.id, account.owner.secret))
    events = trail.events(TrailQuery({"EventName": "DescribeKey"}))
    schemes = [event["additionalEventData"]["Scheme"] for event in events]
    assert schemes == ["https", "http"]


def test_a_client_that_does_not_know_the_authority_refuses(acksim: World) -> None:
    with pytest.raises(httpx.ConnectError, match="certificate"):
        httpx.get(acksim.facts.tls_endpoint + "/healthz", trust_env=False)

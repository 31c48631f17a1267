"""HTTPS on the second port, for clients that insist: trusted through the world's own authority."""

import httpx
import pytest
from alibabacloud_kms20160120 import models
from alibabacloud_kms20160120.client import Client
from alibabacloud_tea_openapi.models import Config

from kms_emulator.ports import ROOT_ACCESS_KEY_ID, ROOT_ACCESS_KEY_SECRET
from sim.world import World


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


def test_a_client_that_does_not_know_the_authority_refuses(acksim: World) -> None:
    with pytest.raises(httpx.ConnectError, match="certificate"):
        httpx.get(acksim.facts.tls_endpoint + "/healthz", trust_env=False)

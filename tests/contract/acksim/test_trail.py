"""Who did what, as people and the official SDK ask for it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from alibabacloud_actiontrail20200706 import models
from alibabacloud_actiontrail20200706.client import Client
from alibabacloud_tea_openapi.models import Config

from acksim.cli import main
from acksim.clients.alibaba import Signer
from acksim.clients.kms import Kms
from acksim.clients.world import World
from acksim.testing import ClusterUnderTest


def config(world: World, signer: Signer) -> Config:
    return Config(
        access_key_id=signer.access_key_id,
        access_key_secret=signer.access_key_secret,
        endpoint=world.facts.endpoint.removeprefix("http://"),
        protocol="HTTP",
        region_id="cn-hangzhou",
    )


def look_up(client: Any, **parameters: Any) -> Iterator[dict[str, Any]]:
    """Every event, by all pages."""
    attributes = [
        models.LookupEventsRequestLookupAttribute(key=key, value=value)
        for key, value in parameters.pop("attributes", {}).items()
    ]
    token = None
    while True:
        request = models.LookupEventsRequest(
            lookup_attribute=attributes, next_token=token, **parameters
        )
        body = client.lookup_events(request).body
        yield from body.events
        token = body.next_token
        if token is None:
            return


def test_the_control_planes_calls_appear_under_its_role(
    acksim: World, acksim_cluster: ClusterUnderTest
) -> None:
    acksim_cluster.create_secret("app1", password="correct-horse-battery")
    acksim_cluster.restart()
    assert acksim_cluster.core_v1.read_namespaced_secret("app1", "default")
    client = Client(config(acksim, acksim_cluster.signer))
    account_id = acksim_cluster.account_id
    user = f"aliyuncsmanagedsecurityrole:{account_id}"
    events = list(look_up(client, attributes={"User": user, "ServiceName": "Kms"}))
    assert {"Encrypt", "Decrypt"} <= {event["eventName"] for event in events}
    for event in events:
        identity = event["userIdentity"]
        assert (identity["type"], identity["accountId"]) == ("assumed-role", account_id)
        assert identity["principalId"].endswith(f":{account_id}")
        assert identity["accessKeyId"].startswith("STS.")
        assert identity["sessionContext"]["attributes"]["mfaAuthenticated"] == "false"
        parameters = event["requestParameters"]
        assert parameters["AcsProduct"] == "Kms"
        assert parameters["stsTokenPrincipalName"] == user.replace(":", "/")
        assert json.loads(event["requestParameterJson"]) == parameters
        assert event["resourceName"] == acksim_cluster.key_id
        assert event["referencedResources"] == {"ACS::KMS::Key": [acksim_cluster.key_id]}
        assert (event["eventRW"], event["acsRegion"]) == ("Read", "cn-hangzhou")
        assert {"Plaintext", "CiphertextBlob"}.isdisjoint(parameters)
    by_role = look_up(client, attributes={"RoleName": "AliyunCSManagedSecurityRole"})
    assert [event["eventId"] for event in by_role] == [event["eventId"] for event in events]


def test_the_command_shows_what_was_asked_for(
    acksim: World, capsys: pytest.CaptureFixture[str]
) -> None:
    kms = Kms.of_root(acksim.facts.endpoint)
    key_id = kms.create_key()["KeyId"]
    kms.call("DisableKey", KeyId=key_id)
    kms.describe_key(key_id)

    def trail(*words: str) -> str:
        assert main(["trail", "--data-dir", acksim.facts.data_dir, *words]) == 0
        return capsys.readouterr().out

    def names(*words: str) -> list[str]:
        return [event["eventName"] for event in json.loads(trail("--json", *words))]

    of_key = ("--resource", key_id)
    assert names(*of_key) == ["DescribeKey", "DisableKey"]
    assert names(*of_key, "--limit", "1") == ["DescribeKey"]
    assert names(*of_key, "--rw", "write", "--user", "root") == ["DisableKey"]
    assert names(*of_key, "--rw", "write", "--user", "root", "--name", "DescribeKey") == []
    assert names(*of_key, "--since", "1h", "--until", "0s") == ["DescribeKey", "DisableKey"]
    assert names(*of_key, "--until", "1h") == []
    assert names(*of_key, "--region", "cn-beijing") == []
    assert names("--service", "Actiontrail", "--limit", "1") == ["LookupEvents"]
    heads, *rows = trail(*of_key).splitlines()
    assert heads.split() == ["TIME", "SERVICE", "EVENT", "USER", "RESOURCE", "RESULT"]
    assert [row.split()[1:] for row in rows] == [
        ["Kms", name, "root", key_id, "ok"] for name in ("DescribeKey", "DisableKey")
    ]


def test_the_command_says_what_it_could_not_read(
    acksim: World, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, told in (
        (["--since", "yesterday"], "not a duration"),
        (["--since", "2026-01-02T03:04Z"], "StartTime"),
        (["--region", "mars-1"], "InvalidRegionId"),
    ):
        assert main(["trail", "--data-dir", acksim.facts.data_dir, *words]) == 1
        assert told in capsys.readouterr().err


def test_following_shows_what_happens_and_not_its_own_lookups(acksim: World) -> None:
    kms = Kms.of_root(acksim.facts.endpoint)
    command = [sys.executable, "-m", "acksim", "trail", "--data-dir", acksim.facts.data_dir]
    command += ["--follow", "--json", "--limit", "1", "--service", "Kms", "--user", "root"]
    key_ids = [kms.create_key()["KeyId"] for _ in range(3)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = process.stdout
        shown = [json.loads(lines.readline())["resourceName"]]  # it has begun

        def shows(key_ids: list[str]) -> bool:
            """Whether calls on these keys are all that it shows, in their order."""
            for key_id in key_ids:
                kms.describe_key(key_id)
            events = [json.loads(lines.readline()) for _ in key_ids]
            shown.extend(event["eventName"] for event in events)
            return [event["resourceName"] for event in events] == key_ids

        try:
            assert shows(key_ids)
            acksim.move_clock(advance="2d")
            assert shows(key_ids[::-1])
            acksim.move_clock(reset=True)
            assert shows(key_ids)
        finally:
            process.terminate()
            acksim.move_clock(reset=True)
    assert set(shown[1:]) == {"DescribeKey"}

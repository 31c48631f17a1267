"""What a real cluster cost: as foreseen, as counted by the test, and by whom."""

import json
import secrets
from dataclasses import replace
from typing import Any

import pytest
from kubernetes.client import ApiException

from acksim.account.billing.forecast import Plan, calls
from acksim.cli import main
from acksim.clients.alibaba import Signer
from acksim.clients.kms import Kms, KmsRefusedError
from acksim.clients.world import World
from acksim.testing import ClusterUnderTest

SECRETS = 6


class Server:
    """Plays a plan on a cluster: Secrets are made, then read and replaced in turn."""

    def __init__(self, cluster: ClusterUnderTest, plan: Plan) -> None:
        self.cluster, self.plan = cluster, plan
        self.turns = {"read": 0, "write": 0}

    def play(self) -> None:
        for number in range(SECRETS):
            self.cluster.create_secret(f"s{number}", password="hunter2")
        for _ in range(self.plan.health_checks):
            assert self.cluster.readiness().ready
            self.cluster.advance_clock("21s")  # the answer is remembered for twenty
        lives = self.plan.restarts + 1
        for life in range(lives):
            if life == 1 and self.plan.rotations:
                self.rotate()
            if life:
                self.cluster.restart()
            for _ in range(self.plan.reads // lives):
                self.read(self.turn("read"))
            for _ in range(self.plan.writes // lives):
                self.replace(self.turn("write"))

    def turn(self, kind: str) -> str:
        name = f"s{self.turns[kind] % SECRETS}"
        self.turns[kind] += 1
        return name

    def read(self, name: str) -> Any:
        return self.cluster.core_v1.read_namespaced_secret(name, "default")

    def replace(self, name: str) -> None:
        """With a change: what is the same as before is not written."""
        secret = self.read(name)
        secret.string_data = {"password": secrets.token_hex()}
        self.cluster.core_v1.replace_namespaced_secret(name, "default", secret)

    def rotate(self) -> None:
        self.cluster.world.rotate_key(self.cluster.key_id, account_id=self.cluster.account_id)
        self.cluster.advance_clock("2m")  # until the provider of KMS v2 has asked again
        self.wait_for_the_new_version()
        if self.plan.rewrites:
            for number in range(SECRETS):
                self.replace(f"s{number}")

    def wait_for_the_new_version(self) -> None:
        if self.plan.kms == "v2":
            assert self.cluster.readiness().ready  # asks the provider, which makes a seed


@pytest.mark.parametrize(
    "plan",
    [
        Plan(SECRETS),
        Plan(SECRETS, reads=2 * SECRETS, restarts=1),
        Plan(SECRETS, days=1, reads=6 * SECRETS, writes=6 * SECRETS, restarts=2),
        Plan(SECRETS, days=1, reads=4 * SECRETS, restarts=3, writes=4),
        Plan(SECRETS, health_checks=3),
        Plan(SECRETS, days=2, rotation_days=1, reads=2 * SECRETS, restarts=1),
        Plan(SECRETS, days=2, rotation_days=1, rewrites=True, reads=2 * SECRETS, restarts=1),
    ],
    ids=["quiet", "restart", "busy", "few-writes", "health", "rotation", "rewrite"],
)
@pytest.mark.parametrize("kms", ["v1", "v2"])
def test_the_forecast_is_what_is_counted(acksim: World, plan: Plan, kms: Any) -> None:
    plan = replace(plan, kms=kms)
    cluster = ClusterUnderTest.create(acksim, kms=kms)
    try:
        Server(cluster, plan).play()
        used = {row["action"]: row["calls"] for row in cluster.bill()["items"]}
        foreseen = calls(plan)
        counted = (used.get("Encrypt", 0), used.get("Decrypt", 0))
        assert counted == (foreseen.encrypts, foreseen.decrypts)
        trail = [len(cluster.trail(EventName=name)) for name in ("Encrypt", "Decrypt")]
        assert trail == [foreseen.encrypts, foreseen.decrypts]
    finally:
        cluster.delete()
        acksim.move_clock(reset=True)


def test_each_cluster_key_and_caller_is_told_what_it_cost(
    acksim: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two clusters under one key, and somebody who calls the KMS himself."""
    one = ClusterUnderTest.create(acksim, kms="v1")
    account = {"account_id": one.account_id}
    facts = acksim.create_cluster("other", key_id=one.key_id, **account)
    two = ClusterUnderTest(acksim, one.signer, one.account_id, facts)
    try:
        for number in range(3):
            one.create_secret(f"s{number}", password="hunter2")
        two.create_secret("s0", password="hunter2")
        for _ in range(5):
            one.kms.call("Encrypt", KeyId=one.key_id, Plaintext="aGk=")
        role = f"aliyuncsmanagedsecurityrole:{one.account_id}"
        expected = {
            "cluster": {one.id: 3, two.id: 1, "-": 5},
            "caller": {role: 4, "root": 5},
            "key": {one.key_id: 9},
            "action": {"Encrypt": 9},
            "region": {"cn-hangzhou": 9},
        }
        for division, parts in expected.items():
            answer = acksim.costs(by=division, **account)
            assert {part["part"]: part["calls"] for part in answer["parts"]} == parts, division
        # The bill, the trail and this test agree.
        assert one.bill()["calls"] == 9 == len(one.trail(EventName="Encrypt"))
        one.advance_clock("1d")
        place = ["--data-dir", acksim.facts.data_dir, "--account", one.account_id, "--json"]
        assert main(["bill", "--by", "cluster", *place]) == 0
        costs = json.loads(capsys.readouterr().out)
        shares = {part["part"]: part for part in costs["parts"]}
        assert float(shares[one.id]["of_calls"]) == pytest.approx(3 * 0.000008)
        assert float(shares[one.id]["of_keeping"]) > 0  # its management
        assert shares["-"]["of_keeping"] == "0.002"  # the key, which serves both
        assert main(["bill", "balance", *place]) == 0
        balance = json.loads(capsys.readouterr().out)
        charged = sum(float(part["total"]) for part in costs["parts"])
        assert float(balance["cash"]) == pytest.approx(1_000_000 - charged)
    finally:
        two.delete()
        one.delete()
        acksim.move_clock(reset=True)


def test_after_seven_days_of_debt_a_cluster_goes_without_its_key_until_a_recharge(
    acksim: World, capsys: pytest.CaptureFixture[str]
) -> None:
    account = acksim.new_account("poor", cash="0.00")
    signer = Signer(account["access_key_id"], account["access_key_secret"])
    kms = Kms(acksim.facts.endpoint, signer.access_key_id, signer.access_key_secret)
    options = {"account_id": account["account_id"], "key_id": kms.create_key()["KeyId"]}
    cluster = ClusterUnderTest(
        acksim, signer, account["account_id"], acksim.create_cluster("poor", **options)
    )
    place = ["--data-dir", acksim.facts.data_dir, "--account", account["account_id"]]
    try:
        cluster.create_secret("app1", password="hunter2")
        cluster.advance_clock("7d")
        cluster.create_secret("app2", password="hunter2")
        cluster.advance_clock("1d")
        with pytest.raises(ApiException, match=r"Forbidden\.InDebtOverdue") as refused:
            cluster.create_secret("app3", password="hunter2")
        assert refused.value.status == 500
        cluster.restart()
        with pytest.raises(ApiException, match=r"Forbidden\.InDebtOverdue"):
            cluster.core_v1.read_namespaced_secret("app1", "default")
        with pytest.raises(KmsRefusedError, match=r"Forbidden\.InDebtOverdue"):
            kms.key_ids()
        assert main(["bill", "balance", *place]) == 1
        assert "suspended" in capsys.readouterr().out
        assert main(["bill", "recharge", "1000", *place]) == 0
        cluster.create_secret("app3", password="hunter2")
        for name in ("app1", "app2", "app3"):
            cluster.core_v1.read_namespaced_secret(name, "default")
    finally:
        cluster.delete()
        acksim.move_clock(reset=True)

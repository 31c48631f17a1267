"""An account is not paid for, and what its cluster's Secrets do then, until somebody pays.

What the operator sees: for seven days after the first unpaid bill everything goes on. Then the
KMS refuses every call, and the cluster lives like one whose key is disabled: writes fail, Secrets
in the cache of DEKs stay readable until the API server restarts. Nothing is charged meanwhile,
keys and Secrets stay as they are, and a recharge that pays what is owed brings everything back.
"""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from acksim.clients.alibaba import Signer
from acksim.clients.kms import Kms, KmsRefusedError
from acksim.clients.readiness import readiness
from acksim.clients.trail import TrailClient, TrailQuery
from acksim.clients.world import World
from acksim.scenarios.broken_key import RECOVERY_SECONDS, new_password
from acksim.scenarios.operator import Operator, operator
from acksim.scenarios.stage import Stage

CODE = "Forbidden.InDebtOverdue"
RECHARGE = "100.00"


@dataclass(slots=True)
class Scene:
    """The world of the story: an account that holds nothing, its key, its cluster, a password."""

    world: World
    account_id: str
    signer: Signer
    kms: Kms
    key_id: str
    cluster: dict[str, Any]
    operator: Operator
    password: str

    def balance(self) -> dict[str, Any]:
        return self.world.balance(account_id=self.account_id)

    def status(self) -> str:
        answer: str = self.kms.call("DescribeAccountKmsStatus")["AccountStatus"]
        return answer


def arrange(stage: Stage, world: World, folder: Path) -> Scene:
    """An account of its own, so that nobody else is cut off."""
    stage.chapter("An account that holds nothing, and a cluster that is sealed by its key")
    account = world.new_account("unpaid", cash="0.00")
    signer = Signer(account["access_key_id"], account["access_key_secret"])
    kms = Kms(world.facts.endpoint, signer.access_key_id, signer.access_key_secret)
    key_id = kms.create_key(description="seals the Secrets of who does not pay")["KeyId"]
    account_id = account["account_id"]
    cluster = world.create_cluster("unpaid", account_id=account_id, key_id=key_id)
    hands = operator(world.kubeconfig(cluster["cluster_id"]), folder)
    return Scene(world, account_id, signer, kms, key_id, cluster, hands, new_password())


def tell(stage: Stage, scene: Scene) -> None:
    """The whole story; raises ClaimFailedError where it does not hold."""
    _owe(stage, scene)
    _suspend(stage, scene)
    _restart(stage, scene)
    _pay(stage, scene)


def _owe(stage: Stage, scene: Scene) -> None:
    stage.chapter("The first bill cannot be paid")
    stored = scene.operator.create_secret("app1", password=scene.password)
    stage.command(stored.command)
    stage.claim("a Secret is stored", stored.ok, stored.text)
    stage.command("acksim clock advance 1d")
    scene.world.move_clock(advance="1d")
    balance = scene.balance()
    _show_balance(stage, scene, balance)
    stage.claim("a bill is overdue", balance["overdue_since"] is not None, balance)
    status = scene.status()
    stage.claim("DescribeAccountKmsStatus says InDebt", status == "InDebt", status)
    written = scene.operator.create_secret("app2", password=scene.password)
    stage.command(written.command)
    stage.claim("within seven days everything goes on", written.ok, written.text)


def _suspend(stage: Stage, scene: Scene) -> None:
    stage.chapter("More than seven days pass")
    stage.command("acksim clock advance 8d")
    scene.world.move_clock(advance="8d")
    balance = scene.balance()
    _show_balance(stage, scene, balance)
    stage.claim("the account is suspended", balance["suspended"], balance)
    try:
        scene.kms.call("DescribeKey", KeyId=scene.key_id)
        refusal = "answered"
    except KmsRefusedError as error:
        refusal = error.code
    stage.claim("the KMS does not even describe the key", refusal == CODE, refusal)
    write = scene.operator.create_secret("app3", password=scene.password)
    stage.command(write.command)
    stage.show([write.text])
    stage.claim("a new Secret is refused, and told why", CODE in write.text, write.text)
    read = scene.operator.read_secret("app1", "password")
    stage.command(read.command)
    stage.claim(
        "the old Secret is still readable, from the cache of DEKs",
        read.text == scene.password,
        read.text,
    )
    client = TrailClient(scene.world.facts.endpoint, scene.signer)
    codes = {
        event.get("errorCode") for event in client.events(TrailQuery({"EventName": "Encrypt"}))
    }
    stage.claim("the trail names the refusal", CODE in codes, codes)


def _restart(stage: Stage, scene: Scene) -> None:
    stage.chapter("The API server restarts: its cache is gone")
    stage.command(f"acksim cluster restart {scene.cluster['cluster_id']}")
    scene.world.restart_cluster(scene.cluster["cluster_id"])
    read = scene.operator.read_secret("app1", "password")
    stage.command(read.command)
    stage.show([read.text])
    stage.claim("now the old Secret is unreadable, too", not read.ok, read.text)
    health = readiness(scene.world, scene.cluster)
    stage.claim("/readyz fails", not health.ready, health.report)
    owed = scene.balance()["debt"]
    stage.command("acksim clock advance 30d")
    scene.world.move_clock(advance="30d")
    later = scene.balance()["debt"]
    stage.claim("a month of suspension costs nothing", owed == later, (owed, later))


def _pay(stage: Stage, scene: Scene) -> None:
    stage.chapter("Somebody pays")
    owed = Decimal(scene.balance()["debt"])
    stage.command(f"acksim bill recharge {RECHARGE} --account {scene.account_id}")
    balance = scene.world.move_money(account_id=scene.account_id, recharge=RECHARGE)
    stage.claim(
        "what was owed is paid, and no more",
        Decimal(balance["cash"]) == Decimal(RECHARGE) - owed,
        balance,
    )
    status = scene.status()
    stage.claim("the KMS is back at once", status == "Enabled", status)
    stage.claim_soon(
        "the Secret is back",
        lambda: scene.operator.read_secret("app1", "password").text == scene.password,
        seconds=RECOVERY_SECONDS,
    )
    stage.claim_soon(
        "/readyz is green",
        lambda: readiness(scene.world, scene.cluster).ready,
        seconds=RECOVERY_SECONDS,
    )


def _show_balance(stage: Stage, scene: Scene, balance: dict[str, Any]) -> None:
    stage.command(f"acksim bill balance --account {scene.account_id}")
    stage.show([f"cash {balance['cash']} {balance['currency']}, owed {balance['debt']}"])

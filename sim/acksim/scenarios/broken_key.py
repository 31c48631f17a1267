"""A key is disabled, and what a cluster's Secrets do then; at last the key is lost for good.

What the operator sees, as with Alibaba Cloud ACK and a KMS v1 provider: writes fail at once,
because each needs an Encrypt; Secrets that were read before stay readable from the cache of
DEKs; a restart of the API server empties that cache, and then nothing is readable until the
key is enabled again. A key whose deletion window has passed takes its Secrets with it.
"""

import secrets
from dataclasses import dataclass
from typing import Any

from acksim.ack.providers import PROVIDER_NAME
from acksim.clients.alibaba import Signer
from acksim.clients.etcd import describe, hexdump, read_one
from acksim.clients.kms import Kms, KmsRefusedError
from acksim.clients.readiness import readiness
from acksim.clients.trail import TrailClient, TrailQuery
from acksim.clients.trail_view import event_row
from acksim.clients.world import World
from acksim.scenarios.operator import Operator, Outcome
from acksim.scenarios.stage import Stage, beside

PREFIX = f"k8s:enc:kms:v1:{PROVIDER_NAME}:"
ROLE = "aliyuncsmanagedsecurityrole"
RECOVERY_SECONDS = 15.0


@dataclass(slots=True)
class Scene:
    """The world of the story: a key, a cluster sealed by it, and a password."""

    world: World
    kms: Kms
    key_id: str
    cluster: dict[str, Any]
    operator: Operator
    password: str

    @property
    def etcd_key(self) -> str:
        return f"{self.cluster['etcd_prefix']}/secrets/default/app1"

    def raw_value(self) -> bytes:
        return read_one(self.world.facts.etcd, self.etcd_key)

    def read(self) -> Outcome:
        return self.operator.read_secret("app1", "password")


def new_password() -> str:
    """Random, so that finding it nowhere means something."""
    return "hunter2-" + secrets.token_hex(4)


def tell(stage: Stage, scene: Scene) -> None:
    """The whole story; raises ClaimFailedError where it does not hold."""
    _store(stage, scene)
    _look_into_etcd(stage, scene)
    _look_at_records(stage, scene)
    _disable(stage, scene)
    _restart(stage, scene)
    _recover(stage, scene)
    _lose(stage, scene)


def _store(stage: Stage, scene: Scene) -> None:
    stage.chapter("A Secret is stored")
    outcome = scene.operator.create_secret("app1", password=scene.password)
    stage.command(outcome.command)
    stage.claim("the API server takes it", outcome.ok, outcome.text)


def _look_into_etcd(stage: Stage, scene: Scene) -> None:
    stage.chapter("What etcd holds, and what kubectl prints")
    value, read = scene.raw_value(), scene.read()
    sealed = describe(value)
    stage.command(f"acksim etcd get {scene.etcd_key}")
    stage.show(list(hexdump(value, limit=96)))
    stage.command(read.command)
    meaning = [f"sealed by    {sealed.by}", f"key version  {sealed.key_version}"]
    stage.show(beside([read.text], meaning))
    stage.claim("kubectl prints the password", read.text == scene.password, read.text)
    stage.claim(
        f"the stored value begins with {PREFIX}",
        value.startswith(PREFIX.encode()),
        sealed.by,
    )
    stage.claim("the password is nowhere in it", scene.password.encode() not in value)


def _look_at_records(stage: Stage, scene: Scene) -> None:
    stage.chapter("Who called the KMS, and what it cost")
    stage.command(f"acksim trail --resource {scene.key_id} --limit 5")
    trail = TrailClient(scene.world.facts.endpoint, Signer.of_root())
    events = list(trail.events(TrailQuery({"ResourceName": scene.key_id})))
    stage.show("  ".join(event_row(event)) for event in events[:5])
    encrypts = [event for event in events if event["eventName"] == "Encrypt"]
    callers = {event["userIdentity"]["userName"].partition(":")[0] for event in encrypts}
    stage.claim(f"the trail names the role {ROLE}", callers == {ROLE}, callers)
    stage.command("acksim bill")
    bill = scene.world.bill()
    billed = sum(row["calls"] for row in bill["items"] if row["key_id"] == scene.key_id)
    calls = [e for e in events if e["eventName"] in {"Encrypt", "Decrypt"} and not e["errorCode"]]
    stage.show([f"{billed} billable calls on this key"])
    stage.claim("the bill counts the very calls of the trail", billed == len(calls), billed)


def _disable(stage: Stage, scene: Scene) -> None:
    stage.chapter("The key is disabled")
    stage.command(f"acksim kms disable {scene.key_id}")
    scene.kms.call("DisableKey", KeyId=scene.key_id)
    write = scene.operator.create_secret("app2", password=scene.password)
    stage.command(write.command)
    stage.show([write.text])
    stage.claim("a new Secret is refused at once", not write.ok, write.text)
    stage.claim("the error names the cause", "Rejected.Disabled" in write.text, write.text)
    read = scene.read()
    stage.command(read.command)
    stage.claim(
        "the old Secret is still readable, from the cache of DEKs",
        read.ok and read.text == scene.password,
        read.text,
    )


def _restart(stage: Stage, scene: Scene) -> None:
    stage.chapter("The API server restarts: its cache is gone")
    stage.command(f"acksim cluster restart {scene.cluster['cluster_id']}")
    scene.world.restart_cluster(scene.cluster["cluster_id"])
    read = scene.read()
    stage.command(read.command)
    stage.show([read.text])
    stage.claim("now the old Secret is unreadable, too", not read.ok, read.text)
    health = readiness(scene.world, scene.cluster)
    for name, reason in health.failing.items():
        stage.command(f"curl https://…/readyz/{name}")
        stage.show([reason])
    stage.claim("/readyz fails", not health.ready, health.report)
    stage.claim(
        "and says why",
        any("Rejected.Disabled" in reason for reason in health.failing.values()),
        health.failing,
    )


def _recover(stage: Stage, scene: Scene) -> None:
    stage.chapter("The key is enabled again")
    stage.command(f"acksim kms enable {scene.key_id}")
    scene.kms.call("EnableKey", KeyId=scene.key_id)
    stage.claim_soon(
        "the Secret is back",
        lambda: scene.read().text == scene.password,
        seconds=RECOVERY_SECONDS,
    )
    stage.claim_soon(
        "/readyz is green",
        lambda: readiness(scene.world, scene.cluster).ready,
        seconds=RECOVERY_SECONDS,
    )


def _lose(stage: Stage, scene: Scene) -> None:
    stage.chapter("The key's deletion is scheduled, and eight days pass")
    stage.command(f"acksim kms schedule-deletion {scene.key_id} --days 7")
    scene.kms.call("ScheduleKeyDeletion", KeyId=scene.key_id, PendingWindowInDays=7)
    stage.command("acksim clock advance 8d")
    scene.world.move_clock(advance="8d")
    try:
        scene.kms.call("CancelKeyDeletion", KeyId=scene.key_id)
        refusal = "cancelled"
    except KmsRefusedError as error:
        refusal = error.code
    stage.claim(
        "nobody can cancel it any more: the key is gone",
        refusal == "Forbidden.KeyNotFound",
        refusal,
    )
    scene.world.restart_cluster(scene.cluster["cluster_id"])
    read = scene.read()
    stage.command(read.command)
    stage.show([read.text])
    stage.claim("the Secret is lost for good", not read.ok, read.text)
    stage.claim(
        "though every byte of it is still in etcd",
        scene.raw_value().startswith(PREFIX.encode()),
    )

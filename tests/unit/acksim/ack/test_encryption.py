"""The conditions of a switch one by one, where no world has such a key."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from acksim.ack.cluster import Cluster, ClusterError
from acksim.ack.encryption import TASK_TYPE, Change, Encryption, SwitchReport
from acksim.ack.grants import Asker
from alibaba_edge.client.kms import KeyDescription
from tests.unit.acksim.ack.conftest import ACCOUNT, Plane, a_cluster

OWNER = Asker(ACCOUNT, ACCOUNT)
GOOD = {
    "key_id": "key-1",
    "state": "Enabled",
    "primary_version": "v1",
    "spec": "Aliyun_AES_256",
    "usage": "ENCRYPT/DECRYPT",
    "creator": ACCOUNT,
}


class FakeSwitch:
    """Takes a cluster to `updating` and leaves it there, or refuses."""

    def __init__(self, plane: Plane, refusal: ClusterError | None = None) -> None:
        self._plane = plane
        self._refusal = refusal

    async def begin(self, cluster_id: str, key_id: str | None, **changes: Any) -> Cluster:
        if self._refusal is not None:
            raise self._refusal
        return await self._plane.store.change(
            cluster_id, state="updating", target_key_id=key_id, **changes
        )


class Granted:
    async def granted(self, _account_id: str, _role_name: str) -> bool:
        return True


def encryption(
    plane: Plane, refusal: ClusterError | None = None, key: Mapping[str, str] | None = None
) -> Encryption:
    async def describe(_cluster: Cluster, _key_id: str) -> KeyDescription:
        return KeyDescription(**{**GOOD, **(key or {})})

    return Encryption(
        tasks=plane.tasks,
        events=plane.events,
        keys=describe,
        roles=cast("Any", Granted()),
        grants=plane.grants,
        switch=FakeSwitch(plane, refusal),
        now=plane.clock.now,
    )


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ({"creator": "1000000000000999"}, "InvalidKMSKey.ServiceKey"),
        ({"spec": "Aliyun_AES_128"}, "InvalidKMSKey.KeySpec"),
        ({"usage": "SIGN/VERIFY"}, "InvalidKMSKey.KeyUsage"),
        ({"state": "PendingImport"}, "InvalidKMSKey.KeyState"),
    ],
)
async def test_a_key_that_will_not_do(plane: Plane, key: dict[str, str], code: str) -> None:
    cluster = a_cluster()
    await plane.store.insert(cluster)
    with pytest.raises(ClusterError) as raised:
        await encryption(plane, key=key).update(cluster, OWNER, Change("key-1", disable=False))
    assert raised.value.code == code
    assert (await plane.store.get(cluster.id)).state == "running"


async def test_a_switch_is_a_task_until_it_is_reported(plane: Plane) -> None:
    cluster = a_cluster()
    await plane.store.insert(cluster)
    begun = await encryption(plane).update(cluster, OWNER, Change("key-1", disable=False))
    task = await plane.tasks.get(ACCOUNT, begun.task_id or "")
    assert (task.type, task.state, dict(task.parameters)) == (
        TASK_TYPE,
        "running",
        {"kms_key_id": "key-1"},
    )
    report = SwitchReport(plane.tasks, plane.events)
    await report(begun, None)
    await report(begun, None)  # once more, as after a kill
    assert (await plane.tasks.get(ACCOUNT, task.id)).state == "success"


async def test_a_switch_that_was_given_up_is_a_failed_task(plane: Plane) -> None:
    cluster = a_cluster()
    await plane.store.insert(cluster)
    begun = await encryption(plane).update(cluster, OWNER, Change("key-1", disable=False))
    await SwitchReport(plane.tasks, plane.events)(begun, "the key went away")
    task = await plane.tasks.get(ACCOUNT, begun.task_id or "")
    assert (task.state, task.error_message) == ("fail", "the key went away")
    assert (await plane.reasons(cluster.id))[-1] == "KMSEncryptionUpdateFailed"


async def test_a_switch_that_does_not_begin_leaves_a_failed_task(plane: Plane) -> None:
    cluster = a_cluster()
    await plane.store.insert(cluster)
    refusal = ClusterError("ErrorClusterProviders", "too many keys")
    with pytest.raises(ClusterError, match="too many keys"):
        await encryption(plane, refusal).update(cluster, OWNER, Change("key-1", disable=False))
    assert await plane.reasons(cluster.id) == []

"""kill -9 right after each 202: what was answered for is brought to its end by the next process.

A world of its own, because its emulator is killed.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alibabacloud_cs20151215 import models

from acksim.clients.world import World
from acksim.world.launcher import Launcher, ephemeral_world
from tests.contract.ack.conftest import Account
from tests.contract.ack.waiting import wait_until


class KilledWorld:
    """One account of it, and the emulator's death and return."""

    def __init__(self, world: World, launcher: Launcher) -> None:
        made = world.new_account()
        self.account = Account(
            world, made["account_id"], made["access_key_id"], made["access_key_secret"]
        )
        self._world = world
        self._launcher = launcher

    def kill(self) -> None:
        """And start a new process on the same files, as a supervisor would."""
        [child] = [one for one in self._launcher.supervisor.children if one.name == "emulator"]
        assert child.process is not None
        child.process.kill()
        child.process.wait()
        child.starts.clear()  # a supervisor would give up on one that falls this often
        self._launcher.supervisor.restart(child)
        wait_until(self._answers, "the emulator does not come back")

    def _answers(self) -> bool:
        with contextlib.suppress(Exception):
            return bool(self._world.clock())
        return False


@pytest.fixture
def killed() -> Iterator[KilledWorld]:
    with ephemeral_world() as (world, launcher):
        yield KilledWorld(world, launcher)


def state_of(client: Any, task_id: str) -> str:
    state: str = client.describe_task_info(task_id).body.state
    return state


def test_every_task_that_was_answered_for_ends_well(killed: KilledWorld) -> None:
    account, client = killed.account, killed.account.client()
    key_id = account.new_key()
    created = client.create_cluster(
        models.CreateClusterRequest(
            name="shop", cluster_spec="ack.pro.small", encryption_provider_key=key_id
        )
    ).body
    killed.kill()
    account.wait_for(created.cluster_id, "running")
    assert state_of(client, created.task_id) == "success"

    request = models.UpdateKMSEncryptionRequest(disable_encryption=True)
    client.update_kmsencryption(created.cluster_id, request)
    killed.kill()
    detail = account.wait_for(created.cluster_id, "running")
    assert '"DisableEncryption":true' in detail.meta_data

    deleted = client.delete_cluster(created.cluster_id, models.DeleteClusterRequest()).body
    killed.kill()
    account.wait_until_gone(created.cluster_id)
    assert state_of(client, deleted.task_id) == "success"
    wanted = models.DescribeEventsRequest(cluster_id=created.cluster_id)
    reasons = [one.data.reason for one in client.describe_events(wanted).body.events]
    assert {"ClusterCreated", "KMSEncryptionUpdated", "ClusterDeleted"} <= set(reasons)
    assert Path(account.world.facts.data_dir, "clusters").is_dir()
    assert not Path(account.world.facts.data_dir, "clusters", created.cluster_id).exists()

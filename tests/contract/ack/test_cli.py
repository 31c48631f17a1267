"""`acksim cluster encrypt|decrypt|show|list`, against a world."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from acksim.cli import main
from acksim.clients.kms import Kms
from acksim.clients.world import World


class Command:
    """The command line on one cluster of the world's own account."""

    def __init__(self, world: World, capsys: pytest.CaptureFixture[str]) -> None:
        self._world = world
        self._capsys = capsys
        self.cluster_id: str = world.create_cluster("cli")["cluster_id"]

    def run(self, *words: str) -> tuple[int, str, str]:
        code = main(["cluster", *words, "--data-dir", self._world.facts.data_dir])
        printed = self._capsys.readouterr()
        return code, printed.out, printed.err


@pytest.fixture
def command(acksim: World, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    made = Command(acksim, capsys)
    yield made
    acksim.delete_cluster(made.cluster_id)
    acksim.move_clock(reset=True)


def test_a_cluster_is_encrypted_shown_and_decrypted(acksim: World, command: Command) -> None:
    key_id: str = Kms.of_root(acksim.facts.endpoint).create_key()["KeyId"]
    cluster_id = command.cluster_id
    code, out, _ = command.run("encrypt", cluster_id, "--key", key_id)
    assert (code, out.splitlines()[0]) == (
        0,
        f"cluster {cluster_id} is running, its Secrets sealed by {key_id}",
    )
    code, out, _ = command.run("show", cluster_id)
    assert code == 0
    assert f"sealed by {key_id}" in out
    assert "KMSEncryptionUpdated" in out
    code, out, _ = command.run("list", "--json")
    listed = {row["cluster_id"]: row for row in json.loads(out)}
    assert (listed[cluster_id]["state"], listed[cluster_id]["key_id"]) == ("running", key_id)

    code, _, err = command.run("decrypt", cluster_id)
    assert code == 1
    assert "ErrorUpdateKMSTooFrequent" in err
    acksim.move_clock(advance="5m")
    code, out, _ = command.run("decrypt", cluster_id, "--json")
    task: dict[str, Any] = json.loads(out)["task"]
    assert (code, task["state"]) == (0, "success")
    assert "not encrypted" in command.run("show", cluster_id)[1]


def test_without_waiting_it_says_that_it_has_begun(acksim: World, command: Command) -> None:
    key_id = Kms.of_root(acksim.facts.endpoint).create_key()["KeyId"]
    code, out, _ = command.run("encrypt", command.cluster_id, "--key", key_id, "--no-wait")
    assert (code, "is updating" in out) == (0, True)


def test_what_the_control_plane_refuses_is_told(command: Command) -> None:
    code, out, err = command.run("encrypt", command.cluster_id, "--key", "alias/nobody")
    assert (code, out) == (1, "")
    assert err.startswith("acksim: InvalidKMSKey.NotFound: ")
    code, _, err = command.run("show", "c" + "0" * 32)
    assert code == 1
    assert "ErrorClusterNotFound" in err

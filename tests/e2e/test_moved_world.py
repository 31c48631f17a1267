"""A world is its folder: copied while it is down, it goes on elsewhere with all it holds."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client, config

from acksim.clients.kms import Kms
from acksim.clients.world import World
from tests.patience import PATIENCE

PLAINTEXT = "aHVudGVyMg=="


@pytest.fixture
def places(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    both = tmp_path / "here", tmp_path / "there"
    yield both
    for place in both:
        if (place / "world.json").exists():
            _acksim("down", place)


def _acksim(command: str, place: Path, *words: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "acksim", command, *words, "--data-dir", str(place)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    ).stdout


def _up(place: Path) -> World:
    _acksim("up", place, "--detach", "--free-ports")
    return World.attach(place)


def _kubernetes(place: Path) -> client.CoreV1Api:
    path = place / "test-kubeconfig"
    path.write_text(_acksim("kubeconfig", place))
    return client.CoreV1Api(config.new_client_from_config(str(path)))


def test_keys_blobs_and_secrets_survive_the_move(places: tuple[Path, Path]) -> None:
    here, there = places
    kms = Kms.of_root(_up(here).facts.endpoint)
    key_id = kms.create_key()["KeyId"]
    blob = kms.call("Encrypt", KeyId=key_id, Plaintext=PLAINTEXT)["CiphertextBlob"]
    data_key = kms.call("GenerateDataKey", KeyId=key_id)
    assert len(data_key["CiphertextBlob"]) < 1024
    secret = client.V1Secret(
        metadata=client.V1ObjectMeta(name="app1"), string_data={"password": "hunter2"}
    )
    _kubernetes(here).create_namespaced_secret("default", secret)
    raw = json.loads(_acksim("etcd", here, "get", "/registry/secrets/default/app1", "--json"))
    _acksim("down", here)

    shutil.copytree(here, there)
    shutil.rmtree(here)  # nothing of the old place may be leaned on

    kms = Kms.of_root(_up(there).facts.endpoint)
    opened = kms.call("Decrypt", CiphertextBlob=blob)
    assert (opened["KeyId"], opened["Plaintext"]) == (key_id, PLAINTEXT)
    again = kms.call("Decrypt", CiphertextBlob=data_key["CiphertextBlob"])
    assert again["Plaintext"] == data_key["Plaintext"]
    api = _kubernetes(there)
    assert api.read_namespaced_secret("app1", "default").data == {"password": PLAINTEXT}
    assert (
        json.loads(_acksim("etcd", there, "get", "/registry/secrets/default/app1", "--json")) == raw
    )
    api.create_namespaced_secret("default", client.V1Secret(metadata={"name": "app2"}))
    _acksim("down", there)

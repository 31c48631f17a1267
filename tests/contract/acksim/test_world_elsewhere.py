"""Commands on a world that ACKSIM_WORLD names: in containers, or another user's by agreement."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from acksim.clients.world import World, WorldError
from tests.patience import PATIENCE


def run(
    world: World, place: Path, *words: str, **settings: str
) -> "subprocess.CompletedProcess[str]":
    named = {"ACKSIM_WORLD": world.facts.control, "ACKSIM_DATA_DIR": str(place)}
    return subprocess.run(
        [sys.executable, "-m", "acksim", *words],
        env={**os.environ, **named, **settings},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_every_command_works_by_address_and_token(acksim: World, tmp_path: Path) -> None:
    token = tmp_path / "secret"
    token.write_text(acksim.token + "\n")
    by_name, by_file = {"ACKSIM_TOKEN": acksim.token}, {"ACKSIM_TOKEN_FILE": str(token)}
    clusters = json.loads(run(acksim, tmp_path, "cluster", "list", "--json", **by_file).stdout)
    assert "default" in [row["cluster_id"] for row in clusters]
    assert run(acksim, tmp_path, "status", **by_name).returncode == 0
    assert "server: " in run(acksim, tmp_path, "kubeconfig", **by_name).stdout
    env = json.loads(run(acksim, tmp_path, "env", "--json", **by_name).stdout)
    assert env["ACKSIM_ENDPOINT"] == acksim.facts.endpoint
    for name in ("KUBECONFIG", "ACKSIM_CA"):
        kept = Path(env[name])
        assert kept.is_relative_to(tmp_path)
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    ended = run(acksim, tmp_path, "down", **by_name)
    assert ended.returncode == 1
    assert "ended where it runs" in ended.stderr


def test_without_its_token_the_refusal_says_where_it_is(acksim: World, tmp_path: Path) -> None:
    none, wrong = run(acksim, tmp_path, "status"), run(acksim, tmp_path, "status", ACKSIM_TOKEN="x")
    assert none.returncode == wrong.returncode == 1
    assert "set ACKSIM_TOKEN" in none.stderr
    assert "Unauthorized" in wrong.stderr
    assert "Traceback" not in none.stderr + wrong.stderr


def test_a_place_that_is_named_is_meant(acksim: World, tmp_path: Path) -> None:
    place = acksim.facts.data_dir
    done = run(acksim, tmp_path, "status", "--data-dir", place, ACKSIM_WORLD="http://127.0.0.1:9")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("url", ["127.0.0.1:8780", "ftp://a", "http://", "http://[::1"])
def test_an_address_that_is_none(tmp_path: Path, url: str) -> None:
    with pytest.raises(WorldError, match="no address of a control API"):
        World.connect(url, tmp_path, token="t")

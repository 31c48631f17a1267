"""The demo: every claim holds, with kubectl and without, and a claim that fails ends it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from acksim.scenarios.stage import ClaimFailedError, Stage
from tests.patience import PATIENCE

MINIMUM_CLAIMS = 15


def run_demo(*options: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "acksim", "demo", "--json", *options],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, **environment},
    )


def claims(done: "subprocess.CompletedProcess[str]") -> list[str]:
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[-1]["ok"]
    told = [line for line in lines if "claim" in line]
    assert all(line["holds"] for line in told)
    return [line["claim"] for line in told]


def test_the_story_holds_with_kubectl() -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    assert len(claims(run_demo())) >= MINIMUM_CLAIMS


def test_the_story_of_arrears_holds() -> None:
    assert len(claims(run_demo("--story", "arrears"))) >= MINIMUM_CLAIMS


def test_the_story_holds_without_kubectl(tmp_path: Path) -> None:
    """A PATH with an etcd, if the machine has one, and no kubectl."""
    (tmp_path / "bin").mkdir()
    for program in ("etcd", "sh"):
        if found := shutil.which(program):
            (tmp_path / "bin" / program).symlink_to(found)
    assert len(claims(run_demo(PATH=str(tmp_path / "bin")))) >= MINIMUM_CLAIMS


def test_it_leaves_nothing_behind(tmp_path: Path) -> None:
    claims(run_demo(TMPDIR=str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


class Listening:
    def __init__(self) -> None:
        self.verdicts: list[bool] = []

    def chapter(self, title: str) -> None: ...
    def line(self, text: str) -> None: ...
    def command(self, text: str) -> None: ...

    def verdict(self, claim: str, *, holds: bool, found: str) -> None:
        self.verdicts.append(holds)


def test_a_claim_that_fails_ends_the_story() -> None:
    teller = Listening()
    stage = Stage(teller, pace=0)
    stage.claim("water is wet", True)
    with pytest.raises(ClaimFailedError, match="dry"):
        stage.claim("water is dry", False, "a puddle")
    assert teller.verdicts == [True, False]

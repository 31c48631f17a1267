"""The unmodified npm package @alicloud/kms20160120, installed once beside the virtualenv's own."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from alibaba_edge.ports import ROOT_ACCESS_KEY
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from tests.contract.kms.conftest import World

pytestmark = pytest.mark.parametrize("_server", ["memory"], indirect=True, scope="module")

SOURCES = Path(__file__).parent / "node"
CACHE = Path(sys.prefix) / "cache" / "acksim-npm"
PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}


@pytest.fixture(scope="session")
def node_folder() -> Path:
    """Where Node finds the package. The npm registry is asked once per virtualenv."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("no node and npm on PATH")
    CACHE.mkdir(parents=True, exist_ok=True)
    wanted = (SOURCES / "package.json").read_text()
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = CACHE / "installed.json"
        if not done.exists() or done.read_text() != wanted:
            shutil.copy(SOURCES / "package.json", CACHE)
            command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"]
            made = subprocess.run(
                command, cwd=CACHE, capture_output=True, text=True, check=False, timeout=PATIENCE
            )
            if made.returncode:
                pytest.skip(f"npm could not install the SDK: {made.stderr[-200:]}")
            done.write_text(wanted)
    return CACHE


@pytest.mark.parametrize("credentials", ["owner", "session"])
def test_the_main_path_of_a_key(world: World, node_folder: Path, credentials: str) -> None:
    key = ROOT_ACCESS_KEY if credentials == "owner" else world.session
    settings = {
        "endpoint": world.endpoint,
        "accessKeyId": key.access_key_id,
        "accessKeySecret": key.secret,
        "securityToken": key.security_token,
    }
    script = shutil.copy(SOURCES / "main_path.js", node_folder)
    environment = {n: v for n, v in os.environ.items() if n.upper() not in PROXIES}
    run = subprocess.run(
        ["node", script, json.dumps(settings)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        env=environment,
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {
        "description": "näive + &",
        "same": True,
        "wrong": "InvalidParameter",
        "dataKey": 24,
        "tags": [["a", "b"]],
        "disabled": "Rejected.DisabledError",
        "status": 409,
    }
    assert {record.caller for record in world.records} == {key.caller}

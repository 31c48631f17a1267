"""The world as processes: ready when it says so, gone when it ends, however it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from acksim.settings import SETTINGS
from tests.patience import PATIENCE


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A data directory; whatever a failed test left running there is ended."""
    yield tmp_path / "world"
    facts = tmp_path / "world" / "world.json"
    if facts.exists():
        subprocess.run(acksim("down", "--data-dir", str(tmp_path / "world")), check=False)


def acksim(*words: str) -> list[str]:
    return [sys.executable, "-m", "acksim", *words]


def start(place: Path, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        acksim("up", "--free-ports", "--data-dir", str(place), *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def facts(place: Path) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        path = place / "world.json"
        if path.exists() and (text := path.read_text()):
            read: dict[str, Any] = json.loads(text)
            return read
        time.sleep(0.05)
    raise AssertionError("no world came up")


def members(session: int) -> set[int]:
    """Processes that descend from the world's parent, each in a session of its own."""
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    parents = [tuple(map(int, line.split())) for line in listing.splitlines()]
    found = {session}
    while more := {pid for pid, parent in parents if parent in found} - found:
        found |= more
    return found - {session}


def gone(pids: set[int], seconds: float = PATIENCE) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_however_the_parent_ends(place: Path, how: signal.Signals) -> None:
    parent = start(place)
    facts(place)
    children = members(parent.pid)
    assert len(children) >= 3
    os.kill(parent.pid, how)
    parent.communicate(timeout=PATIENCE)
    assert gone(children), "processes were left behind"


def test_down_ends_it_and_keeps_its_data(place: Path) -> None:
    detached = subprocess.run(
        acksim("up", "--detach", "--free-ports", "--data-dir", str(place)),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert "export KUBECONFIG=" in detached.stdout
    assert subprocess.run(acksim("status", "--data-dir", str(place)), check=False).returncode == 0
    first = json.loads(_output("kms", "list", "--json", "--data-dir", str(place)))
    assert _output("down", "--data-dir", str(place)).startswith("the world has ended")
    subprocess.run(
        acksim("up", "--detach", "--free-ports", "--data-dir", str(place)),
        check=True,
        timeout=PATIENCE,
    )
    again = json.loads(_output("kms", "list", "--json", "--data-dir", str(place)))
    assert [key["KeyId"] for key in first] == [key["KeyId"] for key in again]
    _output("down", "--data-dir", str(place))


def test_what_env_prints_leads_no_later_world_astray(place: Path) -> None:
    """A shell that took it may start another world, or the demo, beside or after this one."""
    _output("up", "--detach", "--free-ports", "--data-dir", str(place))
    printed = json.loads(_output("env", "--json", "--data-dir", str(place)))
    _output("down", "--data-dir", str(place))
    # Read only where ACKSIM_WORLD names a world elsewhere; see tests/unit/acksim/test_settings.py.
    assert set(printed) & {row.name for row in SETTINGS} == {"ACKSIM_TOKEN"}
    done = subprocess.run(
        acksim("demo", "--json"),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, **printed},
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_detached_world_may_forget(tmp_path: Path) -> None:
    """`--detach --ephemeral`: the welcome names the place, and `down` leaves nothing of it."""
    welcome = subprocess.run(
        acksim("up", "--detach", "--ephemeral", "--free-ports"),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ).stdout
    place = next(line.split()[1] for line in welcome.splitlines() if line.startswith("data "))
    assert Path(place).is_dir()
    assert "nothing is left" in _output("down", "--data-dir", place)
    assert list(tmp_path.iterdir()) == []


def test_a_second_world_in_the_same_place_is_refused(place: Path) -> None:
    parent = start(place)
    facts(place)
    second = subprocess.run(
        acksim("up", "--free-ports", "--data-dir", str(place)),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert second.returncode == 1
    assert "--data-dir names another place" in second.stderr
    os.kill(parent.pid, signal.SIGTERM)
    parent.communicate(timeout=PATIENCE)


def test_a_taken_port_is_named_with_its_setting(place: Path) -> None:
    parent = start(place)
    port = facts(place)["endpoint"].rpartition(":")[2]
    refused = subprocess.run(
        acksim("up", "--data-dir", str(place.with_name("other"))),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, "ACKSIM_PORT": port},
    )
    assert refused.returncode == 1
    assert "set ACKSIM_PORT to another port" in refused.stderr
    os.kill(parent.pid, signal.SIGTERM)
    parent.communicate(timeout=PATIENCE)


def test_a_child_that_falls_is_started_again(place: Path) -> None:
    parent = start(place)
    facts(place)
    roles = {
        pid
        for pid in members(parent.pid)
        if b"apiserver" in Path(f"/proc/{pid}/cmdline").read_bytes()
    }
    for pid in roles:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    status = 1
    while status and time.monotonic() < deadline:
        status = subprocess.run(
            acksim("status", "--data-dir", str(place)), capture_output=True, check=False
        ).returncode
    assert status == 0
    os.kill(parent.pid, signal.SIGTERM)
    parent.communicate(timeout=PATIENCE)


def test_the_data_directory_is_its_owners_alone(place: Path) -> None:
    parent = start(place)
    facts(place)
    exposed = [
        path
        for path in (place, *place.iterdir())
        if path.stat().st_mode & 0o077 and path.name != "lock"
    ]
    os.kill(parent.pid, signal.SIGTERM)
    parent.communicate(timeout=PATIENCE)
    assert place.stat().st_mode & 0o077 == 0
    assert [path.name for path in exposed if path.suffix in {".db", ".json", ".key"}] == []


def _output(*words: str) -> str:
    return subprocess.run(
        acksim(*words), capture_output=True, text=True, timeout=PATIENCE, check=True
    ).stdout

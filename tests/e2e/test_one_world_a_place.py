"""A data directory has one world, and nothing written there is believed about processes.

Whatever an earlier world, a copy or another program left behind: no command signals a process
that is not proved ours, and none changes a file of a world that is not its own.
"""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from acksim.cli import main
from acksim.data_dir.layout import Layout
from acksim.data_dir.world_lock import WorldLock, held

CEILING = 300  # seconds; for a machine that has much else to do

pytestmark = pytest.mark.timeout(CEILING)


def acksim(command: str, place: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    line = [sys.executable, "-m", "acksim", command, "--data-dir", str(place), *words]
    return subprocess.run(line, capture_output=True, text=True, timeout=CEILING, check=False)


def begin(place: Path, **options: Any) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "acksim", "up", "--free-ports", "--data-dir", str(place)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + CEILING
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A data directory; a world that still runs there after the test is asked to end."""
    place = tmp_path / "world"
    yield place
    if held(place / "lock"):
        acksim("down", place)


@pytest.fixture
def running(place: Path) -> Path:
    up = acksim("up", place, "--detach", "--free-ports")
    assert up.returncode == 0, up.stderr
    return place


@pytest.fixture
def stranger() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that nobody may touch."""
    process = subprocess.Popen(["sleep", str(CEILING)])
    yield process
    assert process.poll() is None, "a stranger was ended"
    process.kill()
    process.wait()


FACTS = {
    "pid": 1,
    "endpoint": "http://127.0.0.1:1",
    "tls_endpoint": "https://127.0.0.1:1",
    "kubernetes": "https://127.0.0.1:1",
    "control": "http://127.0.0.1:1",
    "etcd": ["http://127.0.0.1:1"],
    "data_dir": "/nowhere",
    "ca": "/nowhere/ca.crt",
}
WHOLE = json.dumps(FACTS)
GARBAGE: dict[str, str | bytes] = {
    "empty": "",
    "half": WHOLE[: len(WHOLE) // 2],
    "noise": "\x00\x01\x02",
    "not utf-8": b"\xff\xfe\xfd",
    "a list": "[]",
    "null": "null",
    "deep": "[" * 100_000,
    "earlier version": json.dumps({"pid": 1, "endpoint": "http://127.0.0.1:1"}),
    "wrong types": json.dumps({**FACTS, "etcd": "http://127.0.0.1:1", "pid": "1"}),
    "numbers in the list": json.dumps({**FACTS, "etcd": [1]}),
}
LEFT: dict[str, str | bytes] = {
    "whole": WHOLE,
    "later version": json.dumps({**FACTS, "colour": "red"}),
    **{f"process {pid}": json.dumps({**FACTS, "pid": pid}) for pid in (0, -1, 2**31, 2**63, 1)},
    **GARBAGE,
}


@pytest.mark.parametrize("command", ["status", "down", "env", "kubeconfig"])
@pytest.mark.parametrize("left", [*LEFT, "a stranger's process", "ourselves"])
def test_what_is_left_of_a_world_says_nothing(
    place: Path, stranger: "subprocess.Popen[bytes]", left: str, command: str
) -> None:
    pids = {"a stranger's process": stranger.pid, "ourselves": os.getpid()}
    text = json.dumps({**FACTS, "pid": pids[left]}) if left in pids else LEFT[left]
    content = text if isinstance(text, bytes) else text.encode()
    place.mkdir()
    (place / "lock").touch()
    (place / "world.json").write_bytes(content)
    done = acksim(command, place)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("acksim: no world runs in")
    assert sorted(path.name for path in place.iterdir()) == ["lock", "world.json"]
    assert (place / "world.json").read_bytes() == content


@pytest.mark.parametrize("left", GARBAGE)
def test_a_running_world_whose_facts_are_unreadable_is_named(
    place: Path, capsys: pytest.CaptureFixture[str], left: str
) -> None:
    place.mkdir()
    lock = WorldLock.take(place / "lock")
    text = GARBAGE[left]
    (place / "world.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert main(["env", "--data-dir", str(place)]) == 1
    assert "world.json cannot be read" in capsys.readouterr().err
    lock.release()


def test_a_world_that_a_program_holds_is_not_ended(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("acksim.cli.world._LISTENS_SECONDS", 0.1)
    place.mkdir()
    lock = WorldLock.take(place / "lock")
    (place / "world.json").write_text(json.dumps({**FACTS, "pid": os.getpid()}))
    assert main(["down", "--data-dir", str(place)]) == 1
    assert "the program that started it" in capsys.readouterr().err
    lock.release()


@pytest.mark.parametrize("words", [(), ("--detach",)])
def test_a_start_that_is_refused_changes_nothing(running: Path, words: tuple[str, ...]) -> None:
    log = running / "logs" / "up.log"
    log.write_text("what the running world has said\n")

    def state() -> dict[str, tuple[int, int, bytes]]:
        ours = [running / name for name in ("lock", "world.json", "kubeconfig", "logs")]
        ours.append(Layout.of(running).sockets)
        return {
            str(path): (
                path.stat().st_mode,
                path.stat().st_mtime_ns,
                path.read_bytes() if path.is_file() and path.suffix != ".log" else b"",
            )
            for top in ours
            for path in (top, *top.glob("*"))
            if path.name not in {"emulator.log", "apiserver.log", "etcd.log"}
        }

    before = state()
    refused = acksim("up", running, "--free-ports", *words)
    assert refused.returncode == 1
    assert refused.stderr.startswith("acksim: a world runs in")
    assert state() == before
    assert log.read_text() == "what the running world has said\n"
    assert acksim("status", running).returncode == 0


def test_of_twenty_starts_at_once_one_wins(place: Path) -> None:
    with ThreadPoolExecutor(20) as threads:
        done = list(
            threads.map(lambda _: acksim("up", place, "--detach", "--free-ports"), range(20))
        )
    refusals = [start.stderr for start in done if start.returncode == 1]
    assert sorted(start.returncode for start in done) == [0] + [1] * 19
    assert all(text.startswith("acksim: a world runs in") for text in refusals), refusals
    assert acksim("status", place).returncode == 0


def test_ten_may_end_it_at_once(running: Path) -> None:
    with ThreadPoolExecutor(10) as threads:
        done = list(threads.map(lambda _: acksim("down", running), range(10)))
    said = [(end.returncode, (end.stdout or end.stderr).partition(" in ")[0]) for end in done]
    assert (0, "the world has ended; its data stays") in said
    assert set(said) <= {
        (0, "the world has ended; its data stays"),
        (1, "acksim: no world runs"),
    }
    assert not held(running / "lock")


def test_it_may_be_asked_for_and_ended_while_it_starts(place: Path) -> None:
    starting = begin(place)
    until(lambda: held(place / "lock"))
    asked = acksim("status", place)
    ended = acksim("down", place)
    starting.communicate(timeout=CEILING)
    assert asked.returncode == 0 or "is starting or ending" in asked.stderr
    assert ended.returncode == 0, ended.stderr
    assert starting.returncode == 0
    assert not held(place / "lock")
    assert not (place / "world.json").exists()


def test_asking_while_it_ends_answers_or_says_so(running: Path) -> None:
    with ThreadPoolExecutor(1) as threads:
        ending = threads.submit(acksim, "down", running)
        said = []
        while not ending.done():
            said.append(acksim("status", running))
    assert ending.result().returncode == 0
    assert all("Traceback" not in answer.stderr for answer in said)
    assert {answer.returncode for answer in said} <= {0, 1}


def test_after_a_crash_its_process_id_is_a_strangers(
    place: Path, stranger: "subprocess.Popen[bytes]"
) -> None:
    world = begin(place)
    until((place / "world.json").exists)
    os.kill(world.pid, signal.SIGKILL)
    world.communicate()
    facts = json.loads((place / "world.json").read_text())
    (place / "world.json").write_text(json.dumps({**facts, "pid": stranger.pid}))
    for command in ("status", "down"):
        assert acksim(command, place).stderr.startswith("acksim: no world runs in")
    again = acksim("up", place, "--detach", "--free-ports")
    assert again.returncode == 0, again.stderr


def test_a_process_id_that_cannot_be_seen_hides_no_world(running: Path) -> None:
    """As from another pid namespace, where the number means nothing or somebody else."""
    path = running / "world.json"
    facts = json.loads(path.read_text())
    for pid in (2**22 + 1, os.getpid()):
        path.write_text(json.dumps({**facts, "pid": pid}))
        assert acksim("status", running).returncode == 0
        assert path.exists()
    assert acksim("down", running).returncode == 0


@pytest.fixture
def place_with_a_short_name() -> Iterator[Path]:
    """So short that its sockets lie in it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def test_a_copy_of_a_running_world_is_none(place_with_a_short_name: Path) -> None:
    running, copy = place_with_a_short_name / "w", place_with_a_short_name / "copy"
    assert Layout.of(running).sockets.parent == running
    up = acksim("up", running, "--detach", "--free-ports")
    assert up.returncode == 0, up.stderr
    shutil.copytree(running, copy, ignore=shutil.ignore_patterns("*.sock"))
    for command in ("status", "down"):
        assert acksim(command, copy).stderr.startswith("acksim: no world runs in")
    assert acksim("status", running).returncode == 0
    assert acksim("down", running).returncode == 0


@pytest.mark.parametrize("place", [Path("/dev/null/world"), Path("/proc/world"), Path(__file__)])
@pytest.mark.parametrize("words", [(), ("--detach",)])
def test_a_place_that_cannot_be_used_is_named(place: Path, words: tuple[str, ...]) -> None:
    refused = acksim("up", place, "--free-ports", *words)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"acksim: cannot keep a world in {place}")
    assert "Traceback" not in refused.stderr
    assert "--data-dir names another place" in refused.stderr


@pytest.mark.parametrize("room", [0, 100, 20_000])
def test_a_place_without_room_is_named(place: Path, room: int) -> None:
    """No file may grow beyond `room` bytes, as where the disk is full."""
    starting = begin(
        place, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    )
    _, said = starting.communicate(timeout=CEILING)
    assert starting.returncode == 1
    assert said.startswith("acksim: ")
    assert not held(place / "lock")
    assert not (place / "world.json").exists()


def test_where_one_stands_may_hold_modules_of_any_name(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The world's processes import nothing from the user's folder."""
    project = tmp_path / "project"
    (project / "sim").mkdir(parents=True)
    for name in ("sim/__init__.py", "secrets.py", "yaml.py", "uvicorn.py"):
        (project / name).write_text("raise SystemExit('the user\\'s own module was imported')\n")
    monkeypatch.chdir(project)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    for words in (("up", "--detach", "--free-ports"), ("status",), ("down",)):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "acksim", *words, "--data-dir", str(place)],
            capture_output=True,
            text=True,
            timeout=CEILING,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_process_that_a_world_started_ends_with_it(running: Path) -> None:
    """Also when it is asked to end in the moment in which a child falls."""
    parent = json.loads((running / "world.json").read_text())["pid"]
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    pairs = [tuple(map(int, line.split())) for line in listing.splitlines()]
    children = [pid for pid, its_parent in pairs if its_parent == parent]
    assert len(children) >= 3
    os.kill(children[-1], signal.SIGKILL)
    assert acksim("down", running).returncode == 0
    until(lambda: not any(Path(f"/proc/{child}").exists() for child in children))

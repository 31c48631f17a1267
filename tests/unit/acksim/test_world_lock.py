"""The lock that says whether a world runs, between real processes."""

import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from acksim.data_dir.world_lock import LockHeldError, WorldLock, held

HOLD = """
import sys, pathlib
from acksim.data_dir.world_lock import WorldLock
lock = WorldLock.take(pathlib.Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


def holder(path: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_it_is_held_exactly_as_long_as_its_process_lives(path: Path, how: signal.Signals) -> None:
    assert not held(path)
    process = holder(path)
    assert held(path)
    with pytest.raises(LockHeldError):
        WorldLock.take(path)
    process.send_signal(how)
    process.communicate()
    assert not held(path)
    WorldLock.take(path).release()


def test_a_copy_of_the_file_is_not_held(path: Path, tmp_path: Path) -> None:
    lock = WorldLock.take(path)
    copy = shutil.copy(path, tmp_path / "copy")
    assert held(path)
    assert not held(Path(copy))
    lock.release()


def test_looking_never_keeps_anyone_out(path: Path) -> None:
    """Of a thousand who take it while others look at it all the time, none is refused."""
    path.touch()
    done = threading.Event()
    seen: list[bool] = []

    def look() -> None:
        while not done.is_set():
            seen.append(held(path))

    lookers = [threading.Thread(target=look) for _ in range(4)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(1000):
            WorldLock.take(path).release()
    finally:
        done.set()
        for looker in lookers:
            looker.join()
    assert seen


def test_what_lies_in_a_place_made_anew_is_not_ours(path: Path) -> None:
    """The directory was removed while the world ran, and another world began there."""
    ours = WorldLock.take(path)
    assert ours.stands()
    path.unlink()
    assert not ours.stands()
    theirs = WorldLock.take(path)
    assert theirs.stands()
    assert not ours.stands()
    ours.release()
    assert held(path)
    theirs.release()

"""A child's log keeps its newest part, private, however much the child writes."""

import subprocess
import sys
from pathlib import Path

from acksim.world.log_files import bound_log, open_log
from acksim.world.supervisor import Child, Supervisor

LIMIT = 10_000


def test_a_long_file_is_emptied_under_its_writer(tmp_path: Path) -> None:
    path, kept = tmp_path / "role.log", tmp_path / "role.log.1"
    with open_log(path) as log:
        for number in range(50):
            subprocess.run(
                ["/bin/sh", "-c", f"echo {number:03}; head -c 996 /dev/zero"],
                stdout=log,
                check=True,
            )
            bound_log(path, limit=LIMIT)
            assert path.stat().st_size <= LIMIT
    assert kept.stat().st_size == LIMIT
    assert b"049" in path.read_bytes()
    assert b"043" in kept.read_bytes()
    for file in (path, kept):
        assert file.stat().st_mode & 0o777 == 0o600


def test_a_short_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "role.log"
    bound_log(path, limit=LIMIT)
    path.write_bytes(bytes(LIMIT))
    bound_log(path, limit=LIMIT)
    assert [one.name for one in tmp_path.iterdir()] == ["role.log"]


def test_a_child_that_writes_without_end(tmp_path: Path) -> None:
    """Forty times the limit, by a program that knows nothing of it."""
    import acksim.world.supervisor as module

    path = tmp_path / "child.log"
    script = "import sys, time\nfor _ in range(4000):\n print('x' * 10000, flush=True)"
    supervisor = Supervisor()
    before, module._LOG_LOOK_SECONDS = module._LOG_LOOK_SECONDS, 0.01
    try:
        child = supervisor.start(Child("child", [sys.executable, "-c", script], path))
        assert child.process is not None
        child.process.wait(30)
        bound_log(path)
        assert sum(one.stat().st_size for one in tmp_path.iterdir()) <= 2 * 8 * 1024 * 1024
    finally:
        supervisor.stop()
        module._LOG_LOOK_SECONDS = before

"""A child that falls is followed by another that can be reached."""

import sys
import threading
import time
from pathlib import Path

from acksim.world.supervisor import Child, Supervisor, guarded
from tests.patience import PATIENCE

# As etcd does: it listens at once, and takes its socket's name along when it is told to end.
LISTENER = """
import os, signal, socket, sys, time
def end(*_):
    time.sleep(0.7)
    os.unlink(sys.argv[1])
    os._exit(0)
signal.signal(signal.SIGTERM, end)
place = socket.socket(socket.AF_UNIX)
place.bind(sys.argv[1])
place.listen()
while True:
    time.sleep(60)
"""


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_a_killed_guard_leaves_ends_before_the_next_child_begins(tmp_path: Path) -> None:
    place = tmp_path / "s"
    supervisor = Supervisor()
    command = guarded([sys.executable, "-c", LISTENER, str(place)])
    child = supervisor.start(Child("listener", command, tmp_path / "log", sockets=[place]))
    watching = threading.Thread(target=supervisor.watch, args=(lambda _line: None,))
    watching.start()
    try:
        wait_for(place)
        killed = child.process
        assert killed is not None
        killed.kill()
        deadline = time.monotonic() + PATIENCE
        while child.process is killed:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        wait_for(place)
        time.sleep(1.5)  # twice what the first one took to remove the name
        assert place.exists()
        assert child.running
    finally:
        supervisor.stop()
        watching.join()

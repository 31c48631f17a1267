"""Child processes with health and restart, and none left behind.

Every child holds the read end of a pipe as its standard input and ends when the pipe does, so
that a parent that is killed takes its children with it. Programs that do not know this rule
(etcd) run under a few lines of shell that do.
"""

import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from acksim.world.log_files import bound_log, open_log

STOP_SECONDS = 8.0
_LOG_LOOK_SECONDS = 0.5
_RESTARTS, _RESTART_WINDOW = 5, 60.0

# `read` waits for the end of the pipe on descriptor 3, without a further process.
_GUARD = """
exec 3<&0 </dev/null
"$@" 3<&- & child=$!
trap 'kill "$child" 2>/dev/null' TERM INT HUP
{ read -r _ <&3; kill "$child" 2>/dev/null; } & watch=$!
exec 3<&-
wait "$child"; code=$?
while kill -0 "$child" 2>/dev/null; do wait "$child"; code=$?; done
kill "$watch" 2>/dev/null
exit "$code"
"""


class ChildError(Exception):
    """A child that would not start or does not stay up; the text ends with its last words."""


@dataclass(slots=True)
class Child:
    """One program of the world and its current process."""

    name: str
    command: Sequence[str]
    log: Path
    pass_fds: Sequence[int] = ()
    folder: Path | None = None  # its working directory, unless it is ours
    sockets: Sequence[Path] = ()  # that a killed one leaves behind and the next trips over
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    pipe: int | None = field(default=None, repr=False)
    life: int | None = field(default=None, repr=False)  # readable once all its processes ended
    starts: list[float] = field(default_factory=list, repr=False)

    @property
    def pid(self) -> int | None:
        return None if self.process is None else self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def last_words(self, lines: int = 12) -> str:
        try:
            text = self.log.read_text(errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])


def guarded(command: Sequence[str]) -> list[str]:
    """The command under the shell that ends it when standard input does."""
    return ["/bin/sh", "-c", _GUARD, "guard", *command]


def python_role(*arguments: str) -> list[str]:
    """The command of `acksim …` in a process of its own, by this very interpreter."""
    # -P: the folder that the user stands in may hold a module of any name.
    return [sys.executable, "-P", "-m", "acksim", *arguments]


class Supervisor:
    """Starts children in order, restarts one that fell, stops them in the opposite order."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = environment
        self._children: list[Child] = []
        self._stopping = threading.Event()
        self._lock = threading.Lock()

    @property
    def children(self) -> tuple[Child, ...]:
        return tuple(self._children)

    def start(self, child: Child) -> Child:
        if not self._children:
            threading.Thread(target=self._bound_logs, name="logs", daemon=True).start()
        self._children.append(child)
        self._spawn(child)
        return child

    def restart(self, child: Child) -> None:
        """A clean stop and a new process: what it held in memory is gone."""
        with self._lock:
            _stop(child)
            self._spawn(child)

    def wait_until(self, child: Child, ready: Callable[[], bool], *, seconds: float) -> None:
        """Polls `ready`; raises ChildError as soon as the child has ended, or at the limit."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not child.running:
                raise ChildError(f"{child.name} ended at once:\n{child.last_words()}")
            if time.monotonic() > deadline:
                raise ChildError(
                    f"{child.name} was not ready after {seconds:.0f} s:\n{child.last_words()}"
                )
            time.sleep(0.01)

    def watch(self, say: Callable[[str], None]) -> None:
        """Restarts children until `stop`; raises ChildError for one that keeps falling."""
        while not self._stopping.wait(0.2):
            with self._lock:
                for child in self._children:
                    if not child.running and not self._stopping.is_set():
                        say(f"{child.name} ended; starting it again")
                        self._spawn(child)

    def stop(self) -> None:
        self._stopping.set()
        with self._lock:
            for child in reversed(self._children):
                _stop(child)

    def _bound_logs(self) -> None:
        while not self._stopping.wait(_LOG_LOOK_SECONDS):
            for child in self.children:
                bound_log(child.log)

    def _spawn(self, child: Child) -> None:
        moment = time.monotonic()
        child.starts = [start for start in child.starts if start > moment - _RESTART_WINDOW]
        if len(child.starts) >= _RESTARTS:
            raise ChildError(f"{child.name} keeps falling:\n{child.last_words()}")
        child.starts.append(moment)
        _await_orphans(child)
        for leftover in child.sockets:
            leftover.unlink(missing_ok=True)
        read_end, write_end = os.pipe()
        child.life, alive = os.pipe()
        try:
            with open_log(child.log) as log:
                child.process = subprocess.Popen(
                    child.command,
                    stdin=read_end,
                    stdout=log,
                    stderr=log,
                    pass_fds=(*child.pass_fds, alive),
                    cwd=child.folder,
                    env=self._environment,
                    # Ctrl-C goes to us alone: we choose the order in which things stop.
                    start_new_session=True,
                    umask=0o077,
                )
        finally:
            os.close(read_end)
            os.close(alive)
        child.pipe = write_end


def _stop(child: Child) -> None:
    process = child.process
    if process is not None and process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    _await_orphans(child)


def _await_orphans(child: Child) -> None:
    """Wait until what a killed guard left running has ended, too, as the end of its pipe tells it.

    An etcd that ends in good order removes its socket's name: had the next one begun to listen by
    then, nobody could ever reach it. All of a child's processes hold the other end of `life`.
    """
    _close_pipe(child)
    if child.life is not None:
        select.select([child.life], [], [], STOP_SECONDS)
        os.close(child.life)
        child.life = None


def _close_pipe(child: Child) -> None:
    if child.pipe is not None:
        os.close(child.pipe)
        child.pipe = None

"""The world's processes: descendants of a parent that we started, and signalled as such."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from acksim.clients.world import World, WorldError
from acksim.data_dir.layout import Layout
from acksim.listeners import free_port
from acksim.world.supervisor import python_role
from alibaba_edge.ports import ROOT_ACCESS_KEY_ID, ROOT_ACCESS_KEY_SECRET

READY_SECONDS = 60.0
_GONE_SECONDS = 15.0
_PORTS = ("ACKSIM_PORT", "ACKSIM_TLS_PORT", "ACKSIM_KUBERNETES_PORT", "ACKSIM_CONTROL_PORT")


class NotReadyError(Exception):
    """A process did not come, stay or go as it should; the text says which, and its last words."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process of /proc; its start makes it another than any later one with the same id."""

    pid: int
    parent: int
    started: str
    arguments: tuple[str, ...]

    def running(self) -> bool:
        try:
            return _read(self.pid).started == self.started
        except (FileNotFoundError, ProcessLookupError):
            return False

    def send(self, number: signal.Signals) -> None:
        """Raises NotReadyError when it has ended meanwhile."""
        handle = os.pidfd_open(self.pid)
        try:
            # The handle is of whoever has the id now, and stays so: look who that is, then signal.
            if not self.running():
                raise NotReadyError(f"process {self.pid} has ended")
            signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


def descendants(pid: int) -> list[Process]:
    """Every process below this one, as of now."""
    everyone = list(_everyone())
    found = [one for one in everyone if one.parent == pid]
    for one in found:
        found += [other for other in everyone if other.parent == one.pid]
    return found


def wait_until_gone(processes: list[Process]) -> list[Process]:
    """Those that are still there after the time that the world has to end."""
    deadline = time.monotonic() + _GONE_SECONDS
    while (left := [one for one in processes if one.running()]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


class CrashWorld:
    """`acksim up` on one data directory, and `acksim serve kms-plugin` beside it.

    Both keep their addresses when they are started again.
    """

    def __init__(self, root: Path) -> None:
        self.layout = Layout.of(root / "world")
        self.plugin_socket = root / "plugin.sock"
        self._logs = root
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ACKSIM_")},
            **{name: str(free_port()) for name in _PORTS},
            "ALIBABA_CLOUD_ACCESS_KEY_ID": ROOT_ACCESS_KEY_ID,
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": ROOT_ACCESS_KEY_SECRET,
        }
        self._parent: subprocess.Popen[bytes] | None = None
        self._plugin: subprocess.Popen[bytes] | None = None

    def up(self) -> World:
        """Returns once the world says that it is ready; raises NotReadyError."""
        command = python_role("up", "--data-dir", str(self.layout.root))
        self._parent = self._start(command, "up.log")
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self._parent.poll() is None:
            try:
                return World.attach(self.layout.root)
            except WorldError:
                time.sleep(0.05)
        raise NotReadyError(f"the world does not come up\n{self.last_words()}")

    def start_plugin(self, endpoint: str) -> None:
        command = python_role("serve", "kms-plugin", "--socket", str(self.plugin_socket))
        command += ["--key-id", "alias/acksim", "--endpoint", endpoint]
        self._plugin = self._start(command, "plugin.log")

    def find(self, target: str) -> Process:
        """The process of this name; `guard` is the shell above etcd. Raises NotReadyError."""
        if target in {"parent", "plugin"}:
            started = self._parent if target == "parent" else self._plugin
            if started is None or started.poll() is not None:
                raise NotReadyError(f"the {target} has ended\n{self.last_words()}")
            return _read(started.pid)
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            for process in self.children():
                if _is(target, process.arguments):
                    return process
            time.sleep(0.05)
        raise NotReadyError(f"there is no {target}\n{self.last_words()}")

    def wait_for_another(self, victim: Process, target: str) -> None:
        """Until the parent has started the next one; raises NotReadyError."""
        deadline = time.monotonic() + READY_SECONDS
        while self.find(target) == victim:
            if time.monotonic() > deadline:
                raise NotReadyError(f"no other {target} is started\n{self.last_words()}")
            time.sleep(0.02)

    def children(self) -> list[Process]:
        return [] if self._parent is None else descendants(self._parent.pid)

    def reap(self, target: str) -> None:
        """After a kill of what we started ourselves."""
        started = self._parent if target == "parent" else self._plugin
        assert started is not None
        started.wait(READY_SECONDS)

    def end(self) -> list[Process]:
        """Ends all that was started, in order; returns what of it would not end in time."""
        children = self.children()
        for started in (self._plugin, self._parent):
            if started is not None and started.poll() is None:
                started.send_signal(signal.SIGCONT)
                started.terminate()
                try:
                    started.wait(READY_SECONDS)
                except subprocess.TimeoutExpired:
                    started.kill()
                    started.wait()
        left = wait_until_gone(children)
        for process in left:
            process.send(signal.SIGKILL)
        return left

    def last_words(self, lines: int = 12) -> str:
        """The end of every log."""
        return "\n".join(
            f"--- {name}\n" + "\n".join(text.splitlines()[-lines:]) for name, text in self._said()
        )

    def tracebacks(self) -> int:
        """How many unforeseen failures the logs tell of."""
        return sum(text.count("Traceback (most recent call last)") for _, text in self._said())

    def _said(self) -> Iterator[tuple[str, str]]:
        for folder in (self._logs, self.layout.logs):
            for log in sorted(folder.glob("*.log")):
                yield log.name, log.read_text(errors="replace")

    def _start(self, command: list[str], log: str) -> "subprocess.Popen[bytes]":
        with (self._logs / log).open("ab") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                start_new_session=True,
            )


def _is(target: str, arguments: tuple[str, ...]) -> bool:
    match target:
        case "guard":
            return arguments[0].endswith("sh") and "guard" in arguments and "etcd" in arguments[4]
        case "etcd":
            return Path(arguments[0]).name == "etcd"
        case role:
            return "serve" in arguments and role in arguments


def _everyone() -> Iterator[Process]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                yield _read(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue


def _read(pid: int) -> Process:
    """Raises FileNotFoundError or ProcessLookupError for one that has ended, reaped or not."""
    folder = Path(f"/proc/{pid}")
    state, parent, *rest = (folder / "stat").read_text().rpartition(")")[2].split()
    arguments = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    if state in "ZX" or not arguments:
        raise ProcessLookupError(pid)
    return Process(pid, int(parent), rest[17], tuple(arguments))

"""Starts a whole world as processes: etcd, the emulator, the API server."""

import contextlib
import json
import os
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from acksim.ack.pki import LocalAuthority
from acksim.clients.world import Facts, World
from acksim.data_dir import control_token
from acksim.data_dir.end_socket import listen_for_end
from acksim.data_dir.layout import Layout, write_private
from acksim.data_dir.world_lock import LockHeldError, WorldLock
from acksim.listeners import Listener, PortTakenError, bind
from acksim.settings import LOOPBACK, AuthMode, Ports, WorldSettings, role_environment
from acksim.world import etcd_server
from acksim.world.supervisor import Child, ChildError, Supervisor, guarded, python_role

_START_SECONDS = 90.0  # a ceiling for a machine that has much else to do; two are usual
_ROOM_BYTES = 64 * 2**20  # etcd prepares its first log file, of this size, when it starts


class WorldRunningError(Exception):
    """The data directory belongs to a world that runs already."""


class DataDirectoryError(Exception):
    """The data directory cannot be used; the text says why."""


class Launcher:
    """One world of processes; `start` returns when every part answers."""

    def __init__(self, settings: WorldSettings) -> None:
        self.settings = settings
        self.supervisor = Supervisor(role_environment(settings))
        self._layout = Layout.of(settings.data_dir)
        self._lock: WorldLock | None = None
        self._listeners: list[Listener] = []
        self._etcd: etcd_server.Etcd | None = None

    def start(self, on_end: Callable[[], None] | None = None) -> World:
        """`on_end` is called, from another thread, when `acksim down` asks for the end.

        Raises PortTakenError, EtcdMissingError, WorldRunningError, DataDirectoryError, ChildError.
        """
        try:
            self._take_place()
            if on_end is not None:
                listen_for_end(self._layout.end_socket, on_end)
            return self._start()
        except ChildError as error:
            self.stop()
            raise self._explained(error) from None
        except OSError as error:
            self.stop()
            raise DataDirectoryError(
                f"cannot keep a world in {self._layout.root}: {error}; "
                "--data-dir names another place"
            ) from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stops everything; an ephemeral world leaves nothing."""
        self.supervisor.stop()
        for listener in self._listeners:
            listener.socket.close()
        self._listeners.clear()
        if self._lock is None:
            return
        if self._lock.stands():
            self._layout.facts.unlink(missing_ok=True)
            if self.settings.ephemeral:
                shutil.rmtree(self._layout.root, ignore_errors=True)
            shutil.rmtree(self._layout.sockets, ignore_errors=True)
        self._lock.release()
        self._lock = None

    def _take_place(self) -> None:
        """Changes nothing before the lock is ours; what an earlier world left to say, it unsays."""
        root = self._layout.root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._lock = WorldLock.take(self._layout.lock)
        except LockHeldError:
            raise WorldRunningError(
                f"a world runs in {root} already: `acksim status` shows it, `acksim down` "
                "ends it, --data-dir names another place"
            ) from None
        self._layout.facts.unlink(missing_ok=True)
        self._layout.make()

    def _explained(self, error: ChildError) -> ChildError:
        """A full disk leaves a child no room for last words."""
        free = shutil.disk_usage(self._layout.root).free if self._layout.root.exists() else None
        if free is None or free >= _ROOM_BYTES:
            return error
        return ChildError(
            f"{error}\nthe disk of {self._layout.root} is nearly full: "
            f"{free // 2**20} MB are free, etcd alone takes {_ROOM_BYTES // 2**20} at its start"
        )

    def _start(self) -> World:
        settings, ports = self.settings, self.settings.ports
        http = self._bind("http", ports.http, "ACKSIM_PORT")
        https = self._bind("https", ports.https, "ACKSIM_TLS_PORT")
        kubernetes = self._bind("kubernetes", ports.kubernetes, "ACKSIM_KUBERNETES_PORT")
        control = self._bind("control", ports.control, "ACKSIM_CONTROL_PORT")
        token = control_token.renew(self._layout.token)  # each start; what leaked earlier is void
        authority = LocalAuthority(self._layout.pki)
        authority.server_files(settings.hostnames)
        etcd_child, etcd = self._start_etcd()
        kubernetes_url = f"https://{_client_host(kubernetes.host)}:{kubernetes.port}"
        common = ["--data-dir", str(self._layout.root), "--etcd", ",".join(etcd)]
        common += ["--auth", settings.auth]
        emulator = self._start_role(
            "emulator", [http, https, control], *common, "--kubernetes-url", kubernetes_url
        )
        apiserver = self._start_role("apiserver", [kubernetes], *common)
        facts = Facts(
            pid=os.getpid(),
            endpoint=_url("http", http),
            tls_endpoint=_url("https", https),
            kubernetes=kubernetes_url,
            control=_url("http", control),
            etcd=etcd,
            data_dir=str(self._layout.root),
            ca=str(authority.certificate_path),
            ephemeral=settings.ephemeral,
            etcd_program=self._etcd.program if self._etcd else "",
            etcd_version=self._etcd.version_text if self._etcd else "",
        )
        world = World(facts, token=token)
        if etcd_child is not None:
            self._wait(etcd_child, lambda: etcd_server.healthy(self._layout.etcd_socket))
        self._wait(emulator, lambda: _answers(facts.control + "/healthz"))
        self._wait(apiserver, world.kubernetes_ready)
        write_private(self._layout.facts, json.dumps(asdict(facts), indent=1))
        write_private(self._layout.kubeconfig, world.kubeconfig("default"))
        return world

    def _bind(self, name: str, port: int, setting: str) -> Listener:
        listener = bind(name, self.settings.host, port, setting)
        self._listeners.append(listener)
        return listener

    def _start_etcd(self) -> tuple[Child | None, tuple[str, ...]]:
        if self.settings.etcd:
            return None, tuple(_with_scheme(endpoint) for endpoint in self.settings.etcd)
        self._etcd = etcd = etcd_server.find(etcd_server.version_of_data(self._layout))
        write_private(self._layout.etcd_version, etcd.version_text)
        command = guarded(etcd_server.command(etcd, self._layout.etcd))
        log, socket = self._layout.logs / "etcd.log", self._layout.etcd_socket
        child = Child("etcd", command, log, folder=socket.parent, sockets=[socket])
        return self.supervisor.start(child), (f"unix://{socket}",)

    def _start_role(self, role: str, listeners: list[Listener], *arguments: str) -> Child:
        descriptors = [listener.socket.fileno() for listener in listeners]
        passed = [f"--fd={listener.name}={listener.socket.fileno()}" for listener in listeners]
        command = python_role("serve", role, *arguments, *passed)
        log = self._layout.logs / f"{role}.log"
        return self.supervisor.start(Child(role, command, log, pass_fds=descriptors))

    def _wait(self, child: Child, ready: Callable[[], bool]) -> None:
        self.supervisor.wait_until(child, ready, seconds=_START_SECONDS)


@contextlib.contextmanager
def ephemeral_world(
    *, etcd: tuple[str, ...] = (), auth: AuthMode = "strict"
) -> Iterator[tuple[World, Launcher]]:
    """A world on free ports, in a temporary directory that is gone at the end."""
    launcher = Launcher(
        WorldSettings(
            data_dir=temporary_data_dir(),
            etcd=etcd,
            auth=auth,
            ports=Ports.free(),
            ephemeral=True,
        )
    )
    try:
        yield launcher.start(), launcher
    finally:
        launcher.stop()


def temporary_data_dir() -> Path:
    """A private directory with a short name, for the sake of unix sockets."""
    return Path(tempfile.mkdtemp(prefix="acksim-"))


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own http address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _url(scheme: str, listener: Listener) -> str:
    return f"{scheme}://{_client_host(listener.host)}:{listener.port}"


def _client_host(host: str) -> str:
    """The address by which a client on this machine reaches a listener."""
    if host in {"0.0.0.0", "::"}:
        return LOOPBACK
    return f"[{host}]" if ":" in host else host


def _with_scheme(endpoint: str) -> str:
    return endpoint if "://" in endpoint else f"http://{endpoint}"


__all__ = [
    "ChildError",
    "DataDirectoryError",
    "Launcher",
    "PortTakenError",
    "WorldRunningError",
    "ephemeral_world",
    "temporary_data_dir",
]

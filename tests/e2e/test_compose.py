"""docker-compose.yml: its services as processes of this machine, and what they keep shut.

The volume is a folder, the services' names are loopback, the ports are free ones; commands and
variables are those of the file.
"""

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from acksim.clients.world import World
from acksim.data_dir import control_token
from acksim.data_dir.layout import Layout
from acksim.listeners import free_port
from acksim.world import etcd_server

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[2] / "docker-compose.yml").read_text()
)["services"]
PORTS = {
    "ACKSIM_PORT": 8700,
    "ACKSIM_TLS_PORT": 8743,
    "ACKSIM_KUBERNETES_PORT": 6443,
    "ACKSIM_CONTROL_PORT": 8780,
}
READY_SECONDS = 40


@pytest.fixture
def volume() -> Iterator[Path]:
    """A path as short as /data: the sockets lie in it, as the file's ACKSIM_ETCD says."""
    with tempfile.TemporaryDirectory(prefix="acksim-") as folder:
        place = Path(folder) / "volume"
        assert Layout.of(place).sockets.is_relative_to(place)
        yield place


class Containers:
    """The services that run, as processes; `run` starts one."""

    def __init__(self, volume: Path) -> None:
        self.volume = volume
        self.ports = {name: free_port() for name in PORTS}
        self.control = f"http://127.0.0.1:{self.ports['ACKSIM_CONTROL_PORT']}"

    def here(self, text: str) -> str:
        """A text of the file, for this machine."""
        for host in ("emulator", "apiserver", "127.0.0.1"):
            for name, port in PORTS.items():
                text = text.replace(f"//{host}:{port}", f"//127.0.0.1:{self.ports[name]}")
        return text.replace("/data", str(self.volume))

    def environment(self, service: str) -> dict[str, str]:
        named = {name: self.here(text) for name, text in SERVICES[service]["environment"].items()}
        ports = {name: str(port) for name, port in self.ports.items()}
        return {**os.environ, **ports, **named, "ACKSIM_DATA_DIR": str(self.volume)}

    @contextmanager
    def run(self, service: str, ready: Callable[[], bool]) -> Iterator[None]:
        words = [self.here(word) for word in SERVICES[service]["command"]]
        process = subprocess.Popen(
            [sys.executable, "-m", "acksim", *words],
            env=self.environment(service),
            stdin=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + READY_SECONDS
            while not ready():
                assert process.poll() is None, f"{service} ended"
                assert time.monotonic() < deadline, f"{service} was not ready"
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(20)

    def acksim(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """As `docker compose exec emulator acksim …`."""
        return subprocess.run(
            [sys.executable, "-m", "acksim", *words],
            env=self.environment("emulator"),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def answers(self) -> bool:
        try:
            urllib.request.urlopen(self.control + "/healthz", timeout=5).close()
        except OSError:
            return False
        return True

    def serves_kubernetes(self) -> bool:
        token = control_token.read(Layout.of(self.volume).token)
        return World.connect(self.control, self.volume, token=token).kubernetes_ready()


def test_the_services_make_a_world_and_the_demo_holds_in_it(volume: Path) -> None:
    containers = Containers(volume)
    socket = Layout.of(containers.volume).etcd_socket
    with ExitStack() as stack:
        for service, ready in (
            ("etcd", lambda: etcd_server.healthy(socket)),
            ("emulator", containers.answers),
            ("apiserver", containers.serves_kubernetes),
        ):
            stack.enter_context(containers.run(service, ready))
        for words in ("status", "env", "kubeconfig", "etcd ls /registry/secrets/"):
            done = containers.acksim(*words.split())
            assert done.returncode == 0, done.stdout + done.stderr
        told = containers.acksim(*SERVICES["demo"]["command"], "--fast")
        assert told.returncode == 0, told.stdout + told.stderr
        second = containers.acksim("serve", "etcd")
        assert second.returncode == 1
        assert "listens at" in second.stderr


def test_a_killed_etcd_starts_again(volume: Path) -> None:
    """Over the socket that it left in the volume."""
    containers = Containers(volume)
    socket = Layout.of(containers.volume).make().etcd_socket
    socket.touch()
    with containers.run("etcd", lambda: etcd_server.healthy(socket)):
        assert socket.is_socket()


def test_a_volume_of_another_user_is_named(volume: Path) -> None:
    volume.write_text("no folder")
    refused = Containers(volume).acksim("serve", "emulator")
    assert refused.returncode == 1
    assert "cannot keep a world in" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_is_published_beyond_this_machine(service: str) -> None:
    published = SERVICES[service].get("ports", [])
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert "2379" not in "".join(published)


@pytest.mark.parametrize("service", SERVICES)
def test_every_container_has_the_least_rights(service: str) -> None:
    described = SERVICES[service]
    assert described["read_only"] is True
    assert described["cap_drop"] == ["ALL"]
    assert described["security_opt"] == ["no-new-privileges:true"]
    assert not described.get("privileged")
    assert "cap_add" not in described

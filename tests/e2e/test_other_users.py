"""Another user of the machine: what a running world shows them, tried as such a user."""

import os
import pwd
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from acksim.clients.world import World
from acksim.data_dir.layout import Layout
from acksim.settings import Ports, WorldSettings
from acksim.world.launcher import Launcher

OTHER = "nobody"
# Each is a way to an administrator's rights; none may answer with more than a refusal.
DOORS = (
    ("GET", "/_sim/clusters/default/kubeconfig"),
    ("GET", "/_sim/addresses"),
    ("POST", "/_sim/clusters/default/restart"),
    ("POST", "/_sim/accounts"),
)

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can try what another user may do"
)


@pytest.fixture(scope="module")
def started() -> Iterator[tuple[World, Launcher]]:
    """In a place that others may enter, so that nothing but its own modes guards it."""
    with tempfile.TemporaryDirectory(prefix="open-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        launcher = Launcher(WorldSettings(data_dir=Path(folder) / "world", ports=Ports.free()))
        try:
            yield launcher.start(), launcher
        finally:
            launcher.stop()


@pytest.fixture
def world(started: tuple[World, Launcher]) -> World:
    return started[0]


@pytest.fixture
def processes(started: tuple[World, Launcher]) -> set[int]:
    return family({child.pid for child in started[1].supervisor.children if child.pid})


def as_other(script: str) -> "subprocess.CompletedProcess[str]":
    other = pwd.getpwnam(OTHER)
    return subprocess.run(
        ["bash", "-c", script],
        user=other.pw_uid,
        group=other.pw_gid,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def answer(port: int | None, method: str, path: str) -> str:
    request = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    script = f"exec 3<>/dev/tcp/127.0.0.1/{port}; printf %s {shlex.quote(request)} >&3; cat <&3"
    return as_other(script).stdout


@pytest.mark.parametrize(("method", "path"), DOORS)
def test_the_control_api_refuses(world: World, method: str, path: str) -> None:
    port = urlsplit(world.facts.control).port
    assert answer(port, "GET", "/healthz").startswith("HTTP/1.1 200 ")
    refused = answer(port, method, path)
    assert refused.startswith("HTTP/1.1 401 "), refused
    assert world.token not in refused
    assert "certificate" not in refused


def test_no_file_opens(world: World) -> None:
    place = Path(world.facts.data_dir)
    assert as_other(f"ls {place.parent}").stdout.split() == [place.name]
    tried = [place, *place.rglob("*")]
    assert len(tried) >= 20
    for path in tried:
        looked = as_other(f"ls -d {path}/. || cat {path}")
        assert looked.returncode != 0, path
        assert "Permission denied" in looked.stderr, path


def test_etcd_answers_nobody_else(world: World) -> None:
    socket = Layout.of(world.facts.data_dir).etcd_socket
    assert world.facts.etcd == (f"unix://{socket}",)
    assert socket.is_socket()
    assert "Permission denied" in as_other(f"ls {socket}").stderr
    assert socket.parent.stat().st_mode & 0o077 == 0


def test_no_further_port_is_open(world: World, processes: set[int]) -> None:
    """Of all processes of the world: the four that the documentation names, on loopback."""
    named = {
        urlsplit(url).port
        for url in (
            world.facts.endpoint,
            world.facts.tls_endpoint,
            world.facts.kubernetes,
            world.facts.control,
        )
    }
    held = {f"socket:[{inode}]": address for inode, address in listening()}
    found = {
        held[link]
        for pid in processes
        for link in map(os.readlink, Path(f"/proc/{pid}/fd").iterdir())
        if link in held
    }
    assert found == {("127.0.0.1", port) for port in named}


def test_the_token_is_in_no_log_and_no_list_of_processes(world: World, processes: set[int]) -> None:
    place, token = Path(world.facts.data_dir), world.token.encode()
    holders = [path for path in place.rglob("*") if path.is_file() and token in path.read_bytes()]
    assert holders == [Layout.of(place).token]
    for pid in processes:
        assert token not in Path(f"/proc/{pid}/cmdline").read_bytes()


def listening() -> Iterator[tuple[str, tuple[str, int]]]:
    """Inode and IPv4 address of each TCP socket that listens; IPv6 as the text of the kernel."""
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                host, port = fields[1].split(":")
                octets = re.findall("..", host)[::-1] if len(host) == 8 else []
                shown = ".".join(str(int(octet, 16)) for octet in octets) or host
                yield fields[9], (shown, int(port, 16))


def family(roots: set[int]) -> set[int]:
    """These processes, and their descendants that run now."""
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    parents = [tuple(map(int, line.split())) for line in listing.splitlines()]
    found = set(roots)
    while more := {pid for pid, parent in parents if parent in found} - found:
        found |= more
    return {pid for pid in found if Path(f"/proc/{pid}/fd").exists()}

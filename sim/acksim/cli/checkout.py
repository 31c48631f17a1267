"""`test` and `bench`: what only a checkout has."""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from acksim.clients.world import WorldError

_ROOT = Path(__file__).parents[3]


def test(arguments: argparse.Namespace) -> int:
    """pytest in the checkout, on several workers unless told otherwise; its exit code is ours."""
    _require("tests", "pytest")
    chosen = list(arguments.extra)
    alone = {"-n", "--pdb", "-s", "--collect-only"} & set(chosen)
    parallel = [] if alone else ["-n", str(_workers())]
    command = [sys.executable, "-m", "pytest", *parallel, *chosen]
    return subprocess.run(command, cwd=_ROOT, check=False).returncode


def _workers() -> int:
    """Two a processor: half of what tests do is wait for servers that start, fall and come back."""
    return min(8, 2 * (os.cpu_count() or 1))


def bench(arguments: argparse.Namespace) -> int:
    """The peers of the comparison live in an environment of their own: their needs differ."""
    _require("benchmarks", "pytest")
    peers = Path(sys.prefix) / "peers"
    wanted = (_ROOT / "benchmarks" / "peers.txt").read_text()
    stamp = peers / ".installed"
    if not stamp.exists() or stamp.read_text() != wanted:
        _install_peers(peers)
        stamp.write_text(wanted)
    program = peers / "bin" / "python"
    command = [sys.executable, "-m", "benchmarks", "--peers", str(program), *arguments.extra]
    return subprocess.run(command, cwd=_ROOT, check=False).returncode


def _install_peers(peers: Path) -> None:
    print("acksim: installing what acksim is measured against (once) …", file=sys.stderr)
    requirements = _ROOT / "benchmarks" / "peers.txt"
    if uv := shutil.which("uv"):
        make = [uv, "venv", "--quiet", "--allow-existing", str(peers)]
        install = [uv, "pip", "install", "--quiet", "--python", str(peers / "bin" / "python")]
    else:
        make = [sys.executable, "-m", "venv", str(peers)]
        install = [str(peers / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    for command in (make, [*install, "-r", str(requirements)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise WorldError(f"could not install the peers: {done.stderr.strip()}")


def _require(folder: str, module: str) -> None:
    if not (_ROOT / folder).is_dir():
        raise WorldError(f"{folder}/ is not here: run ./acksim in a checkout of acksim")
    if importlib.util.find_spec(module) is None:
        raise WorldError(
            f"{module} is missing: run the ./acksim of the checkout, which installs it"
        )

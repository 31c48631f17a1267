"""`test` and `bench`: what only a checkout has."""

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path

from sim.world import WorldError

_ROOT = Path(__file__).parents[2]


def test(arguments: argparse.Namespace) -> int:
    """pytest in the checkout, two workers unless told otherwise; its exit code is ours."""
    _require("tests", "pytest")
    chosen = list(arguments.extra)
    parallel = [] if {"-n", "--pdb", "-s", "--collect-only"} & set(chosen) else ["-n", "2"]
    command = [sys.executable, "-m", "pytest", *parallel, *chosen]
    return subprocess.run(command, cwd=_ROOT, check=False).returncode


def bench(arguments: argparse.Namespace) -> int:
    _require("benchmarks", "moto")
    command = [sys.executable, "-m", "benchmarks", *arguments.extra]
    return subprocess.run(command, cwd=_ROOT, check=False).returncode


def _require(folder: str, module: str) -> None:
    if not (_ROOT / folder).is_dir():
        raise WorldError(f"{folder}/ is not here: run ./acksim in a checkout of acksim")
    if importlib.util.find_spec(module) is None:
        raise WorldError(
            f"{module} is not installed: run ./acksim of the checkout, which installs it"
        )

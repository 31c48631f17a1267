"""The static checks are tests like any other: layers, types, style, shell."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "command",
    [
        ["lint-imports"],
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
    ],
    ids=" ".join,
)
def test_static_check(command: list[str]) -> None:
    program = BIN / command[0]
    if not program.exists():
        pytest.skip(f"{command[0]} is not installed: ./acksim test installs it")
    done = subprocess.run(
        [str(program), *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_shell_scripts() -> None:
    program = shutil.which("shellcheck")
    if program is None:
        pytest.skip("shellcheck is not installed (Debian: apt install shellcheck)")
    done = subprocess.run(
        [program, "acksim", ".ci/run"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_no_module_has_outgrown_its_name() -> None:
    """350 lines are a smell, 500 a wall: a module that long hides a second noun."""
    long = {
        path.relative_to(ROOT).as_posix(): lines
        for package in ("sim", "kms_emulator", "apiserver_shim", "bounded_http", "benchmarks")
        for path in (ROOT / package).rglob("*.py")
        if not path.name.endswith("_pb2.py") and (lines := path.read_text().count("\n")) > 350
    }
    assert long == {}


def test_locks_name_no_address() -> None:
    for name in ("constraints.txt", "pyproject.toml", "Dockerfile", "docker-compose.yml"):
        assert "://pypi" not in (ROOT / name).read_text()
        assert "--index" not in (ROOT / name).read_text()

"""The static checks are tests like any other: layers, types, style, shell."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

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
        for package in (
            "sim/acksim",
            "kms_emulator",
            "apiserver_shim",
            "alibaba_edge",
            "alibaba_kms_plugin",
            "kubernetes_kms",
            "bounded_http",
            "benchmarks",
        )
        for path in (ROOT / package).rglob("*.py")
        if not path.name.endswith("_pb2.py") and (lines := path.read_text().count("\n")) > 350
    }
    assert long == {}


def locked(name: str) -> dict[str, str]:
    """The version of each package of a lock; each line of it is a package, a hash or an include."""
    found = {}
    for block in re.split(r"\n(?=\S)", (ROOT / "requirements" / name).read_text().strip()):
        first, *hashes = block.replace("\\\n", "\n").splitlines()
        if first == "-r product.txt":
            continue
        pinned = re.fullmatch(
            r"([a-z0-9-]+)(?:\[[a-z,]+\])?==([0-9a-z.]+)(?: ; .+)?", first.strip()
        )
        assert pinned is not None, first
        assert hashes, first
        assert all(re.fullmatch(r" +--hash=sha256:[0-9a-f]{64} *", line) for line in hashes), first
        found[pinned[1]] = pinned[2]
    return found


def test_locks_have_a_hash_for_every_package_and_name_no_address() -> None:
    product, development, build = (
        locked(f"{name}.txt") for name in ("product", "development", "build")
    )
    assert not product.keys() & development.keys()
    everything = {**product, **development}
    for name, version in build.items():
        assert everything.get(name, version) == version
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for asked, there in (
        (project["dependencies"], product),
        (extras["test"] + extras["lint"], everything),
        ((ROOT / "requirements" / "build.in").read_text().splitlines(), build),
    ):
        names = {re.split(r"[\[<>=; ]", line)[0] for line in asked}
        assert names <= there.keys()


def test_every_image_has_an_exact_version() -> None:
    """A tag can be moved; a digest cannot, but has to come from the registry itself."""
    text = (ROOT / "Dockerfile").read_text() + (ROOT / "docker-compose.yml").read_text()
    images = re.findall(r"^\s*(?:FROM|image:) (\S+)", text, flags=re.MULTILINE)
    assert len(images) >= 3
    for image in images:
        assert image == "acksim" or re.search(r":v?\d+\.\d+\.\d+(-[a-z0-9-]+)?$", image), image
    assert "://pypi" not in text
    assert "--index" not in text


def test_every_container_is_confined() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert len(services) >= 4
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["tmpfs"], name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        assert not {"privileged", "cap_add", "user", "pid", "ipc"} & service.keys(), name
        assert service.get("network_mode", "none") == "none", name
    assert re.search(r"^USER acksim$", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)

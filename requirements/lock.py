"""Writes the locks beside this file: every package in one version, with the hashes of its files.

    python requirements/lock.py             # versions stay, what is missing is added
    python requirements/lock.py --upgrade   # the newest of everything

`product.txt` is what acksim needs, `development.txt` what its tests and checks need besides, and
`build.txt` what makes a wheel of it. They hold for every Python and platform of `pyproject.toml`.
Needs uv.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent


def main() -> None:
    product = locked("pyproject.toml", upgrade="--upgrade" in sys.argv)
    write("product.txt", product)
    everything = locked("pyproject.toml", "--extra=test", "--extra=lint", known=product)
    more = {name: text for name, text in everything.items() if name not in product}
    write("development.txt", more, "-r product.txt\n")
    write("build.txt", locked("requirements/build.in", known=everything))


def locked(
    *words: str, known: dict[str, str] | None = None, upgrade: bool = False
) -> dict[str, str]:
    """The lines of each package by its name; versions that are known or locked already stay."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as versions:
        if not upgrade:
            for path in HERE.glob("*.txt"):
                versions.writelines(pins(blocks(path.read_text())))
        elif known is not None:
            versions.writelines(pins(known))
        versions.flush()
        command = ["uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
        command += ["--python-version", "3.11", "--no-header", "--no-annotate"]
        command += ["--no-emit-index-url", "--constraint", versions.name, *words]
        done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return blocks(done.stdout)


def blocks(text: str) -> dict[str, str]:
    """A package's first line names it; its hashes are indented."""
    found = re.findall(r"^[A-Za-z0-9].*\n(?:[ \t].*\n)*", text, flags=re.MULTILINE)
    return {re.split(r"[\[= ]", block)[0]: block for block in found}


def pins(packages: dict[str, str]) -> list[str]:
    return [
        re.sub(r"\[.*?\]", "", block.splitlines()[0]).rstrip("\\ ") + "\n"
        for block in packages.values()
    ]


def write(name: str, packages: dict[str, str], head: str = "") -> None:
    text = head + "".join(packages[package] for package in sorted(packages))
    (HERE / name).write_text(text)
    print(f"{name}: {len(packages)} packages")


if __name__ == "__main__":
    main()

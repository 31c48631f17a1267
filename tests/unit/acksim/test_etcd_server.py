"""Which etcd is started: a safe one before an unsafe one, and none that its data would refuse."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from acksim.data_dir.layout import Layout
from acksim.world import etcd_server
from acksim.world.etcd_server import (
    Etcd,
    EtcdMissingError,
    Version,
    find,
    parse_version,
    version_of_data,
)

Found = Callable[[Mapping[str, str]], None]

# As etcd-io/etcd#14370 and docs of upstream's fixes have it; this house asks for 3.5.7.
VERDICTS = [
    *((version, False) for version in ("3.3.27", "3.4.0", "3.4.20", "3.5.0", "3.5.1", "3.5.6")),
    *((version, True) for version in ("3.4.21", "3.4.23", "3.5.7", "3.5.16", "3.6.0", "4.0.0")),
]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Found:
    """Puts programs that say the given version on PATH, in a usual place and in the wheel."""

    def install(versions: Mapping[str, str]) -> None:
        for place in ("path1", "path2", "usual", "wheel"):
            (tmp_path / place).mkdir()
            if place in versions:
                program = tmp_path / place / "etcd"
                said = versions[place]
                text = f"etcd Version: {said}\\nGit SHA: 1" if said[:1].isdigit() else said
                program.write_text(f'#!/bin/sh\nprintf "{text}\\n"\n')
                program.chmod(0o755)

    monkeypatch.setenv("PATH", f"{tmp_path}/path1:{tmp_path}/path2:")
    monkeypatch.setattr(etcd_server, "_USUAL_PLACES", (f"{tmp_path}/usual",))
    monkeypatch.setattr(etcd_server, "_wheel_folder", lambda: iter([f"{tmp_path}/wheel"]))
    return install


@pytest.mark.parametrize(("version", "durable"), VERDICTS)
def test_the_versions_that_keep_what_they_acknowledged(version: str, durable: bool) -> None:
    etcd = Etcd("etcd", parse_version(version))
    assert etcd.durable is durable
    assert etcd.version_text == version
    assert etcd.warning.startswith(f"etcd {version} may lose acknowledged writes") is not durable


CHOICES: list[tuple[dict[str, str], str, str]] = [
    # what is there, the version that wrote the data, whose etcd is taken
    ({"path1": "3.4.23", "wheel": "3.5.1"}, "0.0.0", "path1"),
    ({"path1": "3.5.16", "path2": "3.6.1"}, "0.0.0", "path1"),
    ({"path1": "3.4.20", "path2": "3.5.16"}, "0.0.0", "path2"),
    ({"path1": "3.5.1", "usual": "3.6.4", "wheel": "3.5.1"}, "0.0.0", "usual"),
    ({"usual": "3.4.23", "wheel": "3.5.1"}, "0.0.0", "usual"),
    ({"wheel": "3.5.1"}, "0.0.0", "wheel"),
    ({"path1": "3.5.2", "wheel": "3.5.1"}, "0.0.0", "path1"),
    ({"path1": "3.4.23", "wheel": "3.5.1"}, "3.5.1", "wheel"),
    ({"path1": "3.4.23", "usual": "3.5.16", "wheel": "3.5.1"}, "3.5.1", "usual"),
    ({"path1": "3.5.7"}, "3.5.16", "path1"),
    ({"path1": "3.6.0", "wheel": "3.5.1"}, "3.5.1", "path1"),
    ({"path1": "an editor", "path2": "3.4.23"}, "0.0.0", "path2"),
    ({"path1": "", "wheel": "3.5.1"}, "0.0.0", "wheel"),
]


@pytest.mark.parametrize(("there", "data", "taken"), CHOICES)
def test_the_safest_that_can_read_the_data_is_taken(
    programs: Found, tmp_path: Path, there: dict[str, str], data: str, taken: str
) -> None:
    programs(there)
    assert find(parse_version(data)).program == f"{tmp_path}/{taken}/etcd"


def test_none_at_all_says_how_to_get_one(programs: Found) -> None:
    programs({"path1": "an editor"})
    with pytest.raises(EtcdMissingError, match="apt install etcd-server"):
        find()


def test_only_older_ones_than_the_data_is_told(programs: Found) -> None:
    programs({"path1": "3.4.23"})
    with pytest.raises(EtcdMissingError, match=r"written by etcd 3\.5\.1.*is 3\.4\.23"):
        find((3, 5, 1))


@pytest.mark.parametrize(
    ("text", "version"),
    [("3.5.16", (3, 5, 16)), ("3.5.16\n", (3, 5, 16)), ("", (0, 0, 0)), ("3.5", (0, 0, 0))],
)
def test_the_version_of_the_data(tmp_path: Path, text: str, version: Version) -> None:
    layout = Layout.of(tmp_path)
    assert version_of_data(layout) == (0, 0, 0)
    layout.etcd_version.write_text(text)
    assert version_of_data(layout) == version

"""One module reads the environment, and says which variable is wrong."""

import ast
from pathlib import Path

import pytest

from acksim import settings
from acksim.settings import SETTINGS, Elsewhere, SettingsError, from_environment, world_elsewhere

ROOT = Path(settings.__file__).parents[2]


def test_defaults() -> None:
    world = from_environment({})
    assert world.auth == "strict"
    assert world.host == "127.0.0.1"
    assert (world.ports.http, world.ports.kubernetes) == (8700, 6443)
    assert world.etcd == ()


def test_every_row_is_read() -> None:
    changed = from_environment(
        {
            "ACKSIM_DATA_DIR": "/somewhere",
            "ACKSIM_ETCD": "http://a:2379, http://b:2379",
            "ACKSIM_AUTH": "soft",
            "ACKSIM_HOST": "0.0.0.0",
            "ACKSIM_PORT": "1",
            "ACKSIM_DATABASE": "postgresql://u:p@db/acksim",
            "ACKSIM_SEED": "/seed.yaml",
            "ACKSIM_LIMITS": "on",
            "ACKSIM_AUDIT": "on",
            "ACKSIM_TLS_PORT": "2",
            "ACKSIM_KUBERNETES_PORT": "3",
            "ACKSIM_CONTROL_PORT": "0",
            "ACKSIM_HOSTNAMES": "emulator",
            "ACKSIM_ALLOWED_HOSTS": "kms, *.example.com",
        }
    )
    default = from_environment({})
    differing = [
        changed.data_dir != default.data_dir,
        changed.database == "postgresql://u:p@db/acksim",
        changed.etcd == ("http://a:2379", "http://b:2379"),
        changed.auth == "soft",
        changed.seed == Path("/seed.yaml"),
        changed.limited,
        changed.audited,
        changed.host == "0.0.0.0",
        (changed.ports.http, changed.ports.https) == (1, 2),
        (changed.ports.kubernetes, changed.ports.control) == (3, 0),
        changed.hostnames == ("emulator",),
        changed.allowed_hosts == ("kms", "*.example.com"),
    ]
    assert all(differing)
    elsewhere = world_elsewhere(
        environ={"ACKSIM_WORLD": "http://emulator:8780", "ACKSIM_TOKEN": "a-token"}
    )
    assert elsewhere == Elsewhere("http://emulator:8780", "a-token")
    assert len(SETTINGS) == 17  # with ACKSIM_TOKEN_FILE, below


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ACKSIM_PORT", "http"),
        ("ACKSIM_PORT", "70000"),
        ("ACKSIM_PORT", "-1"),
        ("ACKSIM_AUTH", "no"),
        ("ACKSIM_LIMITS", "yes"),
        ("ACKSIM_DATABASE", "mysql://db"),
    ],
)
def test_a_bad_value_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name if name == "ACKSIM_DATABASE" else value):
        from_environment({name: value})


def test_the_token_of_a_world_elsewhere(tmp_path: Path) -> None:
    """Read only beside its address: one that is left in a shell leads no later world astray."""
    file = tmp_path / "token"
    file.write_text("a-token\n")
    url = "http://emulator:8780"
    by_file = {"ACKSIM_WORLD": url, "ACKSIM_TOKEN_FILE": str(file)}
    assert world_elsewhere(environ=by_file) == Elsewhere(url, "a-token")
    assert world_elsewhere(url, {"ACKSIM_TOKEN": "b"}) == Elsewhere(url, "b")
    assert world_elsewhere(environ={"ACKSIM_TOKEN": "b"}) is None
    assert "b-token" not in repr(Elsewhere(url, "b-token"))
    for missing in ({}, {"ACKSIM_TOKEN_FILE": str(tmp_path / "none")}, {"ACKSIM_TOKEN": "a\nb"}):
        with pytest.raises(SettingsError, match="ACKSIM_TOKEN"):
            world_elsewhere(url, missing)


def test_nothing_else_reads_the_environment() -> None:
    readers = [
        path.relative_to(ROOT).as_posix()
        for package in (
            "sim/acksim",
            "kms_emulator",
            "apiserver_shim",
            "alibaba_edge",
            "alibaba_kms_plugin",
            "kubernetes_kms",
            "bounded_http",
        )
        for path in (ROOT / package).rglob("*.py")
        if _reads_environment(path)
    ]
    assert readers == ["sim/acksim/settings.py"]


def _reads_environment(path: Path) -> bool:
    tree = ast.parse(path.read_text())
    return any(
        isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
        for node in ast.walk(tree)
    )

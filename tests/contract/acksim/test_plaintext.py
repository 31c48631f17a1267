"""No plaintext of any Secret lies on the disk: in etcd's files, the databases or the logs."""

import secrets
from pathlib import Path

import pytest

from acksim.testing import ClusterUnderTest


def holders(root: Path, needle: bytes) -> list[str]:
    """Files below `root` that contain `needle`."""
    return [
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and needle in path.read_bytes()
    ]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_no_file_holds_a_secret(acksim_cluster: ClusterUnderTest, version: str) -> None:
    root = Path(acksim_cluster.world.facts.data_dir)
    cluster = acksim_cluster
    if version == "v2":
        cluster = ClusterUnderTest.create(acksim_cluster.world, kms="v2")
    plain = ClusterUnderTest.create(acksim_cluster.world, encrypted=False)
    try:
        sealed, open_text = secrets.token_hex(24), secrets.token_hex(24)
        for number in range(20):
            cluster.create_secret(f"app{number}", password=sealed)
        body = {"metadata": {"annotations": {"changed": "yes"}}}
        cluster.core_v1.patch_namespaced_secret("app0", "default", body)
        plain.create_secret("app", password=open_text)
        # The search finds what is there to be found.
        assert any(name.startswith("etcd/") for name in holders(root, open_text.encode()))
        assert holders(root, sealed.encode()) == []
    finally:
        plain.delete()
        if cluster is not acksim_cluster:
            cluster.delete()

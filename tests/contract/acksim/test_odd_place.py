"""A data directory whose name means something in addresses and lists of them."""

from pathlib import Path

from acksim.clients.etcd import read_prefix
from acksim.data_dir.layout import Layout
from acksim.settings import Ports, WorldSettings
from acksim.world.launcher import Launcher


def test_a_world_lives_in_a_folder_of_any_name(tmp_path: Path) -> None:
    place = tmp_path / "Ünïcode, a%20b #c?d"
    launcher = Launcher(WorldSettings(data_dir=place, ports=Ports.free()))
    try:
        world = launcher.start()
        assert read_prefix(world.facts.etcd, "/registry/namespaces/default")
        sockets = Layout.of(place).sockets
        assert not sockets.is_relative_to(place)
        assert sockets.stat().st_mode & 0o777 == 0o700
    finally:
        launcher.stop()
    assert not sockets.exists()

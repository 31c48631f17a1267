"""`serve …`: one role alone, as the containers do; the launcher runs the same."""

import argparse
import os
import sys
from collections.abc import Coroutine
from pathlib import Path

import uvloop

from acksim.cli.place import world_settings
from acksim.data_dir.layout import Layout, write_private
from acksim.listeners import Listener, bind, inherit
from acksim.settings import SettingsError, WorldSettings, alibaba_credentials
from acksim.world import etcd_server
from apiserver_shim import role_log


def etcd(arguments: argparse.Namespace) -> int:
    """Becomes an etcd on the sockets of the data directory, without a port."""
    layout = _layout(world_settings(arguments))
    if etcd_server.healthy(layout.etcd_socket):
        raise SettingsError(f"an etcd listens at {layout.etcd_socket} already")
    found = etcd_server.find(etcd_server.version_of_data(layout))
    write_private(layout.etcd_version, found.version_text)
    command = etcd_server.command(found, layout.etcd)
    layout.etcd_socket.unlink(missing_ok=True)  # a killed one left it, and etcd trips over it
    os.umask(0o077)
    os.chdir(layout.etcd_sockets)
    os.execv(command[0], command)  # noqa: S606 - the program that we found


def emulator(arguments: argparse.Namespace) -> int:
    from acksim.ack.kubeconfig import (  # noqa: PLC0415 - a role imports only its own
        ApiServerAddress,
    )
    from acksim.world.roles.emulator import EmulatorListeners, run_emulator  # noqa: PLC0415

    settings = _role_settings(arguments)
    ports = settings.ports
    listeners = EmulatorListeners(
        http=_listener(arguments, settings, "http", ports.http, "ACKSIM_PORT"),
        https=_listener(arguments, settings, "https", ports.https, "ACKSIM_TLS_PORT"),
        control=_listener(arguments, settings, "control", ports.control, "ACKSIM_CONTROL_PORT"),
    )
    public = arguments.kubernetes_url or f"https://127.0.0.1:{ports.kubernetes}"
    address = ApiServerAddress(public, arguments.kubernetes_private_url or public)
    _run(run_emulator(settings, listeners, address))
    return 0


def apiserver(arguments: argparse.Namespace) -> int:
    from acksim.world.roles.apiserver import run_apiserver  # noqa: PLC0415

    settings = _role_settings(arguments)
    port = settings.ports.kubernetes
    listener = _listener(arguments, settings, "kubernetes", port, "ACKSIM_KUBERNETES_PORT")
    _run(run_apiserver(settings, listener))
    return 0


def kms_plugin(arguments: argparse.Namespace) -> int:
    """Credentials come from the environment, as official clients take them."""
    from acksim.world.roles.kms_plugin import run_kms_plugin  # noqa: PLC0415

    _run(
        run_kms_plugin(
            socket=Path(arguments.socket),
            endpoint=arguments.endpoint,
            key_id=arguments.key_id,
            credentials=alibaba_credentials(),
            status_of_dead_key=arguments.status_of_dead_key,
        )
    )
    return 0


def _role_settings(arguments: argparse.Namespace) -> WorldSettings:
    settings = world_settings(arguments)
    if not settings.etcd:
        socket = Layout.of(settings.data_dir).etcd_socket
        raise SettingsError(
            "a role alone needs an etcd: --etcd http://127.0.0.1:2379, or beside "
            f"`acksim serve etcd` with the same data directory --etcd unix://{socket}"
        )
    _layout(settings)
    return settings


def _layout(settings: WorldSettings) -> Layout:
    """Raises SettingsError where nothing can be kept."""
    layout = Layout.of(settings.data_dir)
    try:
        return layout.make()
    except OSError as error:
        raise SettingsError(
            f"cannot keep a world in {layout.root}: {error}; --data-dir names another place"
        ) from None


def _listener(
    arguments: argparse.Namespace, settings: WorldSettings, name: str, port: int, setting: str
) -> Listener:
    """The socket that the launcher passed, else one of our own."""
    for passed in arguments.fd:
        passed_name, _, descriptor = passed.partition("=")
        if passed_name == name:
            return inherit(name, int(descriptor))
    return bind(name, settings.host, port, setting)


def _run(role: Coroutine[None, None, None]) -> None:
    role_log.set_up(sys.stderr)
    uvloop.run(role)

"""`up`, `down`, `status`, `env`, `kubeconfig`: the life of a world that stays."""

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from kms_emulator.ports import ROOT_ACCESS_KEY_ID, ROOT_ACCESS_KEY_SECRET
from sim import etcd_server
from sim.cli.output import Paint, say, say_json, say_table
from sim.cli.place import attached, world_settings
from sim.launcher import Launcher, temporary_data_dir
from sim.layout import Layout
from sim.settings import DEFAULT_REGION, Ports, SettingsError, WorldSettings
from sim.world import World, WorldError

_DETACH_SECONDS = 40.0


def up(arguments: argparse.Namespace) -> int:
    """Runs until Ctrl-C, or with --detach until the world is ready."""
    settings = world_settings(arguments)
    if arguments.free_ports:
        settings = replace(settings, ports=Ports.free())
    if arguments.ephemeral or arguments.ephemeral_dir:
        place = Path(arguments.ephemeral_dir) if arguments.ephemeral_dir else temporary_data_dir()
        settings = replace(settings, ephemeral=True, data_dir=place)
    if settings.seed is not None:
        _check_seed(settings.seed)
    if arguments.detach:
        return _up_detached(arguments, settings)
    return _up_here(settings)


def _check_seed(path: Path) -> None:
    """Here, where somebody reads what is wrong with it."""
    from kms_emulator.errors import SeedError  # noqa: PLC0415 - most worlds begin without one
    from kms_emulator.seeding import read_seed  # noqa: PLC0415

    try:
        read_seed(path)
    except SeedError as error:
        raise SettingsError(f"the seed cannot be used: {error}") from None


def _up_here(settings: WorldSettings) -> int:
    launcher = Launcher(settings)
    # `down` and container runtimes say SIGTERM; both mean a clean end, like Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(0))
    try:
        world = launcher.start()
        _welcome(world)
        _warn_of_etcd(settings)
        launcher.supervisor.watch(lambda text: print(f"acksim: {text}", file=sys.stderr))
    except KeyboardInterrupt:
        say()
    finally:
        # A second Ctrl-C must not leave half of the processes behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        launcher.stop()
    return 0


def _up_detached(arguments: argparse.Namespace, settings: WorldSettings) -> int:
    layout = Layout.of(settings.data_dir).make()
    place = "--ephemeral-dir" if settings.ephemeral else "--data-dir"
    command = [sys.executable, "-m", "sim", "up", place, str(layout.root)]
    if settings.etcd:
        command += ["--etcd", ",".join(settings.etcd)]
    command += ["--auth", settings.auth]
    command += ["--seed", str(settings.seed)] if settings.seed else []
    command += ["--audit"] if settings.audited else []
    command += ["--free-ports"] if arguments.free_ports else []
    log = layout.logs / "up.log"
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + _DETACH_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        if layout.facts.exists() and (world := _world_of(child.pid, settings)) is not None:
            _welcome(world)
            _warn_of_etcd(settings)
            return 0
        time.sleep(0.02)
    raise WorldError(f"the world did not start: {log.read_text(errors='replace').strip()}")


def _world_of(pid: int, settings: WorldSettings) -> World | None:
    """The world whose parent is `pid`, or None while its facts are not written."""
    try:
        world = World.attach(settings.data_dir)
    except (WorldError, ValueError):
        return None
    return world if world.facts.pid == pid else None


def _welcome(world: World) -> None:
    paint = Paint()
    facts = world.facts
    say(paint("bold", "A world is up: one encrypted cluster `default`, one key `alias/acksim`."))
    say_table(
        ("WHAT", "WHERE"),
        [
            ("Alibaba Cloud APIs", f"{facts.endpoint}   {facts.tls_endpoint}"),
            ("Kubernetes API", facts.kubernetes),
            ("control API", f"{facts.control}/docs"),
            ("etcd", ",".join(facts.etcd)),
            ("data", facts.data_dir),
        ],
    )
    say()
    say("Paste this into a shell:")
    for line in _env_lines(world):
        say(paint("cyan", "  " + line))
    say("Then: kubectl create secret generic app1 --from-literal=password=hunter2")
    sys.stdout.flush()


def _warn_of_etcd(settings: WorldSettings) -> None:
    """A world that stays should know when its etcd may forget."""
    if settings.etcd or settings.ephemeral:
        return
    etcd = etcd_server.find()
    if not etcd.durable:
        say(
            Paint()("yellow", f"Note: etcd {etcd.version_text} may lose writes if it is killed; ")
            + "`acksim doctor` says more."
        )
        sys.stdout.flush()


def down(arguments: argparse.Namespace) -> int:
    """Asks the world to end and waits until it has."""
    world = attached(arguments)
    os.kill(world.facts.pid, signal.SIGTERM)
    deadline = time.monotonic() + _DETACH_SECONDS
    while time.monotonic() < deadline:
        try:
            attached(arguments)
        except WorldError:
            kept = f"its data stays in {world.facts.data_dir}"
            say(f"the world has ended; {'nothing is left' if world.facts.ephemeral else kept}")
            return 0
        time.sleep(0.05)
    raise WorldError(f"the world (process {world.facts.pid}) does not end; see its logs")


def status(arguments: argparse.Namespace) -> int:
    """Exit code 1 when a cluster is not ready."""
    from sim.kubernetes_health import readiness  # noqa: PLC0415 - needs TLS; `env` does not

    world = attached(arguments)
    clusters = world.clusters()
    health = {row["cluster_id"]: readiness(world, row) for row in clusters}
    ready = all(state.ready for state in health.values())
    if arguments.json:
        report: dict[str, Any] = {
            "ready": ready,
            "clock": world.clock(),
            "control": world.facts.control,
            "clusters": [
                {
                    **row,
                    "ready": health[row["cluster_id"]].ready,
                    "failing": health[row["cluster_id"]].failing,
                }
                for row in clusters
            ],
        }
        say_json(report)
        return 0 if ready else 1
    say(f"world in {world.facts.data_dir}, process {world.facts.pid}, clock {world.clock()['now']}")
    say_table(
        ("CLUSTER", "NAME", "KMS", "KEY", "READY"),
        [
            (
                row["cluster_id"],
                row["name"],
                row["kms"] if row["key_id"] else "-",
                row["key_id"] or "none",
                "yes"
                if health[row["cluster_id"]].ready
                else "no: " + ", ".join(health[row["cluster_id"]].failing),
            )
            for row in clusters
        ],
    )
    return 0 if ready else 1


def env(arguments: argparse.Namespace) -> int:
    world = attached(arguments)
    if arguments.json:
        say_json(_env(world))
        return 0
    for line in _env_lines(world):
        say(line)
    return 0


def kubeconfig(arguments: argparse.Namespace) -> int:
    say(attached(arguments).kubeconfig(arguments.cluster).rstrip())
    return 0


def _env(world: World) -> dict[str, str]:
    facts = world.facts
    return {
        "ACKSIM_ENDPOINT": facts.endpoint,
        "ALIBABA_CLOUD_ACCESS_KEY_ID": ROOT_ACCESS_KEY_ID,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": ROOT_ACCESS_KEY_SECRET,
        "ALIBABA_CLOUD_REGION_ID": DEFAULT_REGION,
        "KUBECONFIG": str(Layout.of(facts.data_dir).kubeconfig),
        # As etcdctl reads it. ACKSIM_ETCD would make the next world use this one's etcd.
        "ETCDCTL_ENDPOINTS": ",".join(facts.etcd),
        "ACKSIM_CA": facts.ca,
    }


def _env_lines(world: World) -> list[str]:
    return [f"export {name}={shlex.quote(value)}" for name, value in _env(world).items()]

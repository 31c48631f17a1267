"""`up`, `down`, `status`, `env`, `kubeconfig`: the life of a world that stays."""

import argparse
import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from acksim.cli.output import Paint, say, say_json, say_table
from acksim.cli.place import attached, world_elsewhere, world_settings
from acksim.clients.world import World, WorldError, require_running
from acksim.data_dir import world_lock
from acksim.data_dir.end_socket import NotListeningError, StillThereError, ask_to_end
from acksim.data_dir.layout import Layout, write_private
from acksim.settings import DEFAULT_REGION, Ports, SettingsError, WorldSettings
from acksim.world import etcd_server
from acksim.world.launcher import Launcher, temporary_data_dir
from acksim.world.supervisor import python_role
from alibaba_edge.ports import ROOT_ACCESS_KEY_ID, ROOT_ACCESS_KEY_SECRET

_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_READY = b"ready"
_LISTENS_SECONDS = 10.0
_END_SECONDS = 60.0  # a child that does not end by itself is killed after eight


def up(arguments: argparse.Namespace) -> int:
    """Runs until Ctrl-C, or with --detach until the world is ready."""
    settings = world_settings(arguments)
    if arguments.free_ports:
        settings = replace(settings, ports=Ports.free())
    if settings.seed is not None:
        _check_seed(settings.seed)
    if arguments.detach:
        return _up_detached(arguments, settings)
    if arguments.ephemeral:
        settings = replace(settings, ephemeral=True, data_dir=temporary_data_dir())
    return _up_here(settings, ready_fd=arguments.ready_fd)


def _check_seed(path: Path) -> None:
    """Here, where somebody reads what is wrong with it."""
    from kms_emulator.errors import SeedError  # noqa: PLC0415 - most worlds begin without one
    from kms_emulator.seeding import read_seed  # noqa: PLC0415

    try:
        read_seed(path)
    except SeedError as error:
        raise SettingsError(f"the seed cannot be used: {error}") from None


def _up_here(settings: WorldSettings, *, ready_fd: int | None) -> int:
    """With `ready_fd` it speaks to its starter until it is ready, and to its log from then on."""
    launcher = Launcher(settings)
    for number in _ENDING_SIGNALS:
        signal.signal(number, _end)
    try:
        # `down` asks; what it means is what container runtimes mean by SIGTERM.
        world = launcher.start(on_end=lambda: os.kill(os.getpid(), signal.SIGTERM))
        with contextlib.suppress(BrokenPipeError):  # who reads may have seen enough
            _welcome(world)
        if ready_fd is not None:
            _speak_to_log(Layout.of(settings.data_dir), ready_fd)
        launcher.supervisor.watch(lambda text: print(f"acksim: {text}", file=sys.stderr))
    finally:
        _ignore_signals()
        launcher.stop()
    return 0


def _end(*_: object) -> None:
    _ignore_signals()
    sys.exit(0)


def _ignore_signals() -> None:
    """A second Ctrl-C must not leave half of the processes behind."""
    for number in _ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _speak_to_log(layout: Layout, ready_fd: int) -> None:
    log = os.open(layout.logs / "up.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
    os.write(ready_fd, _READY)
    os.close(ready_fd)


def _up_detached(arguments: argparse.Namespace, settings: WorldSettings) -> int:
    """The child says itself what there is to say, on our own output, until it is ready."""
    place = ["--ephemeral"] if arguments.ephemeral else ["--data-dir", str(settings.data_dir)]
    ready, told = os.pipe()
    command = python_role("up", *place, "--auth", settings.auth, "--ready-fd", str(told))
    command += ["--etcd", ",".join(settings.etcd)] if settings.etcd else []
    command += ["--seed", str(settings.seed)] if settings.seed else []
    command += ["--audit"] if settings.audited else []
    command += ["--free-ports"] if arguments.free_ports else []
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, pass_fds=[told], start_new_session=True
    )
    os.close(told)
    try:
        with os.fdopen(ready, "rb") as pipe:
            if pipe.read() == _READY:
                return 0
    except BaseException:
        child.terminate()  # Ctrl-C here means the world, too
        raise
    code = child.wait()
    if code < 0:
        raise WorldError(f"the world was ended by signal {-code} while it started")
    return code


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
            ("etcd", f"{','.join(facts.etcd)}   {_etcd_text(world)}".rstrip()),
            ("data", facts.data_dir),
        ],
    )
    say()
    say("Paste this into a shell:")
    for name, line in _env_lines(world).items():
        if name != "ACKSIM_TOKEN":  # what `up` says may end in a file that others read
            say(paint("cyan", "  " + line))
    say("Then: kubectl create secret generic app1 --from-literal=password=hunter2")
    if not facts.ephemeral:
        _warn_of_etcd(world)
    sys.stdout.flush()


def _etcd_text(world: World) -> str:
    etcd = etcd_of(world)
    return "" if etcd is None else f"{etcd.version_text}, {etcd.program}"


def _warn_of_etcd(world: World) -> None:
    """A world that stays should know when its etcd may forget."""
    etcd = etcd_of(world)
    if etcd is not None and not etcd.durable:
        say(Paint()("yellow", "Note: ") + etcd.warning)


def etcd_of(world: World) -> etcd_server.Etcd | None:
    """The etcd that the world started, or None for one that was there before."""
    facts = world.facts
    if not facts.etcd_version:
        return None
    return etcd_server.Etcd(facts.etcd_program, etcd_server.parse_version(facts.etcd_version))


def down(arguments: argparse.Namespace) -> int:
    """Asks the world to end and waits until it has."""
    elsewhere = world_elsewhere(arguments)
    if elsewhere is not None:
        raise WorldError(f"the world at {elsewhere.url} is ended where it runs")
    layout = Layout.of(world_settings(arguments).data_dir)
    require_running(layout)
    try:
        _ask_to_end(layout)
    except StillThereError:
        raise WorldError(
            f"the world in {layout.root} does not end; {layout.logs} may say why"
        ) from None
    except OSError as error:
        raise WorldError(f"cannot ask the world in {layout.root} to end: {error}") from None
    kept = f"its data stays in {layout.root}"
    say(f"the world has ended; {kept if layout.root.exists() else 'nothing is left'}")
    return 0


def _ask_to_end(layout: Layout) -> None:
    """Asks as soon as the world listens, which it does a moment after it has taken its place."""
    deadline = time.monotonic() + _LISTENS_SECONDS
    while True:
        try:
            return ask_to_end(layout.end_socket, seconds=_END_SECONDS)
        except NotListeningError:
            if not world_lock.held(layout.lock):
                return None  # it ended by itself meanwhile
            if time.monotonic() > deadline:
                raise WorldError(
                    f"a world runs in {layout.root}, but not by `acksim up`, or not where this "
                    "command can reach it: the program that started it (a test run, "
                    "`acksim demo`, an earlier version) ends it"
                ) from None
            time.sleep(0.05)


def status(arguments: argparse.Namespace) -> int:
    """Exit code 1 when a cluster is not ready."""
    from acksim.clients.readiness import readiness  # noqa: PLC0415 - needs TLS; `env` does not

    world = attached(arguments)
    clusters = world.clusters()
    health = {row["cluster_id"]: readiness(world, row) for row in clusters}
    ready = all(state.ready for state in health.values())
    if arguments.json:
        report: dict[str, Any] = {
            "ready": ready,
            "clock": world.clock(),
            "control": world.facts.control,
            "etcd": _etcd_json(world),
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
    facts = world.facts
    place = (
        f"at {facts.control}" if world.elsewhere else f"in {facts.data_dir}, process {facts.pid}"
    )
    say(f"world {place}, clock {world.clock()['now']}")
    say(f"control API {facts.control}, etcd {','.join(facts.etcd)}   {_etcd_text(world)}".rstrip())
    _warn_of_etcd(world)
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


def _etcd_json(world: World) -> dict[str, Any]:
    etcd = etcd_of(world)
    started = (
        {"program": etcd.program, "version": etcd.version_text, "durable": etcd.durable}
        if etcd is not None
        else {}
    )
    return {"endpoints": list(world.facts.etcd), **started}


def env(arguments: argparse.Namespace) -> int:
    world = attached(arguments)
    if world.elsewhere:  # a world of this machine has written its own
        write_private(Layout.of(world.facts.data_dir).kubeconfig, world.kubeconfig("default"))
    if arguments.json:
        say_json(_env(world))
        return 0
    for line in _env_lines(world).values():
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
        # For curl. As a setting it is read only where ACKSIM_WORLD names a world elsewhere.
        "ACKSIM_CONTROL": facts.control,
        "ACKSIM_TOKEN": world.token,
        # As etcdctl reads it. ACKSIM_ETCD would make the next world use this one's etcd.
        "ETCDCTL_ENDPOINTS": ",".join(facts.etcd),
        "ACKSIM_CA": facts.ca,
    }


def _env_lines(world: World) -> dict[str, str]:
    """By the variable's name, the line that sets it."""
    return {name: f"export {name}={shlex.quote(value)}" for name, value in _env(world).items()}

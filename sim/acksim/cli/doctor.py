"""`doctor`: what is missing or unsafe here, and what to do about it."""

import argparse
import platform
import shutil
import sqlite3
import ssl
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from acksim.cli.output import Paint, say, say_json
from acksim.cli.place import world_settings
from acksim.data_dir import world_lock
from acksim.data_dir.layout import Layout
from acksim.listeners import PortTakenError, bind
from acksim.settings import WorldSettings
from acksim.world import etcd_server

Verdict = Literal["good", "note", "bad"]
_MARKS = {"good": ("green", "✓"), "note": ("yellow", "!"), "bad": ("red", "✗")}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `bad` means that a world cannot start or is unsafe."""

    verdict: Verdict
    subject: str
    text: str


def doctor(arguments: argparse.Namespace) -> int:
    """Exit code 1 when something is bad."""
    settings = world_settings(arguments)
    findings = [finding for check in _CHECKS for finding in check(settings)]
    if arguments.json:
        say_json([asdict(finding) for finding in findings])
    else:
        paint = Paint()
        for finding in findings:
            colour, mark = _MARKS[finding.verdict]
            say(f"{paint(colour, mark)} {finding.subject}: {finding.text}")
    return int(any(finding.verdict == "bad" for finding in findings))


def _python(_settings: WorldSettings) -> Iterator[Finding]:
    text = f"{platform.python_version()}, {ssl.OPENSSL_VERSION}, SQLite {sqlite3.sqlite_version}"
    supported = sys.version_info >= (3, 11)
    yield Finding("good" if supported else "bad", "Python", text)


def _etcd(settings: WorldSettings) -> Iterator[Finding]:
    if settings.etcd:
        yield Finding("good", "etcd", f"yours at {', '.join(settings.etcd)}")
        return
    try:
        etcd = etcd_server.find(etcd_server.version_of_data(Layout.of(settings.data_dir)))
    except etcd_server.EtcdMissingError as error:
        yield Finding("bad", "etcd", str(error))
        return
    text = f"{etcd.version_text}, {etcd.program}"
    if etcd.durable:
        yield Finding("good", "etcd", text)
    else:
        yield Finding("note", "etcd", f"{text}: {etcd.warning}")


def _kubectl(_settings: WorldSettings) -> Iterator[Finding]:
    program = shutil.which("kubectl")
    if program is None:
        yield Finding("note", "kubectl", "not found: the demo uses the Python client instead")
    else:
        yield Finding("good", "kubectl", program)


def _ports(settings: WorldSettings) -> Iterator[Finding]:
    if world_lock.held(Layout.of(settings.data_dir).lock):
        yield Finding("good", "ports", "held by the world that runs")
        return
    ports = settings.ports
    for name, port, setting in (
        ("Alibaba Cloud APIs", ports.http, "ACKSIM_PORT"),
        ("Alibaba Cloud APIs over TLS", ports.https, "ACKSIM_TLS_PORT"),
        ("the Kubernetes API", ports.kubernetes, "ACKSIM_KUBERNETES_PORT"),
        ("the control API", ports.control, "ACKSIM_CONTROL_PORT"),
    ):
        try:
            bind(name, settings.host, port, setting).socket.close()
        except PortTakenError as error:
            yield Finding("bad", "ports", str(error))
        else:
            yield Finding("good", "ports", f"{settings.host}:{port} is free for {name}")


def _data(settings: WorldSettings) -> Iterator[Finding]:
    root = Layout.of(settings.data_dir).root
    if not root.exists():
        yield Finding("good", "data", f"{root} will be made")
        return
    exposed = [path for path in (root, *_files(root)) if path.stat().st_mode & 0o077]
    if exposed and root.stat().st_mode & 0o077:
        yield Finding("bad", "data", f"others can read {root}: run chmod -R go= {root}")
    else:
        yield Finding("good", "data", f"{root} is its owner's alone")


def _files(root: Path) -> Iterator[Path]:
    return (path for path in root.iterdir() if path.is_file())


def _exposure(settings: WorldSettings) -> Iterator[Finding]:
    if settings.host not in {"127.0.0.1", "::1", "localhost"}:
        yield Finding(
            "note",
            "exposure",
            f"listeners bind {settings.host}: whoever reaches them can use the documented root "
            "credential and the control API; unset ACKSIM_HOST unless a container needs it",
        )
    if settings.auth != "strict":
        yield Finding("note", "auth", f"{settings.auth}: denied calls are let through")


_CHECKS: tuple[Callable[[WorldSettings], Iterator[Finding]], ...] = (
    _python,
    _etcd,
    _kubectl,
    _ports,
    _data,
    _exposure,
)

"""`demo`: a story on a throwaway world, each claim checked before its tick."""

import argparse
import contextlib
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

from acksim.cli.output import Paint, say, say_json
from acksim.cli.place import world_settings
from acksim.clients.kms import Kms
from acksim.clients.world import World
from acksim.scenarios import arrears
from acksim.scenarios.broken_key import Scene, new_password, tell
from acksim.scenarios.operator import operator
from acksim.scenarios.stage import PAUSE_SECONDS, ClaimFailedError, Stage
from acksim.settings import world_elsewhere
from acksim.world.launcher import ephemeral_world

_WIDTH = 96


def demo(arguments: argparse.Namespace) -> int:
    """Exit code 0 only if every claim held."""
    teller = JsonTeller() if arguments.json else PersonTeller()
    unhurried = sys.stdout.isatty() and not (arguments.fast or arguments.json)
    stage = Stage(teller, pace=PAUSE_SECONDS if unhurried else 0)
    begin = time.monotonic()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="acksim-") as folder,
            _world(arguments, Path(folder)) as world,
        ):
            if arguments.story == "arrears":
                arrears.tell(stage, arrears.arrange(stage, world, Path(folder)))
            else:
                tell(stage, _scene(stage, world, Path(folder)))
            world.move_clock(reset=True)
    except ClaimFailedError as error:
        teller.end(f"the story does not hold: {error}", ok=False, claims=stage.claims)
        return 1
    seconds = time.monotonic() - begin
    teller.end(
        f"{stage.claims} claims, all checked, in {seconds:.1f} s. Try it yourself: acksim up",
        ok=True,
        claims=stage.claims,
    )
    return 0


@contextlib.contextmanager
def _world(arguments: argparse.Namespace, folder: Path) -> Iterator[World]:
    elsewhere = world_elsewhere(arguments.world)
    if elsewhere is not None:
        yield World.connect(elsewhere.url, folder, token=elsewhere.token)
        return
    chosen = world_settings(arguments)
    with ephemeral_world(etcd=chosen.etcd, auth=chosen.auth) as (world, _):
        yield world


def _scene(stage: Stage, world: World, folder: Path) -> Scene:
    stage.chapter("A key, and a cluster whose Secrets it seals")
    kms = Kms.of_root(world.facts.endpoint)
    stage.command("acksim kms create")
    key = kms.create_key(description="seals the Secrets of the demo")
    stage.claim("the key is Enabled", key["KeyState"] == "Enabled", key["KeyState"])
    key_id = key["KeyId"]
    stage.command(f"acksim cluster create demo --key {key_id}")
    cluster = world.create_cluster("demo", key_id=key_id)
    kubeconfig = world.kubeconfig(cluster["cluster_id"])
    hands = operator(kubeconfig, folder)
    return Scene(world, kms, key_id, cluster, hands, new_password())


class PersonTeller:
    """Plain lines, coloured on a terminal."""

    def __init__(self) -> None:
        self._paint = Paint()

    def chapter(self, title: str) -> None:
        say()
        say(self._paint("bold", title))
        sys.stdout.flush()

    def line(self, text: str) -> None:
        for part in textwrap.wrap(text, _WIDTH, break_on_hyphens=False) or [""]:
            say("    " + self._paint("dim", part))

    def command(self, text: str) -> None:
        say("  " + self._paint("cyan", "$ " + text))

    def verdict(self, claim: str, *, holds: bool, found: str) -> None:
        mark = self._paint("green", "✓") if holds else self._paint("red", "✗")
        say(f"  {mark} {claim}" + ("" if holds else f" (found: {found})"))
        sys.stdout.flush()

    def end(self, text: str, *, ok: bool, claims: int) -> None:  # noqa: ARG002
        say()
        say(self._paint("green" if ok else "red", text))


class JsonTeller:
    """One JSON object a line."""

    def chapter(self, title: str) -> None:
        say_json({"chapter": title})

    def line(self, text: str) -> None:
        say_json({"shown": text})

    def command(self, text: str) -> None:
        say_json({"command": text})

    def verdict(self, claim: str, *, holds: bool, found: str) -> None:
        say_json({"claim": claim, "holds": holds} | ({} if holds else {"found": found}))
        sys.stdout.flush()

    def end(self, text: str, *, ok: bool, claims: int) -> None:
        say_json({"end": text, "ok": ok, "claims": claims})

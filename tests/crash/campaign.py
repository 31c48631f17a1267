"""One world, its writers and a plan of blows: strike, wait until it is whole again, check."""

import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from acksim.clients.alibaba import ApiClient, Signer
from acksim.clients.trail import TrailClient
from acksim.clients.world import World
from acksim.world import etcd_server
from tests.contract.ack.conftest import Account
from tests.crash.checks import Checks, broken_files
from tests.crash.doors.cloud import Aliases, Blobs, Keys, Policies, Tags, Users
from tests.crash.doors.control_plane import Clusters
from tests.crash.doors.door import Door, RefusedError, UnansweredError
from tests.crash.doors.kubernetes import Secrets
from tests.crash.doors.plugin import PluginBlobs
from tests.crash.kills import Blow, strike
from tests.crash.ledger import Fault, Ledger, Verdict
from tests.crash.processes import READY_SECONDS, CrashWorld, NotReadyError
from tests.crash.report import Report
from tests.crash.writers import Writers

_CHECK_EVERY = 10
_MOST_FAULTS = 50


class UnfitEtcdError(Exception):
    """No durability can be judged here; the text says why and what helps."""


class Campaign:
    """Runs once, in a directory of its own."""

    def __init__(self, root: Path, *, seed: int) -> None:
        """Raises UnfitEtcdError, or EtcdMissingError."""
        etcd = etcd_server.find()
        if not etcd.durable:
            raise UnfitEtcdError(etcd.warning)
        self._crash = CrashWorld(root)
        self._ledger = Ledger()
        self.report = Report(seed, etcd.version_text, self._ledger)

    def run(self, blows: Sequence[Blow]) -> Report:
        """Everything that was started has ended when it returns."""
        begun = time.monotonic()
        last = "start"
        try:
            world = self._crash.up()
            with self._under_load(world) as (writers, doors, checks, trail):
                for number, blow in enumerate(blows, 1):
                    last = blow.name
                    world = self._blow(world, blow, doors)
                    with writers.resting():
                        self._add(blow.name, checks.sample(trail))
                        if number % _CHECK_EVERY == 0 or number == len(blows):
                            self._add(blow.name, checks.everything(world, self._crash.layout))
                            self.report.full_checks += 1
                    self.report.reads = checks.reads
                    self._say(number, len(blows), blow)
                    if len(self.report.found) > _MOST_FAULTS:
                        break
                self._add(last, writers.faults)
        except NotReadyError as error:
            self._add(last, [Fault(Verdict.WRONG, "recovery", last, str(error))])
        finally:
            left = self._crash.end()
        self._add(
            last, [Fault(Verdict.WRONG, "process", str(one.pid), "does not end") for one in left]
        )
        self._add(last, broken_files(self._crash.layout))
        self.report.seconds = time.monotonic() - begun
        self.report.tracebacks = self._crash.tracebacks()
        if not self.report.good:
            self.report.last_words = self._crash.last_words()
        return self.report

    @contextmanager
    def _under_load(
        self, world: World
    ) -> Iterator[tuple[Writers, list[Door], Checks, TrailClient]]:
        made = world.new_account("crash")
        signer = Signer(made["access_key_id"], made["access_key_secret"])
        account = Account(world, made["account_id"], signer.access_key_id, signer.access_key_secret)
        self._crash.start_plugin(world.facts.endpoint)
        doors = _doors(world, account, self._crash)
        checks = Checks(doors, self._ledger, account.id)
        writers = Writers(doors, self._ledger)
        with ExitStack() as stack:
            for door in doors:
                stack.callback(door.close)
            self._wait_until_ready(doors)
            writers.start()
            stack.callback(writers.end)
            yield writers, doors, checks, TrailClient(world.facts.endpoint, signer)

    def _blow(self, world: World, blow: Blow, doors: Sequence[Door]) -> World:
        struck = self.report.of(blow.name)
        before = self._ledger.acknowledged.total()
        time.sleep(blow.delay)
        struck.times += 1
        moment = time.monotonic() + blow.seconds
        world = strike(self._crash, world, blow)
        self._wait_until_ready(doors)
        struck.recoveries.append(time.monotonic() - moment)
        struck.acknowledged += self._ledger.acknowledged.total() - before
        return world

    def _wait_until_ready(self, doors: Sequence[Door]) -> None:
        """Until new things can be made, through every process; raises NotReadyError."""
        deadline = time.monotonic() + READY_SECONDS
        for door in (door for door in doors if door.probed):
            while True:
                try:
                    _probe(door)
                    break
                except (UnansweredError, RefusedError) as error:
                    if time.monotonic() > deadline:
                        text = f"{door.kind}: not ready after {READY_SECONDS:.0f} s: {error}"
                        raise NotReadyError(f"{text}\n{self._crash.last_words()}") from None
                    time.sleep(0.05)

    def _add(self, name: str, faults: Sequence[Fault]) -> None:
        self.report.add(name, list(faults))

    def _say(self, number: int, blows: int, blow: Blow) -> None:
        seconds = self.report.of(blow.name).recoveries[-1]
        print(
            f"{number}/{blows} {blow.name}: ready after {seconds:.1f} s, "
            f"{self._ledger.acknowledged.total()} acknowledged, {len(self.report.found)} faults",
            file=sys.stderr,
            flush=True,
        )


def _probe(door: Door) -> None:
    """Make one thing, and read it back where nothing else would ask what stands behind the door."""
    name = f"probe-{secrets.token_hex(4)}"
    receipt = door.create(name, door.value(0))
    door.read(receipt.name or name)


def _ram(account: Account) -> ApiClient:
    signer = Signer(account.access_key_id, account.access_key_secret)
    return ApiClient(account.world.facts.endpoint, signer, version="2015-05-01")


def _doors(world: World, account: Account, crash: CrashWorld) -> list[Door]:
    fixed = [account.new_key(), account.new_key()]
    doors: list[Door] = []
    for version in ("v1", "v2"):
        made = world.create_cluster(
            f"crash-{version}", account_id=account.id, key_id=fixed[0], kms=version
        )
        doors.append(Secrets(version, world.kubeconfig(made["cluster_id"])))
    kms, ram = account.kms, _ram(account)
    doors += [Blobs(kms, *fixed), Keys(kms), Aliases(kms, *fixed), Tags(kms)]
    doors += [Users(ram), Policies(ram)]
    doors += [Clusters(account, fixed[0]), PluginBlobs(crash.plugin_socket)]
    return doors

"""Runs a door's inputs, watches over the machine meanwhile, and tells what was found."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.door import WORKERS, Case, Door, ViolationError
from tests.fuzz.doors.cloud import CloudDoor
from tests.fuzz.doors.control import ControlDoor
from tests.fuzz.doors.kubernetes import KubernetesDoor
from tests.fuzz.doors.plugin import PluginDoor
from tests.fuzz.doors.sealed import BlobDoor, EtcdDoor
from tests.fuzz.doors.texts import EncryptionConfigDoor, PolicyDoor, YamlDoor
from tests.fuzz.lab import SLOW_SECONDS, Lab, Probe

CORPUS = Path(__file__).parent / "corpus"
_KEPT_VIOLATIONS = 20
_SLOWEST_KEPT = 5

DOORS: dict[str, Callable[[], Door]] = {
    kind.name: kind
    for kind in (
        CloudDoor,
        KubernetesDoor,
        ControlDoor,
        PluginDoor,
        EtcdDoor,
        BlobDoor,
        EncryptionConfigDoor,
        PolicyDoor,
        YamlDoor,
    )
}


@dataclass
class Report:
    """What a campaign against one door saw. `answers` counts kinds of answers."""

    door: str
    seed: int
    inputs: int = 0
    seconds: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)
    violations: list[dict[str, Any]] = field(default_factory=list)
    slowest: list[tuple[float, Case]] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.violations

    def as_json(self) -> dict[str, Any]:
        """For programs; the slowest inputs by their seconds alone."""
        return {
            "door": self.door,
            "seed": self.seed,
            "inputs": self.inputs,
            "seconds": round(self.seconds, 1),
            "answers": dict(self.answers.most_common()),
            "slowest_seconds": [round(seconds, 2) for seconds, _ in self.slowest],
            "violations": self.violations,
        }


def corpus(door: str) -> list[Case]:
    """The inputs that are kept for a door, in the order of their files' names."""
    return [json.loads(path.read_text())["case"] for path in sorted((CORPUS / door).glob("*.json"))]


async def run(
    door: Door,
    lab: Lab,
    *,
    seed: int,
    inputs: int | None = None,
    seconds: float | None = None,
    first: Sequence[Case] = (),
) -> Report:
    """Try `first`, then new inputs until there were `inputs` of them, or for `seconds`."""
    report = Report(door.name, seed)
    await door.open(lab)
    begin = time.monotonic()
    cases = _cases(door, seed, inputs, seconds, first)
    probe = Probe(lab)
    async with probe.running():
        workers = 1 if door.alone else WORKERS
        async with asyncio.TaskGroup() as group:
            for worker in range(workers):
                group.create_task(_work(door, cases, worker, report, probe))
        report.seconds = time.monotonic() - begin
    try:
        await door.close()
    except ViolationError as error:
        _note(report, None, str(error))
    for line in (*lab.tracebacks(), *lab.too_large()):
        _note(report, None, line)
    return report


def _cases(
    door: Door, seed: int, inputs: int | None, seconds: float | None, first: Sequence[Case]
) -> Iterator[Case]:
    yield from first
    random = Random(seed)
    end = None if seconds is None else time.monotonic() + seconds
    made = 0
    while (inputs is None or made < inputs) and (end is None or time.monotonic() < end):
        made += 1
        yield door.new_case(random)


async def _work(
    door: Door, cases: Iterator[Case], worker: int, report: Report, probe: Probe
) -> None:
    clock = time.process_time if door.in_process else time.monotonic
    for case in cases:
        begin = clock()
        try:
            answer = await door.attempt(case, worker)
        except ViolationError as error:
            answer = "violation"
            _note(report, case, str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, this input led to it
            answer = "violation"
            _note(report, case, f"{type(error).__name__}: {error}")
        end = clock()
        took = end - begin
        report.inputs += 1
        report.answers[answer] += 1
        others = 0.0 if door.in_process else probe.longest(begin, end)
        if took > SLOW_SECONDS and took > 4 * others:
            _note(report, case, f"took {took:.1f} s while others were answered at once")
        if len(report.slowest) < _SLOWEST_KEPT or took > report.slowest[-1][0]:
            report.slowest.append((took, case))
            report.slowest.sort(key=lambda pair: -pair[0])
            del report.slowest[_SLOWEST_KEPT:]


def _note(report: Report, case: Case | None, text: str) -> None:
    if len(report.violations) < _KEPT_VIOLATIONS:
        report.violations.append({"case": case, "text": text[:3000]})

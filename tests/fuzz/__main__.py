"""`python -m tests.fuzz DOOR --seconds N`: a campaign against one door, or against all."""

import argparse
import asyncio
import json
import logging
import random
import sys
import tempfile
from pathlib import Path

from tests.fuzz.campaign import DOORS, Report, corpus, run
from tests.fuzz.lab import Lab

_EXAMPLES = """\
examples:
  python -m tests.fuzz yaml --seconds 60
  python -m tests.fuzz all --inputs 300000 --json
  python -m tests.fuzz kubernetes --replay violation-kubernetes-1.json
"""


def main() -> int:
    """Exit codes: 0 every promise was kept, 1 one was broken, 2 wrong words."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("door", choices=(*DOORS, "all"))
    parser.add_argument("--seconds", type=float, help="how long, a door (default 30)")
    parser.add_argument("--inputs", type=int, help="how many, over all doors that are chosen")
    parser.add_argument("--seed", type=int, help="the same seed makes the same inputs")
    parser.add_argument("--replay", type=Path, help="one input alone, from a file")
    parser.add_argument("--json", action="store_true", help="for programs")
    arguments = parser.parse_args()
    if arguments.replay and arguments.door == "all":
        parser.error("--replay takes the door whose input it is")
    logging.disable()  # of what runs in this process; the world's own logs are looked over
    reports = asyncio.run(_campaign(arguments))
    if arguments.json:
        print(json.dumps([report.as_json() for report in reports], indent=1))
    else:
        for report in reports:
            _print(report)
    total = sum(report.inputs for report in reports)
    broken = sum(len(report.violations) for report in reports)
    print(f"{total} inputs, {broken} violations", file=sys.stderr)
    _keep_violations(reports)
    return 1 if broken else 0


async def _campaign(arguments: argparse.Namespace) -> list[Report]:
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().getrandbits(31)
    names = list(DOORS) if arguments.door == "all" else [arguments.door]
    shares = {name: DOORS[name]().share for name in names}
    reports = []
    lab = Lab()
    try:
        for name in names:
            inputs = None
            if arguments.inputs is not None:
                inputs = arguments.inputs * shares[name] // sum(shares.values())
            seconds = arguments.seconds
            if inputs is None and seconds is None:
                seconds = 30.0
            first = corpus(name)
            if arguments.replay:
                content = json.loads(arguments.replay.read_text())
                first, inputs = [content["case"]], 0
            print(f"{name}, seed {seed} …", file=sys.stderr)
            reports.append(
                await run(
                    DOORS[name](), lab, seed=seed, inputs=inputs, seconds=seconds, first=first
                )
            )
    finally:
        lab.close()
    return reports


def _print(report: Report) -> None:
    rate = report.inputs / report.seconds if report.seconds else 0.0
    print(f"{report.door}: {report.inputs} inputs in {report.seconds:.0f} s ({rate:.0f}/s)")
    answers = ", ".join(f"{kind} {count}" for kind, count in report.answers.most_common(12))
    print(f"  answers: {answers}")
    if report.slowest:
        print(f"  slowest: {report.slowest[0][0]:.2f} s")
    for violation in report.violations:
        print(f"  VIOLATION {violation['text'][:500]}")


def _keep_violations(reports: list[Report]) -> None:
    """As files for --replay, beside each other in one temporary folder."""
    found = [
        (report.door, violation)
        for report in reports
        for violation in report.violations
        if violation["case"] is not None
    ]
    if not found:
        return
    folder = Path(tempfile.mkdtemp(prefix="acksim-fuzz-"))
    for number, (door, violation) in enumerate(found, 1):
        path = folder / f"violation-{door}-{number}.json"
        path.write_text(json.dumps({"note": violation["text"], "case": violation["case"]}))
    print(f"the inputs are kept for --replay in {folder}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

"""What a campaign found, as a table or as JSON."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.crash.ledger import Fault, Ledger, Verdict

_SHOWN = 20
_WIDTHS = (7, 14, 6, 7, 19, 8)


@dataclass(slots=True)
class Struck:
    """What was seen of one process, over all its kills or stops."""

    times: int = 0
    acknowledged: int = 0  # since the blow before
    faults: list[Fault] = field(default_factory=list)
    recoveries: list[float] = field(default_factory=list)  # seconds until everything worked again


@dataclass(slots=True)
class Report:
    """Of one campaign; `found` remembers each broken promise once, however often it is seen."""

    seed: int
    etcd: str
    ledger: Ledger
    struck: dict[str, Struck] = field(default_factory=dict)
    found: dict[tuple[str, str], Fault] = field(default_factory=dict)
    full_checks: int = 0
    reads: int = 0
    seconds: float = 0.0
    tracebacks: int = 0  # in the world's logs; no promise is broken by one
    last_words: str = ""

    def add(self, name: str, faults: list[Fault]) -> None:
        """Faults that were seen first after a blow against `name`."""
        for fault in faults:
            if (fault.kind, fault.name) not in self.found:
                self.found[fault.kind, fault.name] = fault
                self.of(name).faults.append(fault)

    def of(self, name: str) -> Struck:
        return self.struck.setdefault(name, Struck())

    @property
    def good(self) -> bool:
        return not self.found

    def text(self) -> str:
        lines = [
            _line("PROCESS", "TIMES", "ACKNOWLEDGED", "LOST", "WRONG", "READY AGAIN, MEAN", "MAX")
        ]
        for name, struck in sorted(self.struck.items()):
            mean, most = _seconds(struck)
            numbers = (struck.times, struck.acknowledged, *_verdicts(struck.faults))
            lines.append(_line(name, *numbers, f"{mean:.1f} s", f"{most:.1f} s"))
        lines += ["", _row("KIND", "ACKNOWLEDGED", "UNANSWERED")]
        unanswered = self.ledger.unanswered
        for kind, number in sorted(self.ledger.acknowledged.items()):
            lines.append(_row(kind, number, unanswered[kind]))
        lines += [
            "",
            *(
                f"{fault.verdict}: {fault.kind} {fault.name[:80]}: {fault.text}"
                for fault in self._shown()
            ),
        ]
        lost, wrong = _verdicts(self.found.values())
        lines.append(
            f"{sum(self.ledger.acknowledged.values())} acknowledged, {lost} lost, {wrong} wrong; "
            f"{self.full_checks} full checks, {self.reads} reads; "
            f"{self.tracebacks} tracebacks in the logs; etcd {self.etcd}; "
            f"seed {self.seed}; {self.seconds:.0f} s"
        )
        return "\n".join([*lines, self.last_words]).rstrip()

    def json(self) -> dict[str, Any]:
        lost, wrong = _verdicts(self.found.values())
        return {
            "seed": self.seed,
            "etcd": self.etcd,
            "seconds": round(self.seconds, 1),
            "full_checks": self.full_checks,
            "reads": self.reads,
            "tracebacks": self.tracebacks,
            "lost": lost,
            "wrong": wrong,
            "acknowledged": dict(self.ledger.acknowledged),
            "unanswered": dict(self.ledger.unanswered),
            "processes": {name: _process(struck) for name, struck in sorted(self.struck.items())},
            "faults": [
                {"verdict": one.verdict, "kind": one.kind, "name": one.name, "text": one.text}
                for one in self.found.values()
            ],
        }

    def _shown(self) -> list[Fault]:
        return list(self.found.values())[:_SHOWN]


def _process(struck: Struck) -> dict[str, Any]:
    mean, most = _seconds(struck)
    lost, wrong = _verdicts(struck.faults)
    return {
        "times": struck.times,
        "acknowledged": struck.acknowledged,
        "lost": lost,
        "wrong": wrong,
        "ready_again_mean_seconds": round(mean, 2),
        "ready_again_max_seconds": round(most, 2),
    }


def _verdicts(faults: Iterable[Fault]) -> tuple[int, int]:
    """How many are lost and how many wrong."""
    numbers = Counter(fault.verdict for fault in faults)
    return numbers[Verdict.LOST], numbers[Verdict.WRONG]


def _seconds(struck: Struck) -> tuple[float, float]:
    if not struck.recoveries:
        return 0.0, 0.0
    return sum(struck.recoveries) / len(struck.recoveries), max(struck.recoveries)


def _line(name: str, *cells: object) -> str:
    return f"{name:<22}" + "".join(
        f"{cell!s:>{width}}" for cell, width in zip(cells, _WIDTHS, strict=True)
    )


def _row(kind: str, *cells: object) -> str:
    return f"{kind:<22}" + "".join(f"{cell!s:>14}" for cell in cells)

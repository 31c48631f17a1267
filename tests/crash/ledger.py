"""What the world promised: every acknowledged write, and what an unanswered one may have done.

A thing whose last request got no answer has two allowed outcomes, before and after. Nothing more
may be asked of it, because that request may still be on its way; so there are never three.
"""

import threading
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

Value = str | None
"""A thing's content; None means that it does not exist."""


class Verdict(StrEnum):
    LOST = "lost"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Fault:
    """A promise that was not kept."""

    verdict: Verdict
    kind: str
    name: str
    text: str


@dataclass(slots=True)
class Entry:
    """One thing: what was acknowledged last, and what was asked for since, if anything was."""

    kind: str
    name: str
    acknowledged: Value = None
    asked: list[Value] = field(default_factory=list)
    earlier: set[Value] = field(default_factory=lambda: {None})

    @property
    def settled(self) -> bool:
        """Whether nothing is unanswered, so that more may be asked."""
        return not self.asked

    def judge(self, seen: Value) -> Fault | None:
        """Compare with what the world has now. An outcome once seen is a promise like any other."""
        if seen == self.acknowledged:
            return None
        if seen in self.asked:
            self.settle(seen)
            return None
        lost = seen in self.earlier
        expected = " or ".join(_text(value) for value in (self.acknowledged, *self.asked))
        text = f"expected {expected}, found {_text(seen)}"
        return Fault(Verdict.LOST if lost else Verdict.WRONG, self.kind, self.name, text)

    def settle(self, value: Value) -> None:
        """From now on it is this value and no other."""
        self.earlier.add(self.acknowledged)
        self.acknowledged = value
        self.asked.clear()


class Attempt:
    """One request about one thing; unanswered until its answer is told."""

    def __init__(self, ledger: "Ledger", entry: Entry, value: Value) -> None:
        self._ledger = ledger
        self._entry = entry
        self._value = value

    def acknowledged(self, action: str = "", request_id: str = "", *, billed: bool = False) -> None:
        """The world said yes; `action` and `request_id` where its trail must know of it."""
        self._entry.settle(self._value)
        self._ledger.count(self._entry.kind)
        if action:
            self._ledger.count_call(action, request_id, billed=billed)


class Ledger:
    """All entries; one writer a thing, many writers at once."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], Entry] = {}
        self.acknowledged: Counter[str] = Counter()  # by kind
        self.billed: Counter[str] = Counter()  # acknowledged calls by action
        self.request_ids: dict[str, str] = {}  # of acknowledged calls, and their action
        self._lock = threading.Lock()

    def begin(self, kind: str, name: str, value: Value) -> Attempt:
        """Before a request that gives a thing this value; ValueError for an unsettled one."""
        with self._lock:
            entry = self.entries.setdefault((kind, name), Entry(kind, name))
        if not entry.settled:
            raise ValueError(f"{kind} {name} waits for an answer that will not come")
        entry.asked.append(value)
        return Attempt(self, entry, value)

    def count(self, kind: str) -> None:
        with self._lock:
            self.acknowledged[kind] += 1

    def count_call(self, action: str, request_id: str, *, billed: bool) -> None:
        with self._lock:
            if request_id:
                self.request_ids[request_id] = action
            if billed:
                self.billed[action] += 1

    @property
    def unanswered(self) -> Counter[str]:
        """Things by kind whose last request may or may not have done what it should."""
        return Counter(entry.kind for entry in self.entries.values() if not entry.settled)

    def judge_trail(self, seen: set[str]) -> list[Fault]:
        """Every acknowledged call, by its RequestId, against the RequestIds of the trail."""
        return [
            Fault(Verdict.LOST, "trail event", request_id, f"{action} is not in the trail")
            for request_id, action in self.request_ids.items()
            if request_id not in seen
        ]

    def judge_bill(self, charged: dict[str, int]) -> list[Fault]:
        """Acknowledged calls by action against what the bill counts of each."""
        return [
            Fault(Verdict.LOST, "bill", action, f"{calls} acknowledged, {charged.get(action, 0)}")
            for action, calls in self.billed.items()
            if charged.get(action, 0) < calls
        ]


def _text(value: Value) -> str:
    return "nothing" if value is None else repr(value[:60])

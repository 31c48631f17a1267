"""Writers that never stop by themselves: each takes one thing after another through its life."""

import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from tests.crash.doors.door import Door, Receipt, RefusedError, UnansweredError
from tests.crash.ledger import Attempt, Fault, Ledger, Verdict

_AFTER_SILENCE_SECONDS = 0.2


class Writer(threading.Thread):
    """Writes through one door, one request at a time, and tells the ledger.

    A thing is created, changed, and every other one removed; after an unanswered request it is
    left alone for ever (see the ledger), and the next thing's turn comes.
    """

    def __init__(self, door: Door, ledger: Ledger) -> None:
        super().__init__(name=f"writer of {door.kind}", daemon=True)
        self.door = door
        self.faults: list[Fault] = []
        self.resting = threading.Lock()  # who holds it keeps the writer between two requests
        self._ledger = ledger
        self._ending = threading.Event()
        self._numbers = itertools.count(1)
        self._finished = 0
        self._name = ""  # of the thing under way, if one is
        self._changes = 0

    def run(self) -> None:
        pause = self.door.pause
        while not self._ending.wait(pause):
            with self.resting:
                pause = self.door.pause if self.step() else _AFTER_SILENCE_SECONDS

    def end(self) -> None:
        """It may have a request to wait for; `join` does."""
        self._ending.set()

    def step(self) -> bool:
        """One request; tells whether it was answered."""
        try:
            self._request()
        except UnansweredError:
            self._name = ""
            return False
        except RefusedError as error:
            # Every request is a valid one, for what was acknowledged before.
            fault = Fault(Verdict.WRONG, self.door.kind, self._name, f"refused: {error}")
            self.faults.append(fault)
            self._name = ""
        return True

    def _request(self) -> None:
        door, name = self.door, self._name
        if not name:
            self._create()
        elif not door.ready(name):
            return
        elif self._changes < door.changes:
            self._changes += 1
            value = door.value(self._changes)
            attempt = self._ledger.begin(door.kind, name, value)
            _tell(attempt, door.change(name, value))
        else:
            self._finish(name)

    def _create(self) -> None:
        door, name = self.door, f"c{next(self._numbers)}"
        value = door.value(0)
        if door.server_named:
            receipt = door.create(name, value)
            name = receipt.name
            attempt = self._ledger.begin(door.kind, name, value)
        else:
            self._name = name
            attempt = self._ledger.begin(door.kind, name, value)
            receipt = door.create(name, value)
        _tell(attempt, receipt)
        self._name, self._changes = name, 0

    def _finish(self, name: str) -> None:
        door = self.door
        self._finished += 1
        if door.removable and (self._finished % 2 == 0 or self._finished > 2 * door.most_kept):
            _tell(self._ledger.begin(door.kind, name, None), door.remove(name))
        self._name = ""


def _tell(attempt: Attempt, receipt: Receipt) -> None:
    attempt.acknowledged(receipt.action, receipt.request_id, billed=receipt.billed)


class Writers:
    """All writers together."""

    def __init__(self, doors: Sequence[Door], ledger: Ledger) -> None:
        self._writers = [Writer(door, ledger) for door in doors]

    def start(self) -> None:
        for writer in self._writers:
            writer.start()

    @contextmanager
    def resting(self) -> Iterator[None]:
        """No request is under way, and none begins."""
        with ExitStack() as stack:
            for writer in self._writers:
                stack.enter_context(writer.resting)
            yield

    @property
    def faults(self) -> list[Fault]:
        return [fault for writer in self._writers for fault in writer.faults]

    def end(self) -> None:
        for writer in self._writers:
            writer.end()
        for writer in self._writers:
            writer.join()

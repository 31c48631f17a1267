"""The log of a process: one line a record, and no stranger can fill the disk with it.

Whoever reaches a port can make a server log: a request that is no HTTP, a connection cut off. So
each place in the code may say a few things a minute, whichever logger it uses; what it says more
often is counted, and the count is logged. Places are finite, so the log's growth is.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import IO

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_A_MINUTE = 60.0
_OFTEN = 10  # records of one place in a minute
_PLACES = 4096
_LONGEST = 16_384
_CHATTY = ("httpx", "httpcore")

Place = tuple[str, int, str, str, int]


def set_up(stream: IO[str]) -> None:
    """Send every logger's records of level INFO and above to ``stream``, within bounds."""
    handler = logging.StreamHandler(stream)
    handler.addFilter(Repeated())
    handler.setFormatter(Bounded(_FORMAT))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


class Bounded(logging.Formatter):
    """Cuts the middle out of what is too long: a request's bytes can stand in it."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if len(text) <= _LONGEST:
            return text
        half = _LONGEST // 2
        return f"{text[:half]}\n[{len(text) - _LONGEST} characters left out]\n{text[-half:]}"


@dataclass(slots=True)
class _Window:
    begun: float
    passed: int = 0
    held: int = 0


class Repeated(logging.Filter):
    """Lets a place's first records of a minute pass; the next minute's first one tells the rest.

    A place is the line that logs and, for an exception, its type and the line that raised it.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._windows: dict[Place, _Window] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now, place = self._now(), _place(record)
        window = self._windows.get(place)
        if window is None:
            if len(self._windows) >= _PLACES:
                self._windows.clear()
            window = self._windows[place] = _Window(now)
        elif now - window.begun >= _A_MINUTE:
            held, window.begun, window.passed, window.held = window.held, now, 0, 0
            if held:
                _add_words(record, f"{held} of the kind were not logged before")
        if window.passed >= _OFTEN:
            window.held += 1
            return False
        window.passed += 1
        if window.passed == _OFTEN:
            _add_words(record, "more of the kind are counted for a minute, not logged")
        return True


def _place(record: logging.LogRecord) -> Place:
    kind, raised_in, raised_at = "", "", 0
    if record.exc_info and record.exc_info[0] is not None:
        kind = record.exc_info[0].__qualname__
        trace: TracebackType | None = record.exc_info[2]
        while trace is not None:
            raised_in, raised_at = trace.tb_frame.f_code.co_filename, trace.tb_lineno
            trace = trace.tb_next
    return record.pathname, record.lineno, kind, raised_in, raised_at


def _add_words(record: logging.LogRecord, words: str) -> None:
    record.msg, record.args = f"{record.getMessage()} [{words}]", None

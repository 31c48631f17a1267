"""Movable time, shared by every process of a world through one small file.

Rotation, deletion windows, token expiry, caches and bills follow this clock; the age of a
request signature does not, because clients do not travel with us. The file is replaced
atomically by its one writer at a time, so that a reader sees the old time or the new one.
"""

import json
import os
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_TERM = re.compile(r"(\d+)([smhd])")
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)


class ClockError(ValueError):
    """A duration or a move that the clock cannot make."""


@dataclass(frozen=True, slots=True)
class ClockState:
    """How far ahead of the wall clock, in seconds, or where it stands still (Unix time)."""

    offset: float = 0.0
    frozen_at: float | None = None

    def read(self, wall: datetime) -> datetime:
        if self.frozen_at is not None:
            return datetime.fromtimestamp(self.frozen_at, UTC)
        return wall + timedelta(seconds=self.offset)


_MOST_DIGITS = 15


def parse_duration(text: str) -> timedelta:
    """`8d`, `90s`, `1d12h`; raises ClockError."""
    terms = _TERM.findall(text)
    if not terms or "".join(number + unit for number, unit in terms) != text:
        raise ClockError(f"{text!r} is not a duration; write one like 90s, 15m, 36h, 8d or 1d12h")
    if max(len(number) for number, _ in terms) > _MOST_DIGITS:
        raise ClockError("that is further than this clock can go")
    seconds = sum(int(number) * _UNITS[unit] for number, unit in terms)
    if seconds > _LATEST.timestamp():
        raise ClockError(f"{text!r} is further than this clock can go")
    return timedelta(seconds=seconds)


class Clock:
    """The time of one world. `now` costs one `stat` of the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._state = ClockState()

    def now(self) -> datetime:
        return self.state().read(datetime.now(UTC))

    def state(self) -> ClockState:
        try:
            status = os.stat(self._path)  # noqa: PTH116 - a hot path: Path.stat costs three times as much
        except FileNotFoundError:
            self._stamp, self._state = None, ClockState()
            return self._state
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp != self._stamp:
            self._state = ClockState(**json.loads(self._path.read_bytes()))
            self._stamp = stamp
        return self._state

    def advance(self, by: timedelta) -> None:
        if by > _LATEST - self.now():
            raise ClockError("that is further than this clock can go")
        state, seconds = self.state(), by.total_seconds()
        if state.frozen_at is not None:
            self._write(ClockState(state.offset + seconds, state.frozen_at + seconds))
        else:
            self._write(ClockState(state.offset + seconds))

    def freeze(self) -> None:
        state = self.state()
        if state.frozen_at is None:
            self._write(ClockState(state.offset, self.now().timestamp()))

    def reset(self) -> None:
        """Back to the wall clock, running."""
        self._write(ClockState())

    def _write(self, state: ClockState) -> None:
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        draft.write_text(json.dumps(asdict(state)))
        draft.replace(self._path)

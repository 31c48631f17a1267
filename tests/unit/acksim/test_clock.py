"""The simulated clock: moved by one process, read by all."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from acksim.clock import Clock, ClockError, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("36h", 129_600), ("8d", 691_200), ("1d12h", 129_600)],
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "8", "d", "8 d", "-1d", "1w", "1d 2h", "1.5d", "9" * 30 + "d"]
)
def test_what_is_not_a_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ClockError):
        parse_duration(text)


def shows_the_wall_clock(clock: Clock) -> bool:
    before, shown, after = datetime.now(UTC), clock.now(), datetime.now(UTC)
    return before <= shown <= after


def test_it_follows_the_wall_clock_until_moved(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock.json")
    assert shows_the_wall_clock(clock)


def test_another_reader_sees_a_move_at_once(tmp_path: Path) -> None:
    mover, reader = Clock(tmp_path / "clock.json"), Clock(tmp_path / "clock.json")
    before = datetime.now(UTC)
    mover.advance(timedelta(days=8))
    assert before <= reader.now() - timedelta(days=8) <= datetime.now(UTC)


def test_frozen_time_stands_still_and_can_still_be_advanced(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock.json")
    clock.freeze()
    moment = clock.now()
    assert clock.now() == moment
    clock.advance(timedelta(hours=1))
    assert clock.now() == moment + timedelta(hours=1)


def test_reset_returns_to_the_wall_clock(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock.json")
    clock.advance(timedelta(days=400))
    clock.freeze()
    clock.reset()
    assert shows_the_wall_clock(clock)


def test_it_does_not_run_off_the_calendar(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock.json")
    with pytest.raises(ClockError):
        clock.advance(timedelta(days=3_650_000))
    assert shows_the_wall_clock(clock)


def test_a_number_longer_than_any_time_is_refused() -> None:
    with pytest.raises(ClockError, match="further than this clock can go"):
        parse_duration("1" * 100_000 + "d")
